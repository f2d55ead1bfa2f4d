/** What stands before a cache: whatever order answers come in, the cache ends with the same, newest values. */
import { Newest, type Own } from "./newest.ts";
import { Selection, type Document } from "./selections.ts";

/** An operation takes part with what it selects `id` and `sequence` of. */
export class Answers {
  readonly #newest = new Newest();
  readonly #selections = new WeakMap<Document, Selection>();

  /** An answer's data, with the newest value seen in the place of each older one. */
  keep<T>(document: Document, data: T): T {
    let selection = this.#selections.get(document);
    if (!selection) this.#selections.set(document, (selection = Selection.of(document)));
    return this.#kept(data, selection) as T;
  }

  #kept(data: unknown, selection: Selection): unknown {
    if (Array.isArray(data)) return data.map((item) => this.#kept(item, selection));
    if (typeof data !== "object" || data === null) return data;
    const object = { ...data } as Record<string, unknown>;
    const fields = [...selection.fields(object.__typename as string | undefined)].filter(([key]) => key in object);
    this.#newest.update(object, fields.flatMap(([key, { value }]): Own[] => (value ? [[value, key]] : [])));
    for (const [key, { selection: within }] of fields) object[key] = this.#kept(object[key], within);
    return object;
  }
}
