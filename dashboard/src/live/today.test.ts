import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Today } from "./today";

beforeEach(() => void vi.useFakeTimers({ now: Date.parse("2026-11-23T22:59:50Z") }));
afterEach(() => void vi.useRealTimers());

function inBerlin(ask: () => Promise<string | null>): Today {
  const today = new Today("2026-11-23", "Europe/Berlin", ask);
  today.start();
  return today;
}

test("the day moves on at midnight in the organisation's zone, and the server is asked then, not before", async () => {
  const ask = vi.fn(() => Promise.resolve("2026-11-24"));
  const today = inBerlin(ask);
  await vi.advanceTimersByTimeAsync(9_000);
  expect(ask).not.toHaveBeenCalled();
  expect(today.day.get()).toBe("2026-11-23");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(today.day.get()).toBe("2026-11-24");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask).toHaveBeenCalledTimes(1);
});

test("a machine that slept over midnight asks when it wakes", async () => {
  const today = inBerlin(() => Promise.resolve("2026-11-25"));
  vi.setSystemTime(Date.parse("2026-11-25T07:00:00Z"));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(today.day.get()).toBe("2026-11-25");
});

test("a clock that is ahead does not move the day, and asks twice a minute", async () => {
  vi.setSystemTime(Date.parse("2026-11-23T23:00:00Z"));
  const ask = vi.fn(() => Promise.resolve("2026-11-23"));
  const today = inBerlin(ask);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(today.day.get()).toBe("2026-11-23");
  expect(ask).toHaveBeenCalledTimes(2);
});

test("an unreachable server is asked again at once", async () => {
  vi.setSystemTime(Date.parse("2026-11-23T23:00:00Z"));
  const answers = [null, null, "2026-11-24"];
  const today = inBerlin(() => Promise.resolve(answers.shift() ?? null));
  await vi.advanceTimersByTimeAsync(3_000);
  expect(today.day.get()).toBe("2026-11-24");
});
