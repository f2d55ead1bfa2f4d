/** A day that is followed: what asks for it, and what is told of it. */
import type { BoardQuery, ChangesSubscription, StateSubscription } from "./documents.ts";
import type { TypedDocument } from "./typed.ts";

export type BoardDay = NonNullable<BoardQuery["attendanceDay"]>;
export type RecordChange = ChangesSubscription["attendanceUpdated"];
export type DayState = StateSubscription["attendanceDayUpdated"];

/** What has to be known of a day, beside what a front end shows. */
export interface Day {
  records: {
    feedCursor: string;
    rosterVersion: number;
    /** Of a document that takes `after`. */
    pageInfo?: { hasNextPage: boolean; endCursor?: string | null | undefined };
  };
}

/** What has to be known of a change. */
export interface Change {
  feedCursor: string;
}

/** A front end's own documents. */
export interface Documents<TDay, TChange> {
  /**
   * Reads the day, with `records { feedCursor rosterVersion }`. One that takes `$after` for its `records`, and selects their
   * `pageInfo { hasNextPage endCursor }`, is asked for page after page.
   */
  board: TypedDocument<{ attendanceDay?: TDay | null }, { date: string; after?: string | null }>;
  /** Follows its changes, with `feedCursor`; what it selects is what a change brings up to date. */
  changes: TypedDocument<{ attendanceUpdated: TChange }, { date: string; after?: string | null }>;
}

/** What is told about a day that is followed; whatever shows the day from the client's cache needs none of it. */
export interface DayEvents<TDay = Day, TChange = Change> {
  /**
   * The day was read: at first, and again when its people have changed, or changes were missed. Lists are then new, and begin
   * with this page.
   */
  onDay?: (day: TDay) => void;
  /** The next page of the day that `onDay` has told of, with the cursor after which it comes. */
  onPage?: (day: TDay, after: string) => void;
  /** Somebody's attendance has changed. Each change comes once, in order, with values that are as new as the cache's. */
  onChange?: (change: TChange) => void;
  /** The day itself has changed: its lock, its label, its counts or its people. Told at first, too. */
  onState?: (state: DayState) => void;
  /** The day is being read, or soon will be; until `onCurrent`, what is shown of it may be old, or not be all. */
  onOutdated?: () => void;
  /** What is shown is up to date, as the server has just said: at first, after `onOutdated`, and with each `onState`. */
  onCurrent?: () => void;
  /**
   * The day cannot be read or followed now, and why: no network, say, or a server that is busy or does not allow this
   * page's origin. It is tried again by itself, not before `seconds`; `onDay` or `onState` says that it has worked. A
   * connection that breaks off later comes back untold.
   */
  onWaiting?: (error: Error, seconds: number) => void;
  /** It is over, and why: SessionEnded, or an error that would come again. Without this it is thrown, for whoever logs. */
  onError?: (error: Error) => void;
}
