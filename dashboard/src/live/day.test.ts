import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { pass, settle, startClock, stopClock, until } from "../testing/clock";
import { House, refusal, TODAY } from "../testing/house";
import { Network } from "../testing/network";
import { LiveDay } from "./day";

beforeEach(() => stopClock());
afterEach(startClock);

const RESTART = refusal("RESTART_REQUIRED", "The cursor cannot be resumed from. Start again.");

/** A board of a house, not yet open. */
function board(...names: string[]) {
  const house = new House(...(names.length > 0 ? names : ["Ada", "Ben", "Cleo"]));
  const network = new Network(house);
  const api = network.api();
  return { house, network, api, ...watch(api) };
}

/** A day in that browser, with what it tells: each event, and each change of the connection. */
function watch(api: ReturnType<Network["api"]>, date = TODAY) {
  const day = new LiveDay(api, date);
  const events: string[] = [];
  const connection: string[] = [];
  day.onChange = ({ staffName, status, version }) => events.push(`${staffName} ${status} v${version}`);
  day.onConnection = (event) => connection.push(event);
  const shown = () => day.board.get().records.map(({ staffName, status }) => `${staffName} ${status}`);
  return { day, events, connection, shown };
}

async function opened(...names: string[]) {
  const it = board(...names);
  it.day.open();
  await until(() => it.connection.includes("current") && it.network.following.size === 2);
  await settle();
  return it;
}

/** Where the last subscription to the changes began. */
function cursorOf({ sent }: Network): unknown {
  return sent.findLast(({ operationName }) => operationName === "AttendanceUpdated")?.variables.after;
}

test("a day is queried, and then followed from the cursor in the answer", async () => {
  const it = board();
  it.house.mark("Ada", "PRESENT");
  it.day.open();
  await until(() => it.network.following.size === 2);
  await settle();
  expect(it.network.sent.map(({ operationName }) => operationName)).toEqual([
    "DayBoard",
    "AttendanceUpdated",
    "AttendanceDayUpdated",
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
  it.network.hold("DayBoard");
  const again = watch(it.api);
  again.day.open();
  await settle();
  expect(again.shown()).toEqual(["Ada UNMARKED", "Ben UNMARKED", "Cleo UNMARKED"]);
  expect(again.connection).not.toContain("current");
  it.network.release("DayBoard");
  await until(() => again.connection.includes("current"));
  await settle();
  expect(again.shown()).toEqual(["Ada UNMARKED", "Ben UNMARKED", "Cleo ON_LEAVE"]);
  expect(again.events).toEqual([]);
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

test("a restart while a long board is still loading ends in a board that is followed", async () => {
  const it = board("Ada", "Ben", "Cleo");
  it.house.pageSize = 2;
  it.network.hold("DayBoard");
  it.day.open();
  await settle();
  it.network.deliver("DayBoard");
  await until(() => it.network.following.size === 2 && it.network.count("DayBoard") === 2);
  await settle();
  expect(it.connection).not.toContain("current");
  it.house.restore();
  it.network.end(RESTART);
  it.network.release("DayBoard");
  await pass(5_000);
  expect(it.network.following.size).toBe(2);
  it.house.mark("Cleo", "PRESENT");
  await until(() => it.events.length === 1);
  await settle();
  expect(it.shown()).toEqual(["Ada UNMARKED", "Ben UNMARKED", "Cleo PRESENT"]);
});

test("a long board shows its first page at once, and is complete with its last", async () => {
  const it = board("Ada", "Ben", "Cleo", "Dora", "Emil");
  it.house.pageSize = 2;
  it.network.hold("DayBoard");
  it.day.open();
  const lengths: string[] = [];
  it.day.board.subscribe(() => {
    const { records, complete } = it.day.board.get();
    lengths.push(`${records.length} ${complete ? "complete" : "of more"}`);
  });
  it.network.release("DayBoard");
  await until(() => it.day.board.get().complete);
  await settle();
  expect([...new Set(lengths)]).toEqual(["2 of more", "4 of more", "5 complete"]);
  expect(it.shown()).toHaveLength(5);
  it.house.mark("Emil", "LATE");
  await until(() => it.shown()[4] === "Emil LATE");
});

test("a long board that is read again shows the new names all at once, and is never shorter", async () => {
  const it = board("Ada", "Ben", "Cleo", "Dora", "Emil");
  it.house.pageSize = 2;
  it.day.open();
  await until(() => it.day.board.get().complete && it.network.following.size === 2);
  await settle();
  const lengths = new Set<number>();
  it.day.board.subscribe(() => lengths.add(it.shown().length));
  it.house.rename("Emil", "Emilia");
  await until(() => it.shown()[4] === "Emilia UNMARKED");
  await settle();
  expect([...lengths]).toEqual([5]);
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

test("staff who change while the board is being read are on it in the end", async () => {
  const it = await opened();
  it.network.hold("DayBoard");
  it.house.rename("Ben", "Benjamin");
  await until(() => it.network.count("DayBoard") === 2);
  await settle();
  it.house.rename("Cleo", "Cleopatra");
  await settle();
  it.network.release("DayBoard");
  await pass(5_000);
  expect(it.shown()).toEqual(["Ada UNMARKED", "Benjamin UNMARKED", "Cleopatra UNMARKED"]);
  expect(it.network.count("DayBoard")).toBe(3);
  await pass(60_000);
  expect(it.network.count("DayBoard")).toBe(3);
});

test("a reload that fails keeps what is shown, says why, and is tried again", async () => {
  const it = await opened();
  it.network.offline = true;
  it.house.rename("Ben", "Benjamin");
  await until(() => it.day.board.get().problem !== null);
  expect(it.day.board.get().problem).toBe("The server cannot be reached. Check your connection and try again.");
  expect(it.shown()).toEqual(["Ada UNMARKED", "Ben UNMARKED", "Cleo UNMARKED"]);
  it.network.offline = false;
  await pass(2_999);
  expect(it.network.count("DayBoard")).toBe(2);
  await pass(1);
  expect(it.day.board.get().problem).toBeNull();
  expect(it.shown()[1]).toBe("Benjamin UNMARKED");
});

test("a day that cannot be read is asked for every few seconds until it can", async () => {
  const it = board();
  it.network.offline = true;
  it.day.open();
  await pass(9_000);
  expect(it.network.count("DayBoard")).toBe(4);
  expect(it.network.following.size).toBe(0);
  it.network.offline = false;
  await pass(3_000);
  expect(it.connection.at(-1)).toBe("current");
  expect(it.shown()).toHaveLength(3);
  expect(it.day.board.get().problem).toBeNull();
});

test.each(["UNAVAILABLE", "RATE_LIMITED"])("after %s nothing is asked before the time it names", async (code) => {
  const it = board();
  it.network.refuse("DayBoard", refusal(code, "Try again in a minute.", { retryAfter: 60 }));
  it.day.open();
  await pass(59_999);
  expect(it.network.count("DayBoard")).toBe(1);
  expect(it.day.board.get().problem).toBe("Try again in a minute.");
  it.network.accept("DayBoard");
  await pass(5_000);
  expect(it.network.count("DayBoard")).toBe(2);
  expect(it.connection.at(-1)).toBe("current");
});

test.each(["AttendanceUpdated", "AttendanceDayUpdated"])("while %s is refused the board waits", async (name) => {
  const it = board();
  it.network.refuse(name, refusal("UNAVAILABLE", "Too many subscriptions.", { retryAfter: 5 }));
  it.day.open();
  await pass(4_999);
  expect(it.network.count(name)).toBe(1);
  expect(it.network.following.size).toBe(0);
  expect(it.connection).toContain("closed");
  it.network.accept(name);
  it.house.mark("Ada", "PRESENT");
  await pass(5_000);
  expect(it.network.following.size).toBe(2);
  expect(it.shown()[0]).toBe("Ada PRESENT");
  it.house.mark("Ada", "LATE");
  await until(() => it.shown()[0] === "Ada LATE");
});

test("a subscription that the server ends without a reason is begun again", async () => {
  const it = await opened();
  it.network.end();
  it.house.mark("Ada", "PRESENT");
  await pass(5_000);
  expect(it.network.following.size).toBe(2);
  expect(it.shown()[0]).toBe("Ada PRESENT");
});

test("a long board that was left while a page failed is complete after coming back", async () => {
  const it = board();
  it.house.pageSize = 2;
  it.network.hold("DayBoard");
  it.day.open();
  await settle();
  it.network.refuse("DayBoard", refusal("UNAVAILABLE", "The database does not answer."));
  it.network.deliver("DayBoard");
  await until(() => it.network.count("DayBoard") === 2);
  it.day.pause();
  it.network.release("DayBoard");
  await settle();
  expect(it.day.board.get().problem).toBe("The database does not answer.");
  it.network.accept("DayBoard");
  it.day.resume();
  await pass(5_000);
  expect(it.day.board.get()).toMatchObject({ complete: true, problem: null });
  expect(it.shown()).toHaveLength(3);
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
  await until(() => it.network.following.size === 4 || again.connection.includes("current"));
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
