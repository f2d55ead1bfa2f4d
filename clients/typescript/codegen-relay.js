/** A plugin for GraphQL Code Generator: the documents as relay-compiler takes them, out of a module. */
import { print, visit } from "graphql";

export function plugin(_schema, documents) {
  const definitions = documents.flatMap(({ document }) => document.definitions);
  const fragments = new Map(definitions.map((definition) => [definition.name.value, definition]));
  const operations = definitions.filter(({ kind }) => kind === "OperationDefinition");
  return [
    "/** For relay-compiler, which compiles them into __generated__; never run. */",
    'import { graphql } from "relay-runtime";',
    ...operations.map((operation) => `\ngraphql\`\n${print(spread(operation, fragments))}\n\`;`),
  ].join("\n");
}

/** Without fragments, which Relay would mask from whoever hears of a change. */
function spread(operation, fragments) {
  const plain = ({ selections }) =>
    selections.flatMap((node) =>
      node.kind === "FragmentSpread" ? plain(fragments.get(node.name.value).selectionSet) : node,
    );
  return visit(operation, { SelectionSet: (node) => ({ ...node, selections: plain(node) }) });
}
