// The data of the Node servers, in memory: 200 people on each of two days, and what can be done with them.

export const DATES = [process.env.BENCH_DATE, process.env.BENCH_OTHER_DATE];
const STATUSES = ['PRESENT', 'ABSENT', 'LATE', 'ON_LEAVE'];
const CATEGORIES = ['TEACHING', 'ADMIN', 'SUPPORT', 'SECURITY'];

export const typeDefs = /* GraphQL */ `
  scalar Date
  scalar DateTime
  enum AttendanceStatus { PRESENT ABSENT LATE ON_LEAVE }
  type Staff { id: ID! name: String! category: String! photoUrl: String }
  type Attendance {
    id: ID! status: AttendanceStatus! note: String photoUrl: String date: Date! updatedAt: DateTime! version: Int!
    staff: Staff!
  }
  type Query { attendances(date: Date!): [Attendance!]! }
  type Mutation { updateAttendance(id: ID!, status: AttendanceStatus!, note: String): Attendance! }
  type Subscription { attendanceUpdated(date: Date!): Attendance! }
`;

const numbers = Array.from({ length: 200 }, (_, number) => number);
const padded = (number) => String(number).padStart(3, '0');

const staff = new Map(
  numbers.map((number) => [
    String(number),
    {
      id: String(number),
      name: `Staff Member ${padded(number)}`,
      category: CATEGORIES[number % 4],
      photoUrl: `https://cdn.example.com/staff/${padded(number)}/photo.jpg`,
    },
  ]),
);

// One map from id to record for each day.
const days = new Map(
  DATES.map((date, index) => [
    date,
    new Map(
      numbers.map((number) => [
        String(index * 200 + number),
        {
          id: String(index * 200 + number),
          status: STATUSES[number % 4],
          note: `note for record ${number}`,
          photoUrl: `https://cdn.example.com/attendance/${date}/${padded(number)}.jpg`,
          date,
          updatedAt: new Date().toISOString(),
          version: 1,
          staffId: String(number),
        },
      ]),
    ),
  ]),
);

export const recordsOf = (date) => [...(days.get(date)?.values() ?? [])];
export const staffOf = (record) => staff.get(record.staffId);

export function update({ id, status, note }) {
  for (const records of days.values()) {
    const before = records.get(id);
    if (!before) continue;
    const after = { ...before, status, note, updatedAt: new Date().toISOString(), version: before.version + 1 };
    records.set(id, after);
    return after;
  }
  throw new Error('There is no such record.');
}
