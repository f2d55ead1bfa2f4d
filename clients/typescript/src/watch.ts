/** Following a day, whatever the client: read it, subscribe from there, and start again when told. */
import type { Change, Day, DayEvents, DayState } from "./day.ts";
import { errorsIn, hasCode, retryAfter, SessionEnded, tell } from "./errors.ts";
import { wait } from "./waiting.ts";

/** Errors after which a subscription goes on, where it was, as soon as the server can. */
const PASSING = ["UNAVAILABLE", "RATE_LIMITED", "INTERNAL"];

/** Milliseconds within which a day that has to begin anew again waits first: two servers may not agree on the epoch. */
const SOON = 30_000;

/** What a client does for it, with documents of its own kind. */
export interface Operations<TDocument> {
  /** The answer to a query as the cache has it; null if it has not all of it. */
  cached: (query: TDocument, variables: Variables) => unknown;
  /** The server's answer. Rejects when it has errors, and when the signal gives it up. */
  read: (query: TDocument, variables: Variables, signal: AbortSignal) => Promise<unknown>;
  /** Whether the document that reads the day takes `after`. */
  hasPages: (query: TDocument) => boolean;
  /** Subscribe; answers how to unsubscribe. */
  subscribe: (subscription: TDocument, variables: Variables, next: (data: unknown) => void, end: End) => () => void;
}

export interface DayDocuments<TDocument> {
  board: TDocument;
  changes: TDocument;
  state: TDocument;
}

export type Variables = Record<string, string>;

/** A subscription is over: by an error, or by itself. */
export type End = (error?: Error) => void;

/** What is left of a day that was followed, for whoever comes back. */
interface Place {
  /** Of the last change that was told of: to go on there. */
  cursor?: string;
  /** Whether the cache may have pages of two readings, because the last has not come to its end. */
  isHalfRead?: boolean;
}

/** By client and date. */
const places = new WeakMap<object, Map<string, Place>>();

/** Follow a day; answers how to stop. */
export function follow<TDocument, TDay extends Day, TChange extends Change>(
  client: object,
  date: string,
  events: DayEvents<TDay, TChange>,
  documents: DayDocuments<TDocument>,
  operations: Operations<TDocument>,
): () => void {
  const days = places.get(client) ?? new Map<string, Place>();
  places.set(client, days);
  const place = days.get(date) ?? {};
  days.set(date, place);
  const follower = new Follower(date, events, documents, operations, place);
  queueMicrotask(() => follower.start()); // whoever is told has been answered how to stop
  return () => follower.stop();
}

class Follower<TDocument, TDay extends Day, TChange extends Change> {
  #stops: (() => void)[] = [];
  readonly #over = new AbortController();
  #failures = 0;
  /** How often the day has begun anew, each time soon after the last, and when it did. */
  #restarts = 0;
  #restartedAt = -Infinity;
  /** Of the last change that was told of. */
  #cursor = "";
  /** Versions of the roster: that of the list which was read last, and the newest that was heard of. */
  #roster = 0;
  #newestRoster = 0;
  /** The reading that is under way. */
  #reading: AbortController | null = null;

  constructor(
    readonly date: string,
    readonly events: DayEvents<TDay, TChange>,
    readonly documents: DayDocuments<TDocument>,
    readonly operations: Operations<TDocument>,
    readonly place: Place,
  ) {}

  get #isFollowed(): boolean {
    return this.#stops.length > 0;
  }

  start(): void {
    if (this.#over.signal.aborted) return;
    const pages = this.#cached();
    const [first] = pages;
    if (!first) return this.#restart();
    for (const [page, after] of pages) this.#show(page, after);
    this.#subscribe(this.place.cursor ?? first[0].records.feedCursor);
    if (this.place.isHalfRead) void this.#read();
  }

  stop(): void {
    this.#over.abort();
    this.#reading?.abort();
    this.#unsubscribe();
  }

  /** Every page as the cache has it, with what it comes after; none, if it has not all of them. */
  #cached(): [page: TDay, after: string | null][] {
    const pages: [TDay, string | null][] = [];
    for (let after: string | null = null; ; ) {
      const page = this.#dayIn(this.operations.cached(this.documents.board, this.#variables(after)));
      if (!page) return [];
      pages.push([page, after]);
      const next = this.#next(page);
      if (next === null) return pages;
      if (next === after) return []; // a cache that has one list for all pages, and not the last of them
      after = next;
    }
  }

  /** Read the day and follow it from there. */
  #restart(): void {
    this.#unsubscribe();
    this.#cursor = "";
    this.#newestRoster = 0; // a restored backup may count anew
    void this.#read();
  }

  /** Read the day, page by page, until nobody has come, gone or been renamed meanwhile. */
  async #read(): Promise<void> {
    this.#reading?.abort();
    const { signal } = (this.#reading = new AbortController());
    this.place.isHalfRead = true;
    tell(() => this.events.onOutdated?.());
    for (let after: string | null = null; ; ) {
      const page = await this.#page(after, signal);
      if (signal.aborted) return;
      if (page) {
        this.#show(page, after);
        if (this.#cursor === "") this.#subscribe(page.records.feedCursor);
        after = this.#next(page);
        if (after !== null) continue;
        if (this.#roster >= this.#newestRoster) break;
        await wait(0, 0, signal);
      }
      after = null; // what follows an older page may be gone
    }
    this.#reading = null;
    this.place.isHalfRead = false;
    this.#failures = 0;
    if (this.#isFollowed) tell(() => this.events.onCurrent?.());
  }

  /** A page; null when it could not be read, after a while, and when it is given up. */
  async #page(after: string | null, signal: AbortSignal): Promise<TDay | null> {
    try {
      const page = this.#dayIn(await this.operations.read(this.documents.board, this.#variables(after), signal));
      if (!page) throw new Error(`The server has no day ${this.date}.`);
      return page;
    } catch (error) {
      if (!signal.aborted) await this.#passes(error, after !== null);
      return null;
    }
  }

  #variables(after: string | null): Variables {
    return { date: this.date, ...(after !== null && { after }) };
  }

  #dayIn(answer: unknown): TDay | null {
    return (answer as { attendanceDay?: TDay | null } | null)?.attendanceDay ?? null;
  }

  /** After what the next page comes, if there is one. */
  #next({ records: { pageInfo } }: TDay): string | null {
    const hasNext = pageInfo?.hasNextPage && this.operations.hasPages(this.documents.board);
    return hasNext ? (pageInfo.endCursor ?? null) : null;
  }

  #show(page: TDay, after: string | null): void {
    if (after !== null) return tell(() => this.events.onPage?.(page, after));
    this.#roster = page.records.rosterVersion;
    tell(() => this.events.onDay?.(page));
  }

  #subscribe(after: string): void {
    if (this.#over.signal.aborted) return;
    this.#remember(after);
    const { date, documents, operations } = this;
    let current = true; // of the two, the first that ends decides
    const end: End = (error) => {
      if (!current) return;
      current = false;
      this.#unsubscribe();
      void this.#ended(error);
    };
    const begin = <TData>(document: TDocument, variables: Variables, next: (data: TData) => void): void => {
      const stop = operations.subscribe(document, variables, (data) => current && next(data as TData), end);
      if (current) this.#stops.push(stop);
      else stop(); // it has ended while it began
    };
    this.#stops = [() => (current = false)];
    begin<{ attendanceUpdated: TChange }>(documents.changes, { date, after }, ({ attendanceUpdated: change }) => {
      this.#failures = 0;
      this.#remember(change.feedCursor);
      tell(() => this.events.onChange?.(change));
    });
    if (!current) return;
    begin<{ attendanceDayUpdated: DayState }>(documents.state, { date }, ({ attendanceDayUpdated: state }) => {
      this.#newestRoster = state.rosterVersion;
      tell(() => this.events.onState?.(state));
      if (this.#reading) return;
      this.#failures = 0;
      if (this.#roster < this.#newestRoster) void this.#read(); // people have come, gone or been renamed
      else tell(() => this.events.onCurrent?.());
    });
  }

  #remember(cursor: string): void {
    this.#cursor = cursor;
    this.place.cursor = cursor;
  }

  #unsubscribe(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  async #ended(error: unknown): Promise<void> {
    if (hasCode(error, "RESTART_REQUIRED")) {
      this.#restarts = performance.now() - this.#restartedAt < SOON ? this.#restarts + 1 : 0;
      if (this.#restarts > 0) {
        tell(() => this.events.onOutdated?.()); // nothing is followed meanwhile
        await wait(this.#restarts - 1, 0, this.#over.signal);
      }
      this.#restartedAt = performance.now();
      return this.#over.signal.aborted ? undefined : this.#restart();
    }
    if (await this.#passes(error)) this.#subscribe(this.#cursor);
  }

  /** Whether to go on after an error, and then only after a while; otherwise it is told. */
  async #passes(error: unknown, always = false): Promise<boolean> {
    const over = this.#over.signal;
    if (over.aborted) return false;
    const isRefused = errorsIn(error).length > 0 && !hasCode(error, ...PASSING);
    if ((isRefused && !always) || error instanceof SessionEnded) {
      this.stop();
      tell(() => {
        if (!this.events.onError) throw error;
        this.events.onError(error as Error);
      });
      return false;
    }
    const why = error instanceof Error ? error : new Error("The subscription has ended.");
    tell(() => this.events.onWaiting?.(why, Math.ceil(retryAfter(error))));
    await wait(this.#failures, retryAfter(error), over);
    this.#failures += 1;
    return !over.aborted;
  }
}

/** An answer that is no longer wanted when the signal says so; `ask` answers how to end what it has begun. */
export async function answerOf<T>(
  signal: AbortSignal,
  ask: (resolve: (answer: T) => void, reject: (error: unknown) => void) => () => void,
): Promise<T> {
  let stop = (): void => {};
  try {
    return await new Promise<T>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      stop = ask(resolve, reject);
    });
  } finally {
    stop();
  }
}
