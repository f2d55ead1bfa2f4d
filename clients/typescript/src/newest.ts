/** Answers overtake each other: that to a mutation or a refetch may arrive after a newer event, or before an older one. */

import { Recent } from "./recent.ts";

/** How many objects are always remembered: twenty boards of a thousand people. */
const MOST = 20_000;

/** Says where the answer stands in the day's feed, and is not the object's: whoever resumed from a later one missed changes. */
const CURSOR = "feedCursor";

interface Known {
  value: unknown;
  /** Of the answer that had it. */
  sequence: string;
}

/** An object's own field, and the key under which its value stands. */
export type Own = readonly [field: string, key: string];

/** What tells an answer about an object from others. */
export interface Order {
  id: string;
  sequence: string;
}

/** The `id` and `sequence` of an object that was answered, if it has both. */
export function orderOf(object: Record<string, unknown>, fields: readonly Own[]): Order | null {
  const value = (name: string): unknown => object[fields.find(([field]) => field === name)?.[1] ?? ""];
  const [id, sequence] = [value("id"), value("sequence")];
  return typeof id === "string" && typeof sequence === "string" ? { id, sequence } : null;
}

/** The newest value seen of each field of the objects that have an `id`, which is unique across all types, and a `sequence`. */
export class Newest {
  readonly #objects = new Recent<Map<string, Known>>(MOST);

  /** Put into an object that was answered the newest value seen in the place of each older one. */
  update(object: Record<string, unknown>, fields: readonly Own[]): void {
    const order = orderOf(object, fields);
    if (!order) return;
    const { id, sequence } = order;
    const known = this.#objects.get(id) ?? new Map<string, Known>();
    for (const [field, key] of fields) {
      if (field === CURSOR) continue;
      const newest = known.get(field);
      if (newest && newest.sequence > sequence) object[key] = newest.value;
      else known.set(field, { value: object[key], sequence });
    }
    this.#objects.set(id, known);
  }
}
