import { expect, test } from "vitest";

import { InvalidRoster, readRoster } from "./roster";

test("a roster is read with any separator, any spelling of its headers, and quoted cells", () => {
  expect(readRoster("name,category,external_ref\nAda Lovelace,Teaching,17\n").rows).toEqual([
    { name: "Ada Lovelace", category: "Teaching", externalRef: "17" },
  ]);
  expect(readRoster('\uFEFFName;Starts on;Photo URL\r\n"Eze; ""Ada""";2026-11-01;\r\n').rows).toEqual([
    { name: 'Eze; "Ada"', startsOn: "2026-11-01" },
  ]);
  expect(readRoster("NAME\tENDS-ON\tshoe size\nAda\t2026-12-31\t39").rows).toEqual([
    { name: "Ada", endsOn: "2026-12-31" },
  ]);
});

test("each row knows its line, past empty lines and line breaks in cells", () => {
  const roster = readRoster('name,category\n\nAda,"Tea\nching"\n,\nBo,\n');
  expect(roster.rows.map(({ name }) => name)).toEqual(["Ada", "Bo"]);
  expect(roster.lines).toEqual([3, 6]);
});

test("an invalid roster is refused with what to correct", () => {
  expect(() => readRoster("first,last\nAda,Lovelace")).toThrow(InvalidRoster);
  expect(() => readRoster("")).toThrow(/must name the columns/);
  expect(() => readRoster("name,Name\nAda,Ada")).toThrow(/twice/);
  expect(() => readRoster('name\n"Ada')).toThrow(/line 2/);
  expect(() => readRoster("name,ends_on\nAda,2026-02-30")).toThrow(/Line 2: “2026-02-30” is not a valid date/);
});
