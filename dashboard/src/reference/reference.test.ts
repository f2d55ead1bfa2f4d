import { buildSchema, isEnumType, isInputObjectType, isInterfaceType, isObjectType, isSpecifiedScalarType } from "graphql";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { render } from "./render";

const SDL = readFileSync(new URL("../../../schema.graphql", import.meta.url), "utf8");

/** What matches the first group. */
const all = (page: string, pattern: RegExp) => [...page.matchAll(pattern)].map(([, found = ""]) => found);

/** The text of the element with this id, without tags. */
function text(page: string, id: string): string {
  const [, , found = ""] = new RegExp(`<(li|h3) id="${id}">(.*?)</\\1>`, "s").exec(page) ?? [];
  return found.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ").trim();
}

test("every type, field and value of the schema is on the page once, and every link leads somewhere", () => {
  const page = render(SDL);
  const ids = all(page, / id="([^"]+)"/g);
  expect(ids).toHaveLength(new Set(ids).size);
  const roots = ["Query", "Mutation", "Subscription"];
  const expected = Object.values(buildSchema(SDL).getTypeMap())
    .filter((type) => !type.name.startsWith("__") && !isSpecifiedScalarType(type))
    .flatMap((type) => {
      const has = isObjectType(type) || isInterfaceType(type) || isInputObjectType(type);
      const members = has ? Object.keys(type.getFields()) : isEnumType(type) ? type.getValues().map(({ name }) => name) : [];
      return [...(roots.includes(type.name) ? [] : [type.name]), ...members.map((member) => `${type.name}.${member}`)];
    });
  expect(expected.filter((id) => !ids.includes(id))).toEqual([]);
  expect(all(page, / href="#([^"]+)"/g).filter((id) => !ids.includes(id))).toEqual([]);
  expect(page).not.toMatch(/<script|<style| style=/);
});

test("a field has its type, default, arguments, marks and description", () => {
  const page = render(`
    type Query {
      "All of them. Requires ADMIN."
      people(
        "How many."
        first: Int! = 20
        "Whose."
        of: ID = null
      ): [Person!]
      old: String @deprecated(reason: "Use allPeople, or \`people\`.")
      allPeople: String
    }
    "Not live: see <people>."
    type Person { "Null for a VIEWER." note: String }
    "Later versions may add values."
    enum Color { "Like blood." RED }
    input Target @oneOf { id: ID other: ID }
  `);
  expect(text(page, "Query.people")).toBe(
    "people [ Person !] ADMIN All of them. Requires ADMIN. first Int! = 20 How many. of ID Whose.",
  );
  expect(text(page, "Query.old")).toBe("old String deprecated Deprecated: Use allPeople , or people .");
  expect(all(page, /Deprecated: Use (.*?)<\/p>/g)).toEqual([
    '<a href="#Query.allPeople">allPeople</a>, or <a href="#Query.people"><code>people</code></a>.',
  ]);
  expect(text(page, "Person")).toBe("Person not live object");
  expect(text(page, "Person.note")).toBe("note String by role Null for a VIEWER.");
  expect(page).toContain("<p>Not live: see &lt;people&gt;.</p>");
  expect(text(page, "Color")).toBe("Color may grow enum");
  expect(text(page, "Color.RED")).toBe("RED Like blood.");
  expect(page).toContain("Exactly one of these fields must be given:");
});
