/** What graphql-eslint says of schema.graphql: all of its rules for schemas and for Relay, but for what is said here. */
import graphql from "@graphql-eslint/eslint-plugin";

const { "flat/schema-all": all, "flat/schema-relay": relay } = graphql.configs;

const ours = {
  "relay-arguments": ["error", { includeBoth: false }], // lists are read forward
  "relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }], // a report's days are no connection
  "strict-id-in-types": [
    "error",
    {
      exceptions: {
        suffixes: ["Connection", "Edge", "Error", "Payload"],
        types: [
          "AttendanceReport",
          "AttendanceReportCategory",
          "AttendanceReportDay",
          "AuditDetail",
          "PageInfo",
          "ReasonCount",
          "StaffImportChange",
        ],
      },
    },
  ],
  "require-description": ["error", { ...all.rules["@graphql-eslint/require-description"][1], DirectiveDefinition: false }],
  alphabetize: "off", // all is in the order of its names, but the rule wants ids first
  "no-root-type": "off",
  "require-deprecation-date": "off", // a field goes with a version
  "require-field-of-type-query-in-mutation-result": "off", // a payload has what has changed
};

export default [
  {
    files: ["schema.graphql"],
    plugins: { "@graphql-eslint": graphql },
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: "schema.graphql" } } },
    rules: {
      ...all.rules,
      ...relay.rules,
      ...Object.fromEntries(Object.entries(ours).map(([name, rule]) => [`@graphql-eslint/${name}`, rule])),
    },
  },
];
