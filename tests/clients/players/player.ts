import type { Session, Subscriptions } from "@memberstaff/client";
import type { UpdateAttendanceInput } from "@memberstaff/client/schema";

/** What a client can be told to do. */
export interface Player {
  /** Show the day. */
  show(): Promise<void>;
  /** Follow the day from where it was shown, or from where it was followed to. */
  watch(): void;
  /** Stop following. */
  unwatch(): void;
  /** Read the day again. */
  refetch(): Promise<void>;
  /** Record somebody's attendance. */
  mark(values: { input: UpdateAttendanceInput }): Promise<void>;
}

export type Say = (what: "board" | "change" | "counted" | "marked" | "refused" | "day read", value: unknown) => void;
export type Play = (session: Session, subscriptions: Subscriptions, date: string, say: Say) => Player;

interface Day {
  summary: { unmarked: number; present: number; late: number; absent: number };
  records: { edges: readonly { node: { staffName: string; status: string } }[] };
}

/** What a screen would show of a day. */
export function screen({ records, summary: { unmarked, present, late, absent } }: Day): unknown {
  const rows = records.edges.map(({ node }) => [node.staffName, node.status]);
  return { ...Object.fromEntries(rows), unmarked, present, late, absent };
}

/** What can be told of a change. */
export function change({ staffName, status }: { staffName: string; status: string }): unknown {
  return `${staffName} ${status}`;
}

/** Say what is shown, unless it is the same as before. */
export function shown(say: Say): (day: Day) => void {
  let last = "";
  return (day) => {
    const seen = screen(day);
    if (JSON.stringify(seen) !== last) say("board", seen);
    last = JSON.stringify(seen);
  };
}

/** What every player tells of a day that it follows. */
export function telling(say: Say) {
  return {
    onDay: () => say("day read", true),
    onChange: (row: { staffName: string; status: string }) => say("change", change(row)),
    onState: ({ summary }: { summary: { unmarked: number } }) => say("counted", summary.unmarked),
    onError: ({ name }: Error) => say("refused", name),
  };
}
