import { BoardDocument, ChangesDocument, StateDocument } from "./documents.ts";

/** What a client that takes documents of graphql-js follows, unless it is given documents of its own. */
export const standard = { board: BoardDocument, changes: ChangesDocument, state: StateDocument };
