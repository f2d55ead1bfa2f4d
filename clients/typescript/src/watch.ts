/** Following a day, whatever the client: read it, subscribe from there, and start again when told. */
import type { Change, Day, DayEvents, DayState } from "./day.ts";
import { errorsIn, hasCode, retryAfter } from "./errors.ts";
import { SessionEnded } from "./session.ts";
import { wait } from "./waiting.ts";

/** Errors after which a subscription goes on, where it was, as soon as the server can. */
const PASSING = ["UNAVAILABLE", "RATE_LIMITED", "INTERNAL"];

/** What a client does for it, with documents of its own kind. */
export interface Operations<TDocument> {
  /** The answer to a query as the cache has it; null if it has not all of it. */
  cached: (query: TDocument, variables: Variables) => unknown;
  /** The server's answer. Rejects when it has errors. */
  read: (query: TDocument, variables: Variables) => Promise<unknown>;
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

/** By client and date, the cursor of the last change that was told of: whoever comes back goes on there. */
const cursors = new WeakMap<object, Map<string, string>>();

/** Follow a day; answers how to stop. */
export function follow<TDocument, TDay extends Day, TChange extends Change>(
  client: object,
  date: string,
  events: DayEvents<TDay, TChange>,
  documents: DayDocuments<TDocument>,
  operations: Operations<TDocument>,
): () => void {
  const told = cursors.get(client) ?? new Map<string, string>();
  cursors.set(client, told);
  const follower = new Follower(date, events, documents, operations, told);
  queueMicrotask(() => void follower.start()); // whoever is told has been answered how to stop
  return () => follower.stop();
}

class Follower<TDocument, TDay extends Day, TChange extends Change> {
  #stops: (() => void)[] = [];
  #over = false;
  #failures = 0;
  /** Of the last change that was told of. */
  #cursor = "";
  /** Versions of the roster: that of the list which was read last, and the newest that was heard of. */
  #roster = 0;
  #newestRoster = 0;
  #reading = false;

  constructor(
    readonly date: string,
    readonly events: DayEvents<TDay, TChange>,
    readonly documents: DayDocuments<TDocument>,
    readonly operations: Operations<TDocument>,
    readonly cursors: Map<string, string>,
  ) {}

  async start(): Promise<void> {
    if (this.#over) return;
    const cached = this.#dayIn(this.operations.cached(this.documents.board, { date: this.date }));
    if (!cached) return this.#restart();
    this.#show(cached);
    this.#subscribe(this.cursors.get(this.date) ?? cached.records.feedCursor);
  }

  stop(): void {
    this.#over = true;
    this.#unsubscribe();
  }

  /** Read the day and follow it from there. */
  async #restart(): Promise<void> {
    this.#unsubscribe();
    this.#newestRoster = 0; // a restored backup may count anew
    const day = await this.#read();
    if (day) this.#subscribe(day.records.feedCursor);
  }

  /** The day, shown; null when this is over. */
  async #read(): Promise<TDay | null> {
    for (;;) {
      try {
        const day = this.#dayIn(await this.operations.read(this.documents.board, { date: this.date }));
        if (this.#over) return null;
        if (!day) throw new Error(`The server has no day ${this.date}.`);
        this.#show(day);
        return day;
      } catch (error) {
        if (!(await this.#passes(error))) return null;
      }
    }
  }

  #dayIn(answer: unknown): TDay | null {
    return (answer as { attendanceDay?: TDay | null } | null)?.attendanceDay ?? null;
  }

  #show(day: TDay): void {
    this.#failures = 0;
    this.#roster = day.records.rosterVersion;
    this.#tell(() => this.events.onDay?.(day));
  }

  /** What a front end throws is its own, uncaught; it breaks no connection. */
  #tell(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #subscribe(after: string): void {
    if (this.#over) return;
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
      this.#tell(() => this.events.onChange?.(change));
    });
    if (!current) return;
    begin<{ attendanceDayUpdated: DayState }>(documents.state, { date }, ({ attendanceDayUpdated: state }) => {
      this.#newestRoster = state.rosterVersion;
      this.#tell(() => this.events.onState?.(state));
      void this.#readPeople();
    });
  }

  #remember(cursor: string): void {
    this.#cursor = cursor;
    this.cursors.set(this.date, cursor);
  }

  #unsubscribe(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** People have come, gone or been renamed: read the day again, while its changes go on. */
  async #readPeople(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    while (this.#roster < this.#newestRoster && (await this.#read()));
    this.#reading = false;
  }

  async #ended(error: unknown): Promise<void> {
    if (hasCode(error, "RESTART_REQUIRED")) return this.#restart();
    if (await this.#passes(error)) this.#subscribe(this.#cursor);
  }

  /** Whether to go on after an error, and then only after a while; otherwise it is told. */
  async #passes(error: unknown): Promise<boolean> {
    if (this.#over) return false;
    const isRefused = errorsIn(error).length > 0 && !hasCode(error, ...PASSING);
    if (isRefused || error instanceof SessionEnded) {
      this.stop();
      this.#tell(() => {
        if (!this.events.onError) throw error;
        this.events.onError(error as Error);
      });
      return false;
    }
    const why = error instanceof Error ? error : new Error("The subscription has ended.");
    this.#tell(() => this.events.onWaiting?.(why, Math.ceil(retryAfter(error))));
    await wait(this.#failures, retryAfter(error));
    this.#failures += 1;
    return !this.#over;
  }
}
