import { type Exchange } from "@urql/core";
import { map, pipe, tap } from "wonka";

interface Versioned {
  __typename: "Attendance";
  id: string;
  version: number;
}

/** The fields that a change sets. Names and categories may be newer in a result with an older version. */
const CHANGING = ["status", "note", "photoUrl", "updatedAt", "updatedBy", "version", "feedCursor"] as const;

/** What an event tells of a day; not its rosterVersion, which says what people the answer holds. */
const DAY = ["state", "label", "isWorkingDay", "summary"] as const;

/**
 * The newest version seen of each record, so that no record goes back to an older one.
 *
 * Results (HTTP) and events (WebSocket) can overtake each other: the result of a mutation can arrive before an older
 * event, and the result of a query after a newer event.
 */
export class Newest {
  readonly #seen = new Map<string, Versioned>();
  /** The last event of each day, and when it came. */
  readonly #days = new Map<string, { day: Record<string, unknown>; at: number }>();
  #events = 0;

  /** Forget everything: after RESTART_REQUIRED, versions may start over (a restored backup). */
  forget(): void {
    this.#seen.clear();
    this.#days.clear();
  }

  /** A moment, counted in events. */
  get now(): number {
    return this.#events;
  }

  /** Remember a day's state from an event. */
  hear(data: unknown): void {
    const day = (data as { attendanceDayUpdated?: Record<string, unknown> }).attendanceDayUpdated;
    if (day) this.#days.set(String(day.id), { day, at: ++this.#events });
  }

  /**
   * The answer to a query that was sent at a moment. A day's state has no version: if an event came since, its state
   * stands, because a still newer one would be followed by an event of its own.
   */
  current(data: unknown, sent: number): unknown {
    const day = (data as { attendanceDay?: Record<string, unknown> | null }).attendanceDay;
    const heard = day && this.#days.get(String(day.id));
    if (!heard || heard.at <= sent) return data;
    const fields = DAY.filter((field) => field in day && field in heard.day);
    const state = Object.fromEntries(fields.map((field) => [field, heard.day[field]]));
    return { ...(data as object), attendanceDay: { ...day, ...state } };
  }

  /** The result, with each outdated record in it replaced by the newest version seen. */
  keep<T>(value: T): T {
    if (Array.isArray(value)) {
      const kept = value.map((item: unknown) => this.keep(item));
      return (kept.some((item, index) => item !== value[index]) ? kept : value) as T;
    }
    if (typeof value !== "object" || value === null) return value;
    if (isRecord(value)) return this.#newest(value);
    const changed: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value) as [string, unknown][]) {
      const kept = this.keep(item);
      if (kept !== item) changed[key] = kept;
    }
    return Object.keys(changed).length > 0 ? { ...value, ...changed } : value;
  }

  #newest<T extends Versioned>(record: T): T {
    const known = this.#seen.get(record.id);
    if (known === undefined || record.version >= known.version) {
      this.#seen.set(record.id, record);
      return record;
    }
    const fields = CHANGING.filter((field) => field in record && field in known);
    return { ...record, ...Object.fromEntries(fields.map((field) => [field, known[field as keyof Versioned]])) };
  }
}

/** Goes below the cache, so that nothing outdated reaches it. */
export function newestExchange(newest: Newest): Exchange {
  return ({ forward }) =>
    (operations) => {
      const sent = new Map<number, number>();
      return pipe(
        operations,
        tap(({ kind, key }) => {
          if (kind === "query") sent.set(key, newest.now);
          else if (kind === "teardown") sent.delete(key);
        }),
        forward,
        map((result) => {
          if (!result.data) return result;
          const { kind, key } = result.operation;
          const data = newest.keep<unknown>(result.data);
          if (kind === "subscription") newest.hear(data);
          return { ...result, data: kind === "query" ? newest.current(data, sent.get(key) ?? newest.now) : data };
        }),
      );
    };
}

function isRecord(value: object): value is Versioned {
  const { __typename, id, version } = value as Partial<Versioned>;
  return __typename === "Attendance" && id !== undefined && version !== undefined;
}
