/** Writes src/schema.ts, and src/documents.graphql as src/documents.ts and src/relay/day.ts:   npm run generate */
import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema.graphql",
  config: {
    enumType: "string-literal",
    useTypeImports: true,
    strictScalars: true,
    scalars: { Date: "string", DateTime: "string", URL: "string" },
  },
  generates: {
    "./src/schema.ts": { plugins: ["typescript", "./codegen-caches.js"], config: { enumsAsTypes: true } },
    "./src/documents.ts": {
      documents: "src/documents.graphql",
      plugins: ["typescript-operations", "typed-document-node"],
      config: { documentNodeImport: "./typed.ts#TypedDocument" },
    },
    "./src/relay/day.ts": { documents: "src/documents.graphql", plugins: ["./codegen-relay.js"] },
  },
};

export default config;
