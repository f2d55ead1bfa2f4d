import { expect, test } from "vitest";

import type { Attendance } from "../live/day";
import { filterOf, inScope, toggled, withStatus } from "./filter";

function person(staffName: string, staffCategory: string, status: Attendance["status"]): Attendance {
  return { staffName, staffCategory, status } as Attendance;
}

const PEOPLE = [
  person("Hélène Léger", "Teaching", "LATE"),
  person("Ifeoma Sowande", "Kitchen", "UNMARKED"),
  person("Jérôme Fabre", "Kitchen", "LATE"),
];

function shown(address: string): string[] {
  const filter = filterOf(new URLSearchParams(address));
  return withStatus(inScope(PEOPLE, filter), filter.statuses).map(({ staffName }) => staffName);
}

test("words are found without accents, in any order, in names and categories", () => {
  expect(shown("q=leger+hel")).toEqual(["Hélène Léger"]);
  expect(shown("q=KITCH+je")).toEqual(["Jérôme Fabre"]);
  expect(shown("q=nobody")).toEqual([]);
});

test("category and statuses narrow the board, and unknown ones in an address do nothing", () => {
  expect(shown("category=Kitchen&status=LATE")).toEqual(["Jérôme Fabre"]);
  expect(shown("status=LATE,UNMARKED")).toHaveLength(3);
  expect(shown("status=ASLEEP")).toHaveLength(3);
});

test("a status is switched on and off again in the address", () => {
  expect(toggled(new Set(), "ABSENT")).toBe("ABSENT");
  expect(toggled(new Set(["ABSENT"]), "LATE")).toBe("LATE,ABSENT");
  expect(toggled(new Set(["ABSENT"]), "ABSENT")).toBe("");
});
