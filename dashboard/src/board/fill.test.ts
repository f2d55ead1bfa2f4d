import { afterEach, beforeEach, expect, test } from "vitest";

import { startClock, stopClock, until } from "../testing/clock";
import { House, TODAY } from "../testing/house";
import { Network } from "../testing/network";
import { toasts } from "../ui/toasts";
import { Marker } from "./marking";

beforeEach(() => stopClock());
afterEach(() => {
  toasts.set([]);
  startClock();
});

/** A house whose answers list a thousand people, with so many; and how many were named in each request to mark them. */
function large(count: number) {
  const house = new House(...Array.from({ length: count }, (_, index) => `P${index}`));
  const marker = new Marker(new Network(house).api());
  const named: (number | null)[] = [];
  const bulk = house.root.bulkUpdateAttendance;
  house.root.bulkUpdateAttendance = ({ input }) => {
    const { fill } = input.change;
    if (!fill) return bulk({ input });
    const ids = (fill.scope as { staffIds?: string[] } | null)?.staffIds;
    named.push(ids?.length ?? null);
    const isUnmarked = (id: string) => house.stored(id.slice(2)).startsWith("UNMARKED");
    const entries = ids?.filter(isUnmarked).map((staffId) => ({ staffId, status: fill.status, expectedVersion: null }));
    return bulk({ input: entries ? { ...input, change: { entries } } : input });
  };
  return { house, marker, named };
}

function said(): string[] {
  return toasts.get().map(({ text }) => text);
}

test("more people than an answer lists are marked in parts, and one undo takes all of them back", async () => {
  const { house, marker, named } = large(1_203);
  house.mark("P7", "ABSENT");
  await marker.fill(TODAY, "PRESENT", null);
  expect(named).toEqual([1_000, 202]);
  expect(said()).toEqual(["1,202 people marked present."]);
  expect(["P0", "P7", "P1202"].map((name) => house.stored(name))).toEqual(["PRESENT v1", "ABSENT v1", "PRESENT v1"]);
  marker.undo();
  await until(() => said().includes("Undone: 1,202 people unmarked."));
  expect(["P0", "P7", "P1202"].map((name) => house.stored(name))).toEqual(["UNMARKED v2", "ABSENT v1", "UNMARKED v2"]);
  expect(said()).toHaveLength(1);
});

test("where an answer can list everybody, the server says who is still unmarked", async () => {
  const { house, marker, named } = large(1_203);
  for (const person of house.people.slice(0, 3)) person.category = "Kitchen";
  await marker.fill(TODAY, "PRESENT", ["Kitchen"]);
  expect(named).toEqual([null]);
  expect(said()).toEqual(["3 people marked present."]);
});

test("when a part is refused, those before it stay marked, which is said, and can be undone", async () => {
  const { house, marker, named } = large(1_203);
  const bulk = house.root.bulkUpdateAttendance;
  house.root.bulkUpdateAttendance = (arguments_) => {
    if (named.length === 1) house.lock();
    return bulk(arguments_);
  };
  await marker.fill(TODAY, "PRESENT", null);
  expect(said()).toEqual(["Only 1,000 people marked: The day is locked."]);
  expect(toasts.get()[0]?.action?.label).toBe("Undo");
});
