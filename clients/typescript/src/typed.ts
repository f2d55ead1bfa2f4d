import type { DocumentNode } from "graphql";

/** A document that says what it answers and takes: what GraphQL Code Generator makes, for Apollo Client and for urql. */
export interface TypedDocument<TResult, TVariables> extends DocumentNode {
  /** Of the types alone: there is no such property. */
  __apiType?: (variables: TVariables) => TResult;
}
