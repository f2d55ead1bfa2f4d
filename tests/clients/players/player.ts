import type { Session } from "../examples/session.ts";
import type { BoardQuery, CountersFragment, RowFragment, UpdateAttendanceInput } from "../examples/gql/graphql.ts";

/** What a client can be told to do. */
export interface Player {
  /** Show the day. */
  show(): Promise<void>;
  /** Follow the day from where it was shown. */
  watch(): unknown;
  /** Record somebody's attendance. */
  mark(values: { input: UpdateAttendanceInput }): Promise<void>;
}

export type Say = (what: "board" | "change" | "marked", value: unknown) => void;
export type Play = (session: Session, date: string, say: Say) => Player;

/** What a screen would show of a day. */
export function screen(day: NonNullable<BoardQuery["attendanceDay"]>): unknown {
  const rows = day.records.edges.map(({ node }) => [node.staffName, node.status]);
  return { ...Object.fromEntries(rows), ...counters(day) };
}

/** What can be told of a change. */
export function change(row: RowFragment & { day: CountersFragment }): unknown {
  return `${row.staffName} ${row.status}`;
}

function counters({ summary: { unmarked, present, late, absent } }: CountersFragment) {
  return { unmarked, present, late, absent };
}
