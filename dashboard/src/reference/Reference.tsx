/** The page: every operation and type of the schema, all of it open, so that the browser's own search finds it. */
import {
  astFromValue,
  type GraphQLArgument,
  type GraphQLNamedType,
  type GraphQLSchema,
  type GraphQLType,
  isEnumType,
  isInputObjectType,
  isInputType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  isSpecifiedScalarType,
  print,
  specifiedScalarTypes,
} from "graphql";

import { Logo } from "../ui/Logo";
import { marks, mayGrow, names, Text } from "./text";

const LEGEND = {
  ADMIN: "for administrators alone",
  MARKER: "for whoever may mark, and for administrators",
  "by role": "null for some roles",
  live: "a subscription brings its changes",
  "not live": "ask again; its text says when",
  "may grow": "later versions may add values",
  deprecated: "its text says what to use instead",
};

interface Section {
  title: string;
  types: GraphQLNamedType[];
}

export function Reference({ schema }: { schema: GraphQLSchema }) {
  const to = names(schema);
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].filter((root) => !!root);
  const sections = [
    ...roots.map((root) => ({ title: { Query: "Queries" }[root.name] ?? `${root.name}s`, types: [root] })),
    ...sectionsOf(schema, roots),
  ];
  return (
    <>
      <a href="#content" className="skip">
        Skip to the content
      </a>
      <header className="bar">
        <a href="/" className="brand">
          <Logo />
          memberstaff
        </a>
        <nav aria-label="Site">
          <a href="/graphiql">Playground</a>
          <a href="/schema.graphql">schema.graphql</a>
        </nav>
      </header>
      <div className="columns">
        <Contents sections={sections} />
        <main id="content">
          <h1>The schema</h1>
          <Text text={schema.description ?? ""} of="" to={to} />
          <dl className="legend" aria-label="What the marks mean">
            {Object.entries(LEGEND).map(([mark, meaning]) => (
              <div key={mark}>
                <dt>
                  <Mark name={mark} />
                </dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
          {sections.map(({ title, types }) => (
            <section key={title}>
              <h2 id={title}>{title}</h2>
              {types.map((type) =>
                roots.some((root) => root === type) ? (
                  <Members key={type.name} type={type} to={to} level={3} />
                ) : (
                  <Type key={type.name} type={type} to={to} />
                ),
              )}
            </section>
          ))}
        </main>
      </div>
    </>
  );
}

/** The types but the roots, by what they are for: pages and payloads are many, and all alike. */
function sectionsOf(schema: GraphQLSchema, roots: GraphQLNamedType[]): Section[] {
  const types = Object.values(schema.getTypeMap())
    .filter((type) => !type.name.startsWith("__") && !isSpecifiedScalarType(type) && !roots.includes(type))
    .sort((one, other) => one.name.localeCompare(other.name));
  return (["object", "interface", "input", "enum", "scalar", "payload", "page"] as const)
    .map((kind) => ({ title: TITLES[kind], types: types.filter((type) => kindOf(type) === kind) }))
    .filter((section) => section.types.length > 0);
}

const TITLES = {
  object: "Objects",
  interface: "Interfaces",
  input: "Inputs",
  enum: "Enums",
  scalar: "Scalars",
  payload: "Payloads",
  page: "Pages",
};

function kindOf(type: GraphQLNamedType): keyof typeof TITLES {
  if (isEnumType(type)) return "enum";
  if (isInputObjectType(type)) return "input";
  if (isInterfaceType(type)) return "interface";
  if (isScalarType(type)) return "scalar";
  if (type.name.endsWith("Payload")) return "payload";
  return /(Connection|Edge|PageInfo)$/.test(type.name) ? "page" : "object";
}

function Contents({ sections }: { sections: Section[] }) {
  return (
    <nav className="contents" aria-label="Contents">
      <details>
        <summary>Contents</summary>
        <Entries sections={sections} />
      </details>
      <div>
        <Entries sections={sections} />
      </div>
    </nav>
  );
}

function Entries({ sections }: { sections: Section[] }) {
  return sections.map(({ title, types: [first, ...more] }) => {
    const fields = first && isRoot(title) ? Object.keys(membersOf(first)) : null;
    const entries = fields ?? [first, ...more].map((type) => type?.name ?? "");
    return (
      <section key={title}>
        <a href={`#${title}`} className="title">
          {title}
        </a>
        <ul>
          {entries.map((name) => (
            <li key={name}>
              <a href={fields ? `#${first?.name ?? ""}.${name}` : `#${name}`}>{name}</a>
            </li>
          ))}
        </ul>
      </section>
    );
  });
}

const isRoot = (title: string) => ["Queries", "Mutations", "Subscriptions"].includes(title);

interface About {
  type: GraphQLNamedType;
  to: ReadonlyMap<string, string>;
}

function Type({ type, to }: About) {
  const interfaces = isObjectType(type) ? type.getInterfaces() : [];
  const grows = mayGrow(type) ? ["may grow"] : [];
  return (
    <article className="type">
      <h3 id={type.name}>
        <a href={`#${type.name}`}>{type.name}</a>
        {[...marks(type.description ?? ""), ...grows].map((mark) => (
          <Mark key={mark} name={mark} />
        ))}
        <span className="what">{kindOf(type)}</span>
      </h3>
      <Text text={type.description ?? ""} of={type.name} to={to} />
      {isScalarType(type) && type.specifiedByURL && (
        <p>
          Specified by <a href={type.specifiedByURL}>{type.specifiedByURL}</a>.
        </p>
      )}
      {isInputObjectType(type) && type.isOneOf && <p className="kind">Exactly one of these fields must be given:</p>}
      {interfaces.length > 0 && (
        <p className="kind">
          Implements{" "}
          {interfaces.map((each, index) => (
            <span key={each.name}>
              {index > 0 && ", "}
              <TypeName of={each.name} />
            </span>
          ))}
        </p>
      )}
      <Members type={type} to={to} level={4} />
    </article>
  );
}

/** A field, of an input too. */
interface Member {
  name: string;
  type: GraphQLType;
  description: string | null | undefined;
  deprecationReason: string | null | undefined;
  defaultValue?: unknown;
  args?: readonly GraphQLArgument[];
}

function membersOf(type: GraphQLNamedType): Record<string, Member> {
  return isObjectType(type) || isInterfaceType(type) || isInputObjectType(type) ? type.getFields() : {};
}

/** The fields of a type, or the values of an enum. */
function Members({ type, to, level }: About & { level: 3 | 4 }) {
  const Heading = `h${level}` as const;
  if (isEnumType(type)) {
    return (
      <ul className="members">
        {type.getValues().map((value) => (
          <li key={value.name} id={`${type.name}.${value.name}`}>
            <Heading>{value.name}</Heading>
            <div>
              <Text text={value.description ?? ""} of={type.name} to={to} />
            </div>
          </li>
        ))}
      </ul>
    );
  }
  const members = Object.values(membersOf(type));
  if (members.length === 0) return null;
  return (
    <ul className="members">
      {members.map((member) => {
        const own = `${type.name}.${member.name}`;
        const given = marks(member.description ?? "");
        const isOld = member.deprecationReason != null;
        return (
          <li key={member.name} id={own}>
            <Heading>
              <a href={`#${own}`}>{isOld ? <s>{member.name}</s> : member.name}</a>
              <span className="of">
                <TypeName of={String(member.type)} />
                <Default of={member} />
              </span>
              {(isOld ? [...given, "deprecated"] : given).map((mark) => (
                <Mark key={mark} name={mark} />
              ))}
            </Heading>
            <div>
              <Text text={member.description ?? ""} of={own} to={to} />
              {isOld && <Text text={`Deprecated: ${member.deprecationReason ?? ""}`} of={own} to={to} />}
              {!!member.args?.length && <Arguments of={own} all={member.args} to={to} />}
            </div>
          </li>
        );
      })}
    </ul>
  );
}

function Arguments({ of, all, to }: { of: string; all: readonly GraphQLArgument[]; to: ReadonlyMap<string, string> }) {
  return (
    <dl className="arguments">
      {all.map((argument) => (
        <div key={argument.name}>
          <dt>
            {argument.name}
            <span className="of">
              <TypeName of={String(argument.type)} />
              <Default of={argument} />
            </span>
          </dt>
          <dd>
            <Text text={argument.description ?? ""} of={of} to={to} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** A type as it is written, such as `[Staff!]!`; a name that is ours leads to it. */
function TypeName({ of }: { of: string }) {
  const [, before, name = "", after] = /^(\[*)(\w+)(\W*)$/.exec(of) ?? [];
  return (
    <>
      {before}
      {specifiedScalarTypes.some((scalar) => scalar.name === name) ? name : <a href={`#${name}`}>{name}</a>}
      {after}
    </>
  );
}

/** The value of what is left out, unless that is null. */
function Default({ of: { type, defaultValue } }: { of: Pick<Member, "type" | "defaultValue"> }) {
  if (defaultValue == null || !isInputType(type)) return null;
  const value = astFromValue(defaultValue, type);
  return value && <> = {print(value)}</>;
}

function Mark({ name }: { name: string }) {
  return (
    <span className="mark" data-mark={name}>
      {name}
    </span>
  );
}
