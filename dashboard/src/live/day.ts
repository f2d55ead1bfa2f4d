import type { CombinedError, OperationResult } from "@urql/core";
import { onEnd, pipe, subscribe } from "wonka";

import { type Api, explain, hasCode, retryAfter } from "../api/client";
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
  /** Whether all pages have been loaded. */
  complete: boolean;
  /** Why there is nothing, or nothing newer, to show. */
  problem: string | null;
}

interface Page {
  after: string | null;
  /** null until the cache has it. */
  day: NonNullable<DayBoardQuery["attendanceDay"]> | null;
  stop: () => void;
}

const RETRY = 3_000;

/**
 * One day, kept live without missing a change.
 *
 * 1. Query the day, with `records { feedCursor }`.
 * 2. Subscribe to its changes from that cursor. Each event advances the cursor; the normalised cache applies it.
 * 3. Subscribe to the day itself: its counts, and `rosterVersion`. When that rises, people have changed: query again.
 * 4. On RESTART_REQUIRED, forget what is known and start over.
 *
 * A lost connection needs nothing here: the socket resumes each subscription from its last event.
 */
export class LiveDay {
  readonly board = new Store<Board>({ day: null, records: [], complete: false, problem: null });
  /** Called with each new event, before the board shows it. */
  onChange: ((record: Attendance) => void) | null = null;
  /** Called with each event of the connection. */
  onConnection: ((event: ConnectionEvent) => void) | null = null;

  #cursor: string | null = null;
  /** The roster as the board shows it, and the newest that the day's events have told of. */
  #rosterVersion = -1;
  #newestRoster = -1;
  #loading = false;
  /** Whether the board has to be loaded: nothing of it is known, not all of it, or not the newest roster. */
  #outdated = true;
  #following: (() => void)[] = [];
  /** The pages shown, each starting after the one before. */
  #pages: Page[] = [];
  #publishing = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #awake = false;
  #closed = false;

  constructor(
    private readonly api: Pick<Api, "client" | "newest">,
    private readonly date: Day,
  ) {}

  /** Show the day, and subscribe to its changes. */
  open(): void {
    this.#watch([null]); // shows what the cache has from an earlier visit
    this.resume();
  }

  /** Subscribe, from the last event received. */
  resume(): void {
    if (this.#awake || this.#closed) return;
    this.#awake = true;
    this.onConnection?.("wanted");
    if (this.#cursor !== null) this.#follow();
    if (this.#outdated) void this.#load();
  }

  /** Unsubscribe for now; the cursor is kept. */
  pause(): void {
    this.#awake = false;
    this.#unfollow();
    clearTimeout(this.#retry);
    this.onConnection?.("unwanted");
  }

  close(): void {
    this.pause();
    this.#closed = true;
    for (const { stop } of this.#pages) stop();
  }

  /** Load the whole day from the server, page by page; again, if by then it is outdated once more. */
  async #load(): Promise<void> {
    this.#outdated = true;
    if (this.#loading) return;
    this.#loading = true;
    clearTimeout(this.#retry);
    this.onConnection?.("outdated");
    const afters: (string | null)[] = [];
    let after: string | null = null;
    let more = true;
    let problem: CombinedError | undefined | null = null;
    while (more) {
      const result = await this.#page(after);
      if (this.#closed) return;
      const day = result.data?.attendanceDay;
      if (result.error || !day) {
        problem = result.error;
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
      if (more && !this.board.get().complete) this.#watch(afters); // reloads show all at once: a list must not shrink
    }
    this.#loading = false;
    if (problem === null) {
      this.#watch(afters);
      this.#say(null);
      // While the pages came, the subscription may have failed, or the staff may have changed once more.
      this.#outdated = this.#cursor === null || this.#rosterVersion < this.#newestRoster;
      if (!this.#outdated) this.onConnection?.("current");
    } else {
      this.#say(explain(problem));
    }
    if (this.#outdated && this.#awake) this.#again(problem);
  }

  #page(after: string | null): Promise<OperationResult<DayBoardQuery>> {
    const variables = { date: this.date, after };
    return this.api.client.query(DayBoard, variables, { requestPolicy: "network-only" }).toPromise();
  }

  /** Show these pages from the cache, now and whenever something in them changes. */
  #watch(afters: readonly (string | null)[]): void {
    const changed = afters.findIndex((after, index) => this.#pages[index]?.after !== after);
    const kept = changed === -1 ? afters.length : changed;
    for (const { stop } of this.#pages.splice(kept)) stop();
    for (const after of afters.slice(kept)) {
      const page: Page = { after, day: null, stop: () => undefined };
      this.#pages.push(page);
      const variables = { date: this.date, after };
      const watch = pipe(
        this.api.client.query(DayBoard, variables, { requestPolicy: "cache-only" }),
        subscribe(({ data }) => {
          if (data?.attendanceDay) page.day = data.attendanceDay;
          this.#publish();
        }),
      );
      page.stop = () => watch.unsubscribe();
    }
    this.#publish();
  }

  /** Show the pages' current contents; once for all that change together, as they do with the day's counts. */
  #publish(): void {
    if (this.#publishing) return;
    this.#publishing = true;
    queueMicrotask(() => {
      this.#publishing = false;
      const days = this.#pages.flatMap(({ day }) => day ?? []);
      const [first] = days;
      if (!first || days.length < this.#pages.length) return;
      this.board.set({
        ...this.board.get(),
        day: first,
        records: days.flatMap(({ records }) => records.edges.map(({ node }) => node)),
        complete: !(days.at(-1)?.records.pageInfo.hasNextPage ?? false),
      });
    });
  }

  #follow(): void {
    if (this.#following.length > 0) return;
    const { client } = this.api;
    const changes = pipe(
      client.subscription(AttendanceUpdated, { date: this.date, after: this.#cursor }),
      onEnd(() => this.#ended()),
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
      onEnd(() => this.#ended()),
      subscribe(({ data, error }) => {
        if (error) this.#failed(error);
        else if (data) {
          this.#newestRoster = data.attendanceDayUpdated.rosterVersion;
          if (this.#newestRoster > this.#rosterVersion) void this.#load();
          else if (!this.#outdated) this.onConnection?.("current");
        }
      }),
    );
    this.#following = [() => changes.unsubscribe(), () => state.unsubscribe()];
  }

  #unfollow(): void {
    const following = this.#following;
    this.#following = []; // first: what ends now does so because we want it to
    for (const stop of following) stop();
  }

  #failed(error: CombinedError): void {
    if (!this.#awake) return;
    if (hasCode(error, "RESTART_REQUIRED")) {
      this.#forget();
      this.api.newest.forget();
      void this.#load();
    } else {
      // The login has ended (4401), or the server refused the subscription. The query finds out which.
      this.#beginAnew(error);
    }
  }

  /** The server has completed a subscription, which it does not do by itself. */
  #ended(): void {
    if (this.#following.length > 0 && this.#awake) this.#beginAnew(null);
  }

  /** Load the day anew after a while, and follow it from there. */
  #beginAnew(error: CombinedError | null): void {
    this.#forget();
    this.onConnection?.("closed");
    this.#again(error);
  }

  #forget(): void {
    this.#unfollow();
    this.#cursor = null;
    this.#newestRoster = -1; // it may start over, too
    this.#outdated = true;
  }

  /** Load after a few seconds, and not before the server has said to; jitter keeps boards apart. */
  #again(error: CombinedError | undefined | null): void {
    clearTimeout(this.#retry);
    const least = Math.max(RETRY / 2, retryAfter(error) * 1_000);
    this.#retry = setTimeout(() => void this.#load(), least + RETRY * Math.random());
  }

  #say(problem: string | null): void {
    this.board.set({ ...this.board.get(), problem });
  }
}
