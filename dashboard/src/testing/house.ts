import { buildSchema, GraphQLError } from "graphql";
import { readFileSync } from "node:fs";

import { isOnSite, STATUSES, type Status } from "../live/statuses";

/** What a mark can change. */
interface Values {
  status: Status;
  note: string | null;
  arrivedAt: string | null;
  leftAt: string | null;
}

interface Person {
  id: string;
  name: string;
  category: string;
}

interface Row extends Values {
  staffId: string;
  version: number;
  updatedAt: string | null;
  updatedBy: string | null;
  position: number;
  sequence: string;
}

interface DayLog {
  rows: Map<string, Row>;
  log: Row[];
  state: "OPEN" | "LOCKED";
}

interface UpdateInput extends Partial<Values> {
  target: { id: string };
  expectedVersion?: number | null;
}

interface BulkInput {
  date: string;
  change: {
    fill?: { status: Status; onlyUnmarked: boolean; scope: { categories: string[] | null } | null };
    entries?: { staffId: string; status: Status; expectedVersion: number | null }[];
  };
  errorPolicy: "REJECT_ALL" | "SKIP_FAILED";
}

const VALUES = ["status", "note", "arrivedAt", "leftAt"] as const satisfies (keyof Values)[];

export const TODAY = "2026-11-23";

/** An error of the whole operation, with the code that programs read. */
export function refusal(code: string, message: string, extensions: Record<string, unknown> = {}): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...extensions } });
}

/**
 * What the server knows and answers, in memory: the real schema, and as much of the rules as a board can notice. A
 * test that runs against it runs the dashboard's own documents, executed by graphql-js.
 */
export class House {
  readonly schema = buildSchema(readFileSync(new URL("../../../schema.graphql", import.meta.url), "utf8"));
  readonly people: Person[];
  /** Part of each cursor; another one ends every subscription that resumes. */
  epoch = 1;
  rosterVersion = 1;
  /** The most records in a page, below the 1,000 that the board asks for. */
  pageSize = 1_000;
  /** Who marks, until somebody else does. */
  viewer = "Grace";
  /** How often something has changed in this epoch. */
  #changes = 0;
  #days = new Map<string, DayLog>();
  readonly #bells = new Set<() => void>();

  constructor(...names: string[]) {
    this.people = names.map((name) => ({ id: `S-${name}`, name, category: "Teaching" }));
  }

  /** How many subscriptions wait for a change. */
  get listeners(): number {
    return this.#bells.size;
  }

  /** Another person marks somebody, who is found by name. */
  mark(name: string, status: Status, { by = "Linus", date = TODAY } = {}): void {
    const row = this.#row(date, `S-${name}`);
    this.#change(date, row, { status }, by);
  }

  /** What is stored of a record: its status and its version. */
  stored(name: string, date = TODAY): string {
    const { status, version } = this.#row(date, `S-${name}`);
    return `${status} v${version}`;
  }

  lock(date = TODAY): void {
    this.#day(date).state = "LOCKED";
    this.#changes++;
    this.#ring();
  }

  rename(name: string, to: string): void {
    for (const person of this.people) if (person.name === name) person.name = to;
    this.rosterVersion++;
    this.#changes++;
    this.#ring();
  }

  leave(name: string): void {
    this.people.splice(this.people.findIndex((person) => person.name === name), 1);
    this.rosterVersion++;
    this.#changes++;
    this.#ring();
  }

  /** A backup is restored: everything since is gone, and versions start over. */
  restore(): void {
    this.epoch++;
    this.#changes = 0;
    this.#days = new Map();
  }

  /** The fields of Query, Mutation and Subscription, as graphql-js calls them. */
  readonly root = {
    viewer: () => ({ id: "V", today: TODAY }),
    attendanceDay: ({ date }: { date: string }) => this.#asDay(date),
    updateAttendance: ({ input }: { input: UpdateInput }) => this.#update(input),
    bulkUpdateAttendance: ({ input }: { input: BulkInput }) => this.#bulk(input),
    attendanceUpdated: ({ date, after }: { date: string; after: string | null }) => {
      let position = after === null ? this.#day(date).log.length : this.#positionOf(after, date);
      return this.#follow(() => {
        const change = this.#day(date).log[position];
        if (change === undefined) return undefined;
        position++;
        return { attendanceUpdated: this.#asRecord(date, change, change.sequence) };
      });
    },
    attendanceDayUpdated: ({ date }: { date: string }) => {
      let told = "";
      return this.#follow(() => {
        const { state, log } = this.#day(date);
        const now = `${state} ${log.length} ${this.rosterVersion}`;
        if (now === told) return undefined;
        told = now;
        return { attendanceDayUpdated: this.#asDay(date) };
      });
    },
  };

  #day(date: string): DayLog {
    const day = this.#days.get(date) ?? { rows: new Map(), log: [], state: "OPEN" };
    this.#days.set(date, day);
    return day;
  }

  #row(date: string, staffId: string): Row {
    const unmarked = { staffId, status: "UNMARKED", note: null, arrivedAt: null, leftAt: null, version: 0 } as const;
    const never = { updatedAt: null, updatedBy: null, position: 0, sequence: this.#sequence };
    return this.#day(date).rows.get(staffId) ?? { ...unmarked, ...never };
  }

  #change(date: string, row: Row, given: Partial<Values>, by: string): Row {
    const { rows, log } = this.#day(date);
    const position = log.length + 1;
    const updatedAt = new Date(Date.UTC(2026, 10, 23, 8, 0, position)).toISOString();
    this.#changes++;
    const told = { version: row.version + 1, updatedAt, updatedBy: by, position, sequence: this.#sequence };
    const came = { arrivedAt: isOnSite(row.status) ? row.arrivedAt : updatedAt, leftAt: row.leftAt };
    const times = isOnSite(given.status ?? row.status) ? came : { arrivedAt: null, leftAt: null };
    const changed = { ...row, ...times, ...given, ...told };
    rows.set(row.staffId, changed);
    log.push(changed);
    this.#ring();
    return changed;
  }

  #update(input: UpdateInput) {
    const [date = "", staffId = ""] = input.target.id.split("/");
    const row = this.#row(date, staffId);
    const given = VALUES.filter((name) => name in input).map((name) => [name, input[name]] as const);
    if (given.every(([name, value]) => row[name] === value)) return { attendance: this.#asRecord(date, row), errors: [] };
    if (this.#day(date).state === "LOCKED") return { attendance: null, errors: [locked()] };
    if (input.expectedVersion != null && input.expectedVersion !== row.version) {
      return { attendance: null, errors: [this.#conflict(date, row)] };
    }
    return { attendance: this.#asRecord(date, this.#change(date, row, Object.fromEntries(given), this.viewer)), errors: [] };
  }

  #bulk({ date, change: { fill, entries }, errorPolicy }: BulkInput) {
    if (this.#day(date).state === "LOCKED") return { day: null, attendances: [], errors: [locked()] };
    const filled = this.people
      .filter(({ category }) => fill?.scope?.categories?.includes(category) ?? true)
      .map(({ id }) => ({ staffId: id, status: fill?.status ?? "UNMARKED", expectedVersion: null }))
      .filter(({ staffId }) => this.#row(date, staffId).status === "UNMARKED");
    const wanted = (entries ?? filled).map((entry) => ({ ...entry, row: this.#row(date, entry.staffId) }));
    const isRefused = ({ expectedVersion, row }: (typeof wanted)[number]) =>
      expectedVersion !== null && expectedVersion !== row.version;
    const errors = wanted.filter(isRefused).map(({ row }) => this.#conflict(date, row));
    if (errors.length > 0 && errorPolicy === "REJECT_ALL") return { day: null, attendances: [], errors };
    const attendances = wanted
      .filter((entry) => !isRefused(entry))
      .map(({ row, status }) => this.#change(date, row, { status, ...(fill && { arrivedAt: null }) }, this.viewer))
      .map((row) => this.#asRecord(date, row));
    return { day: this.#asDay(date), attendances, errors };
  }

  #conflict(date: string, row: Row) {
    const told = { code: "VERSION_CONFLICT", message: "Somebody else changed the record first.", path: ["input"] };
    return { __typename: "VersionConflictError", ...told, current: this.#asRecord(date, row) };
  }

  /** Orders what is answered now after what was answered before. */
  get #sequence(): string {
    return String(this.epoch * 1_000_000 + this.#changes).padStart(12, "0");
  }

  /** A record as it is now, or as it was after a change that an event tells of. */
  #asRecord(date: string, row: Row, sequence = this.#sequence) {
    const person = this.people.find(({ id }) => id === row.staffId);
    return {
      __typename: "Attendance",
      ...row,
      isOnSite: isThere(row),
      sequence,
      id: `${date}/${row.staffId}`,
      date,
      staffName: person?.name ?? "Unknown",
      staffCategory: person?.category ?? "Staff",
      feedCursor: this.#cursor(date, row.position),
    };
  }

  #asDay(date: string) {
    const rows = this.people.map(({ id }) => this.#row(date, id));
    const statuses = rows.map(({ status }) => status);
    const counts = STATUSES.map(({ status, count }) => [count, statuses.filter((each) => each === status).length]);
    return {
      __typename: "AttendanceDay",
      id: `D-${date}`,
      date,
      state: this.#day(date).state,
      label: null,
      isWorkingDay: true,
      rosterVersion: this.rosterVersion,
      sequence: this.#sequence,
      summary: {
        id: `U-${date}`,
        sequence: this.#sequence,
        total: rows.length,
        onSite: rows.filter(isThere).length,
        presentRate: null,
        ...(Object.fromEntries(counts) as object),
      },
      records: ({ after }: { after: string | null }) => this.#page(date, after),
    };
  }

  #page(date: string, after: string | null) {
    const [feedCursor, start] = after?.split("#") ?? [this.#cursor(date, this.#day(date).log.length), "0"];
    const end = Number(start) + this.pageSize;
    const people = this.people.slice(Number(start), end);
    return {
      feedCursor,
      rosterVersion: this.rosterVersion,
      totalCount: this.people.length,
      pageInfo: { hasNextPage: end < this.people.length, endCursor: `${feedCursor}#${end}` },
      edges: people.map(({ id }) => ({ node: this.#asRecord(date, this.#row(date, id)) })),
    };
  }

  #cursor(date: string, position: number): string {
    return `${this.epoch}:${date}:${position}`;
  }

  #positionOf(cursor: string, date: string): number {
    const [epoch, day, position] = cursor.split(":");
    if (Number(epoch) === this.epoch && day === date && Number(position) <= this.#day(date).log.length) {
      return Number(position);
    }
    throw refusal("RESTART_REQUIRED", "The cursor cannot be resumed from. Start again.");
  }

  #ring(): void {
    for (const bell of [...this.#bells]) bell();
  }

  /** The values of `next`, asked again at each change while it has none. */
  #follow<T>(next: () => T | undefined): AsyncIterableIterator<T> {
    const bells = this.#bells;
    let over = false;
    let wake: () => void = () => undefined;
    const bell = () => wake();
    bells.add(bell);
    const end = (): Promise<IteratorResult<T>> => {
      over = true;
      bells.delete(bell);
      wake();
      return Promise.resolve({ done: true, value: undefined });
    };
    return {
      async next() {
        for (;;) {
          const value = over ? undefined : next();
          if (value !== undefined) return { done: false, value };
          if (over) return { done: true, value: undefined };
          await new Promise<void>((resolve) => (wake = resolve));
        }
      },
      return: end,
      throw: end,
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}

function isThere({ status, leftAt }: Values): boolean {
  return isOnSite(status) && leftAt === null;
}

function locked() {
  return { __typename: "InputError", code: "DAY_LOCKED", message: "The day is locked.", path: ["input"] };
}
