import { SessionEnded } from "@memberstaff/client";
import { watchDay } from "@memberstaff/client/urql";
import { pipe, subscribe } from "wonka";

import { type Api, explain } from "../api/client";
import { Store } from "../app/store";
import type { AttendanceFieldsFragment, DayBoardQuery, DayFieldsFragment } from "../gql/graphql";
import type { ConnectionEvent } from "./connection";
import type { Day } from "./dates";
import { AttendanceUpdated, DayBoard, pageOf } from "./operations";

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

type DayPage = NonNullable<DayBoardQuery["attendanceDay"]>;

interface Page {
  after: string | null;
  /** null until the cache has it. */
  day: DayPage | null;
  stop: () => void;
}

/** A wall display has nobody who would reload it: after an error that need not pass, the day is tried again after this. */
const RETRY = 60_000;

/** One day, kept live by `watchDay`, and shown from the cache: page by page at first, and all at once when it is read again. */
export class LiveDay {
  readonly board = new Store<Board>({ day: null, records: [], complete: false, problem: null });
  /** Called with each new event, before the board shows it. */
  onChange: ((record: Attendance) => void) | null = null;
  /** Called with each event of the connection. */
  onConnection: ((event: ConnectionEvent) => void) | null = null;

  /** The pages that were read, by the cursor after which each comes. */
  #afters: (string | null)[] = [];
  /** The pages shown. */
  #pages: Page[] = [];
  #publishing = false;
  /** Whether the day is being read: the cache may have some pages of this reading, and others of the last one. */
  #reading = false;
  #unwatch: (() => void) | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(
    private readonly api: Pick<Api, "client">,
    private readonly date: Day,
  ) {}

  /** Show the day, and follow it. */
  open(): void {
    this.#show([null]); // what the cache has from an earlier visit
    this.resume();
  }

  /** Follow the day, from the last event received. */
  resume(): void {
    if (this.#unwatch || this.#closed) return;
    this.onConnection?.("wanted");
    this.#watch();
  }

  /** Follow it no more for now. */
  pause(): void {
    clearTimeout(this.#retry);
    this.#unwatch?.();
    this.#unwatch = null;
    this.onConnection?.("unwanted");
  }

  close(): void {
    this.pause();
    this.#closed = true;
    for (const { stop } of this.#pages) stop();
  }

  #watch(): void {
    this.#unwatch = watchDay(
      this.api.client,
      this.date,
      {
        onDay: (day) => this.#take(day, null),
        onPage: (day, after) => this.#take(day, after),
        onChange: (record) => this.onChange?.(record),
        onOutdated: () => {
          this.#reading = true;
          this.onConnection?.("outdated");
        },
        onCurrent: () => {
          this.#say(null);
          this.onConnection?.("current");
        },
        onWaiting: (error) => {
          this.#say(explain(error));
          this.onConnection?.("outdated");
        },
        onError: (error) => {
          this.#say(explain(error));
          this.onConnection?.("outdated");
          if (!(error instanceof SessionEnded)) this.#retry = setTimeout(() => this.#watch(), RETRY);
        },
      },
      { board: DayBoard, changes: AttendanceUpdated },
    );
  }

  /** A page was read. Those of a day that is read again are shown all at once: a list must not shrink. */
  #take({ records }: DayPage, after: string | null): void {
    this.#afters = after === null ? [null] : [...this.#afters, after];
    if (!records.pageInfo.hasNextPage) this.#reading = false;
    if (!this.board.get().complete || !records.pageInfo.hasNextPage) this.#show(this.#afters);
  }

  /** Show these pages from the cache, now and whenever something in them changes. */
  #show(afters: readonly (string | null)[]): void {
    const changed = afters.findIndex((after, index) => this.#pages[index]?.after !== after);
    const kept = changed === -1 ? afters.length : changed;
    for (const { stop } of this.#pages.splice(kept)) stop();
    for (const after of afters.slice(kept)) {
      const page: Page = { after, day: null, stop: () => undefined };
      this.#pages.push(page);
      const watch = pipe(
        this.api.client.query(DayBoard, pageOf(this.date, after), { requestPolicy: "cache-only" }),
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
      const shown = this.board.get();
      const found = new Map(days.flatMap(({ records }) => records.edges.map(({ node }) => [node.id, node])));
      this.board.set({
        ...shown,
        day: first,
        records: this.#reading && shown.complete ? shown.records.map((each) => found.get(each.id) ?? each) : [...found.values()],
        complete: !(days.at(-1)?.records.pageInfo.hasNextPage ?? false),
      });
    });
  }

  #say(problem: string | null): void {
    if (problem !== this.board.get().problem) this.board.set({ ...this.board.get(), problem });
  }
}
