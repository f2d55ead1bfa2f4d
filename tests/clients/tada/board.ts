/** Types that gql.tada infers from the schema; never run. */
import { type ResultOf, type VariablesOf, initGraphQLTada } from "gql.tada";
import type { introspection } from "./introspection.d.ts";

const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { Date: string; DateTime: string; URL: string };
}>();

const Row = graphql(`
  fragment Row on Attendance @_unmask {
    id
    sequence
    status
    updatedAt
  }
`);

const Watch = graphql(
  `
    subscription Watch($date: Date!, $after: String) {
      attendanceUpdated(date: $date, after: $after) {
        ...Row
        day {
          summary {
            present
          }
        }
      }
    }
  `,
  [Row],
);

const Mark = graphql(`
  mutation Mark($input: UpdateAttendanceInput!) {
    updateAttendance(input: $input) {
      attendance {
        id
      }
      errors {
        code
      }
    }
  }
`);

export function present({ attendanceUpdated }: ResultOf<typeof Watch>): number {
  // @ts-expect-error A record that has not changed has no time.
  void attendanceUpdated.updatedAt.length;
  // @ts-expect-error There is no such counter.
  void attendanceUpdated.day.summary.presnt;
  const status: "PRESENT" | "LATE" | "HALF_DAY" | "REMOTE" | "ON_LEAVE" | "ABSENT" | "UNMARKED" = attendanceUpdated.status;
  return status === "PRESENT" ? attendanceUpdated.day.summary.present : 0;
}

export const mark: VariablesOf<typeof Mark> = { input: { target: { id: "an id" }, status: "LATE" } };
// @ts-expect-error A target is a record or a person and a day.
export const nobody: VariablesOf<typeof Mark> = { input: { target: {}, status: "LATE" } };
