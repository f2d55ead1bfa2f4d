import { expect, test } from "vitest";

import { isDay, longDay, plusDays, timeOf } from "./dates";

test("days are counted by the calendar, across months, years and changes of the clock", () => {
  expect(plusDays("2026-11-30", 1)).toBe("2026-12-01");
  expect(plusDays("2027-01-01", -1)).toBe("2026-12-31");
  expect(plusDays("2028-02-28", 1)).toBe("2028-02-29");
  expect(plusDays("2026-10-24", 2)).toBe("2026-10-26");
});

test("only valid calendar dates are days", () => {
  expect(["2026-11-23", "2028-02-29"].filter(isDay)).toHaveLength(2);
  expect(["2026-02-29", "2026-1-2", "today", "", "2026-13-01"].filter(isDay)).toEqual([]);
});

test("a day is shown in words, with the year unless it is this year", () => {
  expect(longDay("2026-11-23", "2026-11-24")).toBe("Monday 23 November");
  expect(longDay("2025-11-24", "2026-11-24")).toBe("Monday 24 November 2025");
  expect(timeOf("2026-11-23T08:05:00Z", "Europe/Berlin")).toBe("09:05");
});
