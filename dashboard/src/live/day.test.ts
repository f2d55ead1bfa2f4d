import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { board, cursorOf, opened, RESTART, watch } from "../testing/board";
import { pass, settle, startClock, stopClock, until } from "../testing/clock";
import { refusal } from "../testing/house";

beforeEach(() => stopClock());
afterEach(startClock);

test("a day is queried, and then followed from the cursor in the answer", async () => {
  const it = board();
  it.house.mark("Ada", "PRESENT");
  it.day.open();
  await until(() => it.network.following.size === 2);
  await settle();
  expect(it.network.sent.map(({ operationName }) => operationName)).toEqual([
    "DayBoard",
    "AttendanceUpdated",
    "State",
  ]);
  expect(cursorOf(it.network)).toBe("1:2026-11-23:1");
  expect(it.shown()).toEqual(["Ada PRESENT", "Ben UNMARKED", "Cleo UNMARKED"]);
  expect(it.day.board.get()).toMatchObject({ complete: true, problem: null, day: { summary: { present: 1 } } });
  expect(it.events).toEqual([]);
  expect(it.connection[0]).toBe("wanted");
  expect(it.connection.at(-1)).toBe("current");
});

test("a change between the query and the subscription is not lost", async () => {
  const it = board();
  it.network.hold("DayBoard");
  it.day.open();
  await settle();
  it.house.mark("Ben", "LATE");
  it.network.release("DayBoard");
  await until(() => it.events.length > 0);
  await settle();
  expect(it.events).toEqual(["Ben LATE v1"]);
  expect(it.shown()).toEqual(["Ada UNMARKED", "Ben LATE", "Cleo UNMARKED"]);
});

test("each event is applied once and in order", async () => {
  const it = await opened();
  it.house.mark("Ada", "PRESENT");
  it.house.mark("Ben", "LATE");
  it.house.mark("Ada", "ABSENT");
  await until(() => it.events.length === 3);
  await settle();
  expect(it.events).toEqual(["Ada PRESENT v1", "Ben LATE v1", "Ada ABSENT v2"]);
  expect(it.shown()).toEqual(["Ada ABSENT", "Ben LATE", "Cleo UNMARKED"]);
  expect(it.day.board.get().day?.summary).toMatchObject({ absent: 1, late: 1, present: 0, unmarked: 1 });
});

test("a change announces itself before the board shows it", async () => {
  const it = await opened();
  const seen: string[] = [];
  it.day.onChange = () => seen.push(`announced over ${it.shown()[0] ?? ""}`);
  const stop = it.day.board.subscribe(() => seen.push(`shown: ${it.shown()[0] ?? ""}`));
  it.house.mark("Ada", "REMOTE");
  await until(() => it.shown()[0] === "Ada REMOTE");
  stop();
  expect(seen.slice(0, 2)).toEqual(["announced over Ada UNMARKED", "shown: Ada REMOTE"]);
});

test("a day that was left is not followed, and coming back to it resumes from the last event", async () => {
  const it = await opened();
  it.house.mark("Ada", "PRESENT");
  await until(() => it.events.length === 1);
  it.day.pause();
  await until(() => it.house.listeners === 0);
  it.house.mark("Ben", "LATE");
  it.house.mark("Ben", "PRESENT");
  await pass(60_000);
  expect(it.events).toHaveLength(1);
  it.day.resume();
  await until(() => it.events.length === 3);
  await settle();
  expect(cursorOf(it.network)).toBe("1:2026-11-23:1");
  expect(it.events).toEqual(["Ada PRESENT v1", "Ben LATE v1", "Ben PRESENT v2"]);
  expect(it.network.count("DayBoard")).toBe(1);
});

test("a day that is opened again shows what was known of it at once, and then what has happened since", async () => {
  const it = await opened();
  it.day.close();
  it.house.mark("Cleo", "ON_LEAVE");
  for (const name of ["AttendanceUpdated", "State"]) it.network.hold(name);
  const again = watch(it.api);
  again.day.open();
  await settle();
  expect(again.shown()).toEqual(["Ada UNMARKED", "Ben UNMARKED", "Cleo UNMARKED"]);
  expect(again.connection).not.toContain("current");
  for (const name of ["AttendanceUpdated", "State"]) it.network.release(name);
  await until(() => again.connection.includes("current"));
  await settle();
  expect(again.shown()).toEqual(["Ada UNMARKED", "Ben UNMARKED", "Cleo ON_LEAVE"]);
  expect(again.events).toEqual(["Cleo ON_LEAVE v1"]);
  expect(it.network.count("DayBoard")).toBe(1);
});

test("two days are followed beside each other, and neither shows the other's marks", async () => {
  const it = await opened();
  const tomorrow = watch(it.api, "2026-11-24");
  tomorrow.day.open();
  await until(() => it.network.following.size === 4);
  it.house.mark("Ada", "PRESENT");
  it.house.mark("Ben", "ON_LEAVE", { date: "2026-11-24" });
  await until(() => it.events.length > 0 && tomorrow.events.length > 0);
  await settle();
  expect([it.events, tomorrow.events]).toEqual([["Ada PRESENT v1"], ["Ben ON_LEAVE v1"]]);
  expect(it.shown()).toEqual(["Ada PRESENT", "Ben UNMARKED", "Cleo UNMARKED"]);
  expect(tomorrow.shown()).toEqual(["Ada UNMARKED", "Ben ON_LEAVE", "Cleo UNMARKED"]);
});

test("after a restored backup the day is read anew, and lower versions are believed", async () => {
  const it = await opened();
  for (const status of ["PRESENT", "LATE", "ABSENT"] as const) it.house.mark("Ada", status);
  await until(() => it.events.length === 3);
  it.house.restore();
  it.house.mark("Ben", "REMOTE");
  it.network.end(RESTART);
  await until(() => cursorOf(it.network) === "2:2026-11-23:1");
  await settle();
  expect(it.shown()).toEqual(["Ada UNMARKED", "Ben REMOTE", "Cleo UNMARKED"]);
  it.house.mark("Ada", "PRESENT");
  await until(() => it.shown()[0] === "Ada PRESENT");
  expect(it.events.at(-1)).toBe("Ada PRESENT v1");
  expect(it.network.following.size).toBe(2);
});

test("a day that has to begin anew each time waits longer and longer, and then begins at once again", async () => {
  const it = await opened();
  for (const [restarts, wait] of [0, 375, 750, 1_500].entries()) { // three quarters of the longest, by the jitter of the tests
    it.network.end(RESTART);
    if (wait > 0) {
      await settle();
      expect(it.connection.at(-1)).toBe("outdated");
      await pass(wait - 1);
      expect(it.network.count("DayBoard")).toBe(restarts + 1);
      await pass(1);
    }
    await until(() => it.network.count("DayBoard") === restarts + 2 && it.network.following.size === 2);
    await settle();
  }
  await pass(30_000);
  it.network.end(RESTART);
  await until(() => it.network.count("DayBoard") === 6);
});

test("a day that was restored while nobody looked begins anew when somebody does", async () => {
  const it = await opened();
  it.house.mark("Ada", "PRESENT");
  await until(() => it.events.length === 1);
  it.day.pause();
  it.house.restore();
  it.day.resume();
  await until(() => it.network.count("DayBoard") === 2 && it.network.following.size === 2);
  await settle();
  expect(it.shown()).toEqual(["Ada UNMARKED", "Ben UNMARKED", "Cleo UNMARKED"]);
});

test("the staff have changed: the board is read again, while it is followed from where it was", async () => {
  const it = await opened();
  it.house.mark("Ada", "PRESENT");
  await until(() => it.events.length === 1);
  it.house.rename("Ben", "Benjamin");
  await until(() => it.shown()[1] === "Benjamin UNMARKED");
  await settle();
  expect(it.network.count("DayBoard")).toBe(2);
  expect(it.network.count("AttendanceUpdated")).toBe(1);
  it.house.mark("Ada", "LATE");
  await until(() => it.events.length === 2);
});

test("after closing there is no subscription, no timer and no request, whatever was under way", async () => {
  const stages: ((it: ReturnType<typeof board>) => Promise<void>)[] = [
    () => Promise.resolve(),
    () => settle(),
    async ({ network }) => {
      network.hold("DayBoard");
      await settle();
    },
    async ({ network }) => {
      await settle();
      network.end(refusal("UNAVAILABLE", "Try again."));
    },
  ];
  for (const reach of stages) {
    const it = board();
    it.day.open();
    await reach(it);
    it.day.close();
    it.network.release("DayBoard");
    await settle();
    const sent = it.network.sent.length;
    it.house.mark("Ada", "PRESENT");
    it.house.rename("Ben", "Benjamin");
    it.day.resume();
    await pass(60_000);
    expect(it.events).toEqual([]);
    expect(it.network.sent).toHaveLength(sent);
    expect([it.network.following.size, it.house.listeners, vi.getTimerCount()]).toEqual([0, 0, 0]);
  }
});

test("a board that is closed changes no more, whatever else the cache learns of its day", async () => {
  const it = await opened();
  const again = watch(it.api);
  again.day.open();
  await until(() => again.shown().length === 3);
  it.day.close();
  it.house.mark("Ada", "LATE");
  await until(() => again.shown()[0] === "Ada LATE");
  await settle();
  expect(it.shown()[0]).toBe("Ada UNMARKED");
  again.day.close();
});

test("an error that arrives after the board was left starts nothing", async () => {
  const it = await opened();
  it.network.hold("AttendanceUpdated");
  it.day.pause();
  it.network.end(RESTART);
  await pass(60_000);
  expect(it.network.count("DayBoard")).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});
