import type { Role } from "../gql/graphql";
import type { DayState } from "../live/day";
import type { Day } from "../live/dates";
import type { Status } from "../live/statuses";

/** The statuses that a role may set on a day. The server enforces it; here it disables buttons. */
export function allowed(role: Role, day: Pick<DayState, "date" | "state"> | null, today: Day): ReadonlySet<Status> {
  if (day === null || day.state === "LOCKED" || role === "VIEWER") return NONE;
  if (role === "MARKER" && day.date !== today) return NONE;
  return day.date > today ? AHEAD : ALL;
}

const NONE: ReadonlySet<Status> = new Set();
const AHEAD: ReadonlySet<Status> = new Set(["ON_LEAVE", "UNMARKED"]);
const ALL: ReadonlySet<Status> = new Set([
  "PRESENT",
  "LATE",
  "HALF_DAY",
  "REMOTE",
  "ON_LEAVE",
  "ABSENT",
  "UNMARKED",
]);
