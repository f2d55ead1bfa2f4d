import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  getNamedType,
  getNullableType,
  type GraphQLInputType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  parse,
  typeFromAST,
} from "graphql";

function operationOf(document: DocumentNode): OperationDefinitionNode {
  const operation = document.definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  return operation as OperationDefinitionNode;
}

/** What the operation of a document is. */
export function kindOf(document: DocumentNode): "query" | "mutation" | "subscription" {
  return operationOf(document).operation;
}

/** Variables that the schema accepts, no more than it requires. */
export function variablesFor(schema: GraphQLSchema, document: DocumentNode): Record<string, unknown> {
  const variables = operationOf(document).variableDefinitions ?? [];
  return Object.fromEntries(
    variables.map(({ variable, type }) => {
      const found = typeFromAST(schema, type as never) as GraphQLInputType | undefined;
      return [variable.name.value, found && isNonNullType(found) ? input(found) : null];
    }),
  );
}

/** An answer with something in every field and every list, of each type that may stand there. */
export function answerTo(schema: GraphQLSchema, document: DocumentNode | string): ExecutionResult {
  const parsed = typeof document === "string" ? parse(document) : document;
  let ids = 0;
  const value = (type: GraphQLOutputType, name: string): unknown => {
    const bare = getNullableType(type);
    const named = getNamedType(type);
    if (isListType(bare)) {
      const possible = isAbstractType(named) ? schema.getPossibleTypes(named) : [named];
      return possible.map(({ name: each }) => (isLeafType(named) ? leaf(named.name) : { __typename: each }));
    }
    if (isEnumType(named)) return named.getValues()[0]?.value as unknown;
    if (isLeafType(named)) return named.name === "ID" ? `${name}-${++ids}` : leaf(named.name);
    return { __typename: isAbstractType(named) ? schema.getPossibleTypes(named)[0]?.name : named.name };
  };
  const result = execute({
    schema,
    document: parsed,
    variableValues: variablesFor(schema, parsed),
    fieldResolver: (_source, _args, _context, { returnType, fieldName }) => value(returnType, fieldName),
  });
  return JSON.parse(JSON.stringify(result)) as ExecutionResult;
}

function input(type: GraphQLInputType): unknown {
  const bare = getNullableType(type);
  if (isListType(bare)) return [];
  if (isEnumType(bare)) return bare.getValues()[0]?.value as unknown;
  if (!isInputObjectType(bare)) return leaf(bare.name);
  const fields = Object.values(bare.getFields());
  const given = bare.isOneOf ? fields.slice(0, 1) : fields.filter(({ type: each }) => isNonNullType(each));
  return Object.fromEntries(given.map(({ name, type: each }) => [name, input(each)]));
}

function leaf(type: string): unknown {
  return { Int: 1, Float: 0.5, Boolean: false, Date: "2026-11-23", DateTime: "2026-11-23T08:00:00Z" }[type] ?? "text";
}
