/** What stands before a cache: whatever order answers come in, the cache ends with the same, newest values. */
import { Newest, orderOf, type Order, type Own } from "./newest.ts";
import { Recent } from "./recent.ts";
import { Selection, type Document } from "./selections.ts";

/** How many lists are always remembered of each place in a document. */
const MOST_LISTS = 100;

interface Known {
  list: unknown;
  /** Of the object whose list it is, in the same answer. */
  sequence: string;
}

/** An operation takes part with what it selects `id` and `sequence` of. */
export class Answers {
  readonly #newest = new Newest();
  readonly #selections = new WeakMap<Document, Selection>();
  readonly #lists = new WeakMap<Selection, Recent<Known>>();

  /** An answer's data, with the newest value seen in the place of each older one. */
  keep<T>(document: Document, data: T, variables?: unknown): T {
    let selection = this.#selections.get(document);
    if (!selection) this.#selections.set(document, (selection = Selection.of(document)));
    return this.#kept(data, selection, String(JSON.stringify(variables))) as T;
  }

  #kept(data: unknown, selection: Selection, variables: string): unknown {
    if (Array.isArray(data)) return data.map((item) => this.#kept(item, selection, variables));
    if (typeof data !== "object" || data === null) return data;
    const object = { ...data } as Record<string, unknown>;
    const fields = [...selection.fields(object.__typename as string | undefined)].filter(([key]) => key in object);
    const own = fields.flatMap(([key, { value }]): Own[] => (value ? [[value, key]] : []));
    const order = orderOf(object, own);
    this.#newest.update(object, own);
    for (const [key, { selection: within }] of fields) {
      if (order && within.isList) object[key] = this.#list(object[key], within, order, variables);
      object[key] = this.#kept(object[key], within, variables);
    }
    return object;
  }

  /** An object's list, or that of a newer answer to the same question: who is in it has no sequence but the object's. */
  #list(list: unknown, selection: Selection, { id, sequence }: Order, variables: string): unknown {
    const lists = this.#lists.get(selection) ?? new Recent<Known>(MOST_LISTS);
    this.#lists.set(selection, lists);
    const key = `${id} ${variables}`;
    const known = lists.get(key);
    if (known && known.sequence > sequence) return known.list;
    lists.set(key, { list, sequence });
    return list;
  }
}
