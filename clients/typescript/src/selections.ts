/** Which field of the schema each key of an answer is: a key may be an alias, and a field stand in a fragment. */
import { possibleTypes } from "./schema.ts";

/** A document as a client holds it: of graphql-js, or of what urql has in its place. */
export interface Document {
  readonly definitions: readonly Node[];
}

interface Node {
  readonly kind: string;
  readonly name?: { readonly value: string } | undefined;
  readonly alias?: { readonly value: string } | undefined;
  readonly arguments?: readonly unknown[] | undefined;
  readonly typeCondition?: { readonly name: { readonly value: string } } | undefined;
  readonly selectionSet?: { readonly selections: readonly Node[] } | undefined;
}

export interface Field {
  name: string;
  /** Tells its value from those of the object's other fields; null if it is a list, or depends on arguments. */
  value: string | null;
  selection: Selection;
}

/** What an operation selects of an object. */
export class Selection {
  readonly #nodes: readonly Node[];
  readonly #fragments: ReadonlyMap<string, Node>;
  readonly #fields = new Map<string, ReadonlyMap<string, Field>>();

  constructor(nodes: readonly Node[], fragments: ReadonlyMap<string, Node>) {
    this.#nodes = nodes;
    this.#fragments = fragments;
  }

  /** Of a document's operation. */
  static of({ definitions }: Document): Selection {
    const fragments = definitions.filter(({ kind }) => kind === "FragmentDefinition");
    const operations = definitions.filter(({ kind }) => kind === "OperationDefinition");
    return new Selection(operations, new Map(fragments.map((node) => [node.name!.value, node])));
  }

  /** By key, the fields of an object of this type; without a type, those that it may have. */
  fields(typename = ""): ReadonlyMap<string, Field> {
    let fields = this.#fields.get(typename);
    if (!fields) {
      const byKey = new Map<string, Node[]>();
      for (const node of this.#nodes) this.#collect(node, typename, byKey);
      fields = new Map([...byKey].map(([key, nodes]) => [key, this.#field(nodes)]));
      this.#fields.set(typename, fields);
    }
    return fields;
  }

  /** Whether it is of a list with pages. */
  get isList(): boolean {
    return [...this.fields().values()].some(({ name }) => name === "edges");
  }

  #collect({ selectionSet }: Node, typename: string, byKey: Map<string, Node[]>): void {
    for (const node of selectionSet?.selections ?? []) {
      if (node.kind === "Field") {
        const key = (node.alias ?? node.name!).value;
        byKey.set(key, [...(byKey.get(key) ?? []), node]);
        continue;
      }
      const fragment = node.kind === "FragmentSpread" ? this.#fragments.get(node.name!.value) : node;
      if (fragment && applies(fragment.typeCondition?.name.value, typename)) this.#collect(fragment, typename, byKey);
    }
  }

  #field(nodes: readonly Node[]): Field {
    const [{ name, arguments: given, selectionSet }] = nodes as [Node];
    const selection = new Selection(nodes, this.#fragments);
    const field = { name: name!.value, selection };
    if (given?.length) return { ...field, value: null };
    return { ...field, value: selectionSet ? selection.#reference(field.name) : field.name };
  }

  /** The value of a field that leads to an object with an id; null if that has a sequence of its own. */
  #reference(name: string): string | null {
    const fields = [...this.fields()].map(([key, { value }]) => ({ key, value }));
    const has = (wanted: string | null): boolean => fields.some(({ value }) => value === wanted);
    if (!has("id") || has("sequence") || has(null)) return null;
    return `${name} { ${fields.map(({ key, value }) => `${key}: ${value}`).join(" ")} }`;
  }
}

function applies(condition: string | undefined, typename: string): boolean {
  if (!condition || !typename || condition === typename) return true;
  return (possibleTypes as Record<string, readonly string[]>)[condition]?.includes(typename) ?? false;
}
