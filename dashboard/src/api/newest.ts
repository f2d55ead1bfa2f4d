import { type Exchange } from "@urql/core";
import { map, pipe } from "wonka";

interface Versioned {
  __typename: "Attendance";
  id: string;
  version: number;
}

/** The fields that a change sets. Names and categories may be newer in a result with an older version. */
const CHANGING = ["status", "note", "photoUrl", "updatedAt", "updatedBy", "version", "feedCursor"] as const;

/**
 * The newest version seen of each record, so that no record goes back to an older one.
 *
 * Results (HTTP) and events (WebSocket) can overtake each other: the result of a mutation can arrive before an older
 * event, and the result of a query after a newer event.
 */
export class Newest {
  readonly #seen = new Map<string, Versioned>();

  /** Forget everything: after RESTART_REQUIRED, versions may start over (a restored backup). */
  forget(): void {
    this.#seen.clear();
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
    (operations) =>
      pipe(
        forward(operations),
        map((result) => (result.data ? { ...result, data: newest.keep<unknown>(result.data) } : result)),
      );
}

function isRecord(value: object): value is Versioned {
  const { __typename, id, version } = value as Partial<Versioned>;
  return __typename === "Attendance" && id !== undefined && version !== undefined;
}
