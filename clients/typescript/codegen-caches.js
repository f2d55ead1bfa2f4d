/** A plugin for GraphQL Code Generator: what normalising caches must know of a schema. */
import { isAbstractType, isObjectType } from "graphql";

export function plugin(schema) {
  const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith("__"));
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const possible = types.filter(isAbstractType).map((type) => [type.name, namesOf(schema.getPossibleTypes(type))]);
  const embedded = types.filter((type) => isObjectType(type) && !roots.includes(type) && !("id" in type.getFields()));
  return [
    "/** The object types of each interface, for Apollo Client's `InMemoryCache` and for Graphcache. */",
    `export const possibleTypes: Record<string, string[]> = ${JSON.stringify(Object.fromEntries(possible), null, 2)};`,
    "",
    "/** Object types without an id, which Graphcache keeps inside their parents. */",
    `export const embeddedTypes: readonly string[] = ${JSON.stringify(namesOf(embedded), null, 2)};`,
  ].join("\n");
}

function namesOf(types) {
  return types.map(({ name }) => name).sort();
}
