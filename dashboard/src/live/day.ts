import type { CombinedError, OperationResult } from "@urql/core";
import { pipe, subscribe } from "wonka";

import { type Api, explain, hasCode } from "../api/client";
import { Store } from "../api/store";
import type { AttendanceFieldsFragment, DayBoardQuery, DayFieldsFragment } from "../gql/graphql";
import type { ConnectionEvent } from "./connection";
import type { Day } from "./dates";
import { AttendanceDayUpdated, AttendanceUpdated, DayBoard } from "./operations";

export type Attendance = AttendanceFieldsFragment;
export type DayState = DayFieldsFragment;

export interface Board {
  /** null until it is known. */
  day: DayState | null;
  /** By name, as the server orders them. */
  records: readonly Attendance[];
  /** Whether all pages are there. */
  complete: boolean;
  /** Why there is nothing to show, or nothing newer. */
  problem: string | null;
}

const RETRY = 3_000;

/**
 * One day, kept live: the pattern that misses nothing.
 *
 * 1. Query the day, with `records { feedCursor }`.
 * 2. Subscribe to its changes from that cursor. Each event moves the cursor on; the normalised cache applies it.
 * 3. Follow the day itself: its counts, and `rosterVersion`, which rises when people have changed. Then query again.
 * 4. On RESTART_REQUIRED forget what is known and begin again.
 *
 * A cut connection needs nothing here: the socket resumes each subscription from its last event.
 */
export class LiveDay {
  readonly board = new Store<Board>({ day: null, records: [], complete: false, problem: null });
  /** Told each event that was not there before, before the board shows it. */
  onChange: ((record: Attendance) => void) | null = null;
  /** Told what happens to the connection. */
  onConnection: ((event: ConnectionEvent) => void) | null = null;

  #cursor: string | null = null;
  #rosterVersion = -1;
  #loading = false;
  #following: (() => void)[] = [];
  #pages: (DayBoardQuery["attendanceDay"] | null)[] = [];
  #watching: (() => void)[] = [];
  #retry: ReturnType<typeof setTimeout> | undefined;
  #awake = false;
  #closed = false;

  constructor(
    private readonly api: Api,
    private readonly date: Day,
  ) {}

  /** Show the day, and follow it while the board is in view. */
  open(): void {
    this.#watch([null]); // what the cache holds of an earlier visit is shown at once
    this.resume();
  }

  /** Follow the day, from the last event that arrived. */
  resume(): void {
    if (this.#awake || this.#closed) return;
    this.#awake = true;
    this.onConnection?.("wanted");
    if (this.#cursor === null) void this.#load();
    else this.#follow();
  }

  /** Follow it no more for now; the cursor is kept. */
  pause(): void {
    this.#awake = false;
    this.#unfollow();
    clearTimeout(this.#retry);
    this.onConnection?.("unwanted");
  }

  close(): void {
    this.pause();
    this.#closed = true;
    for (const stop of this.#watching) stop();
  }

  /** Read the whole day from the server, page by page. */
  async #load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    clearTimeout(this.#retry);
    this.onConnection?.("outdated");
    const afters: (string | null)[] = [];
    let after: string | null = null;
    let more = true;
    let problem: string | null = null;
    while (more) {
      const result = await this.#page(after);
      if (this.#closed) return;
      const day = result.data?.attendanceDay;
      if (result.error || !day) {
        problem = explain(result.error);
        break;
      }
      if (after === null) {
        this.#rosterVersion = day.rosterVersion;
        this.#cursor ??= day.records.feedCursor;
        if (this.#awake) this.#follow();
      }
      afters.push(after);
      after = day.records.pageInfo.endCursor ?? null;
      more = day.records.pageInfo.hasNextPage;
      if (more) this.#watch(afters);
    }
    this.#loading = false;
    if (problem === null) {
      this.#watch(afters);
      this.#say(null);
      this.onConnection?.("current");
    } else {
      this.#say(problem);
      if (this.#awake) this.#again(() => void this.#load());
    }
  }

  #page(after: string | null): Promise<OperationResult<DayBoardQuery>> {
    const variables = { date: this.date, after };
    return this.api.client.query(DayBoard, variables, { requestPolicy: "network-only" }).toPromise();
  }

  /** Show these pages from the cache, now and whenever something in them changes. */
  #watch(afters: readonly (string | null)[]): void {
    for (const stop of this.#watching) stop();
    this.#pages = afters.map(() => null);
    this.#watching = afters.map((after, index) => {
      const source = this.api.client.query(DayBoard, { date: this.date, after }, { requestPolicy: "cache-only" });
      const watch = pipe(
        source,
        subscribe(({ data }) => {
          if (data?.attendanceDay) this.#pages[index] = data.attendanceDay;
          this.#publish();
        }),
      );
      return () => watch.unsubscribe();
    });
  }

  #publish(): void {
    const [first] = this.#pages;
    if (!first || this.#pages.includes(null)) return;
    const last = this.#pages.at(-1);
    this.board.set({
      ...this.board.get(),
      day: first,
      records: this.#pages.flatMap((page) => page?.records.edges.map(({ node }) => node) ?? []),
      complete: !(last?.records.pageInfo.hasNextPage ?? false),
    });
  }

  #follow(): void {
    if (this.#following.length > 0) return;
    const { client } = this.api;
    const changes = pipe(
      client.subscription(AttendanceUpdated, { date: this.date, after: this.#cursor }),
      subscribe(({ data, error }) => {
        if (error) this.#failed(error);
        else if (data) {
          this.#cursor = data.attendanceUpdated.feedCursor;
          this.onChange?.(data.attendanceUpdated);
        }
      }),
    );
    const state = pipe(
      client.subscription(AttendanceDayUpdated, { date: this.date }),
      subscribe(({ data, error }) => {
        if (error) this.#failed(error);
        else if (data) {
          this.onConnection?.("current");
          if (data.attendanceDayUpdated.rosterVersion > this.#rosterVersion) void this.#load();
        }
      }),
    );
    this.#following = [() => changes.unsubscribe(), () => state.unsubscribe()];
  }

  #unfollow(): void {
    for (const stop of this.#following) stop();
    this.#following = [];
  }

  #failed(error: CombinedError): void {
    if (!this.#awake) return;
    this.#unfollow();
    if (hasCode(error, "RESTART_REQUIRED")) {
      this.api.newest.forget();
      this.#cursor = null;
      void this.#load();
      return;
    }
    // The login has ended (4401), or the server would not begin the subscription. The query finds out which.
    this.#cursor = null;
    this.onConnection?.("closed");
    this.#again(() => void this.#load());
  }

  #again(work: () => void): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(work, RETRY * (0.5 + Math.random()));
  }

  #say(problem: string | null): void {
    this.board.set({ ...this.board.get(), problem });
  }
}
