import type { AttendanceStatus, DayFieldsFragment } from "../gql/graphql";

export type Status = AttendanceStatus;

export interface StatusInfo {
  status: Status;
  label: string;
  /** For narrow spaces. */
  short: string;
  /** Keyboard shortcut. */
  key: string;
  /** Field of a summary. */
  count: Exclude<keyof DayFieldsFragment["summary"], "__typename" | "id" | "sequence" | "total" | "presentRate">;
}

/** In display order, which the keys 1 to 6 follow. */
export const MARKS: readonly StatusInfo[] = [
  { status: "PRESENT", label: "Present", short: "Present", key: "1", count: "present" },
  { status: "LATE", label: "Late", short: "Late", key: "2", count: "late" },
  { status: "HALF_DAY", label: "Half day", short: "Half", key: "3", count: "halfDay" },
  { status: "REMOTE", label: "Remote", short: "Remote", key: "4", count: "remote" },
  { status: "ON_LEAVE", label: "On leave", short: "Leave", key: "5", count: "onLeave" },
  { status: "ABSENT", label: "Absent", short: "Absent", key: "6", count: "absent" },
];

export const UNMARKED: StatusInfo = { status: "UNMARKED", label: "Unmarked", short: "Unmarked", key: "0", count: "unmarked" };

export const STATUSES: readonly StatusInfo[] = [...MARKS, UNMARKED];

const BY_STATUS = new Map(STATUSES.map((info) => [info.status, info]));

export function infoOf(status: Status): StatusInfo {
  return BY_STATUS.get(status) ?? UNMARKED;
}

/** Of whoever has come; nobody else has an arrival or a departure. */
export function isOnSite(status: Status): boolean {
  return status === "PRESENT" || status === "LATE" || status === "HALF_DAY";
}

export type Counts = Record<Status, number>;

/** How many of these people have each status. */
export function countsOf(records: Iterable<{ status: Status }>): Counts {
  const counts = Object.fromEntries(STATUSES.map(({ status }) => [status, 0])) as Counts;
  for (const { status } of records) counts[status]++;
  return counts;
}
