import { expect, test } from "vitest";

import { everybody, rateOf, type ReportDay, worthShowing } from "./report";

const NOBODY: ReportDay = {
  date: "2026-11-23",
  isWorkingDay: true,
  total: 0,
  unmarked: 0,
  present: 0,
  late: 0,
  halfDay: 0,
  remote: 0,
  onLeave: 0,
  absent: 0,
  presentRate: null,
};

test("a half day counts as half; people on leave or unmarked do not count", () => {
  const day = { ...NOBODY, total: 12, present: 5, late: 1, remote: 1, halfDay: 2, absent: 1, onLeave: 1, unmarked: 1 };
  expect(rateOf([day])).toBe(0.8);
  expect(rateOf([NOBODY])).toBeNull();
});

test("everybody is the sum of the categories, day by day", () => {
  const teaching = { category: "Teaching", days: [{ ...NOBODY, total: 3, present: 3 }] };
  const support = { category: "Support", days: [{ ...NOBODY, total: 2, absent: 1, unmarked: 1 }] };
  const [day] = everybody([teaching, support]).days;
  expect(day).toMatchObject({ total: 5, present: 3, absent: 1, unmarked: 1, presentRate: 0.75 });
});

test("a day off is shown only if somebody was marked on it", () => {
  const saturday = { ...NOBODY, isWorkingDay: false, total: 2, unmarked: 2 };
  expect(worthShowing([NOBODY, saturday, { ...saturday, unmarked: 1 }])).toHaveLength(2);
});
