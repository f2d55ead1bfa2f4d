import { expect, test } from "vitest";

import { backOff, type Browser } from "./reload";

const MINUTE = 60_000;

function tab() {
  const stored = new Map<string, string>();
  const browser: Browser = {
    storage: () => ({
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => void stored.set(key, value),
    }),
    isServerUp: () => Promise.resolve(true),
    reload: () => undefined,
  };
  return { browser };
}

function blocked(): never {
  throw new DOMException("Storage is blocked", "SecurityError");
}

test("a wall display waits longer after each failure in a row, up to ten minutes", () => {
  const { browser } = tab();
  let now = Date.parse("2026-11-23T08:00:00Z");
  const waits = Array.from({ length: 9 }, () => {
    const wait = backOff(now, browser);
    now += wait;
    return wait / 1_000;
  });
  expect(waits).toEqual([10, 20, 40, 80, 160, 320, 600, 600, 600]);
  expect(backOff(now + 61 * MINUTE, browser)).toBe(10_000);
});

test("a wall display that can store nothing waits ten minutes each time", () => {
  const { browser } = tab();
  const full = { ...browser.storage(), setItem: blocked };
  for (const storage of [blocked, () => full]) {
    expect([backOff(0, { ...browser, storage }), backOff(1, { ...browser, storage })]).toEqual([600_000, 600_000]);
  }
});
