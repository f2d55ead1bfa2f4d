import { expect, test } from "vitest";

import { allowed } from "./rights";

const TODAY = "2026-11-23";

test("a marker marks today, an administrator any day, and nobody a locked one", () => {
  expect(allowed("MARKER", { date: TODAY, state: "OPEN" }, TODAY)).toContain("PRESENT");
  expect(allowed("MARKER", { date: "2026-11-20", state: "OPEN" }, TODAY).size).toBe(0);
  expect(allowed("ADMIN", { date: "2026-11-20", state: "OPEN" }, TODAY)).toContain("LATE");
  expect(allowed("ADMIN", { date: TODAY, state: "LOCKED" }, TODAY).size).toBe(0);
  expect(allowed("VIEWER", { date: TODAY, state: "OPEN" }, TODAY).size).toBe(0);
});

test("on a future day only leave can be marked", () => {
  expect([...allowed("ADMIN", { date: "2026-11-24", state: "OPEN" }, TODAY)]).toEqual(["ON_LEAVE", "UNMARKED"]);
});
