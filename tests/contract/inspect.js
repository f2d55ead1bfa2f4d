/** Where GraphQL Inspector sees what breaks clients, between two schemas, one line each: node inspect.js OLD NEW */
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { buildSchema } from "graphql";
import { readFileSync } from "node:fs";

const [before, after] = process.argv.slice(2).map((file) => buildSchema(readFileSync(file, "utf8")));
for (const { criticality, path } of await diff(before, after)) {
  if (criticality.level === CriticalityLevel.Breaking) console.log(path);
}
