import type { DocumentNode } from "graphql";
import { BoardDocument, ChangesDocument, StateDocument } from "./documents.ts";

/** What a client that takes documents of graphql-js follows, unless it is given documents of its own. */
export const standard = { board: BoardDocument, changes: ChangesDocument, state: StateDocument };

/** Whether a document asks for a day page by page. */
export function hasPages({ definitions }: DocumentNode): boolean {
  const variables = definitions.flatMap((each) => ("variableDefinitions" in each ? (each.variableDefinitions ?? []) : []));
  return variables.some(({ variable }) => variable.name.value === "after");
}
