import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Gather } from "./gather";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function gathered() {
  const gather = new Gather(50);
  const seen: string[] = [];
  return { gather, seen, add: (name: string) => gather.add(() => seen.push(name)) };
}

test("the first event after a pause is delivered at once, and those that follow come together", () => {
  const { seen, add } = gathered();
  for (const name of ["a", "b", "c"]) add(name);
  expect(seen).toEqual(["a"]);
  vi.advanceTimersByTime(49);
  expect(seen).toEqual(["a"]);
  vi.advanceTimersByTime(1);
  expect(seen).toEqual(["a", "b", "c"]);
});

test("waiting events are delivered before a subscription ends", () => {
  const { gather, seen, add } = gathered();
  for (const name of ["a", "b"]) add(name);
  gather.flush();
  expect(seen).toEqual(["a", "b"]);
});

test("after a slow delivery, the pause is three times as long as the delivery", () => {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const { gather, seen, add } = gathered();
  gather.add(() => (now += 100));
  vi.advanceTimersByTime(0);
  add("b");
  vi.advanceTimersByTime(299);
  expect(seen).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(seen).toEqual(["b"]);
});
