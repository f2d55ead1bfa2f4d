import { afterEach, beforeEach, expect, test } from "vitest";

import { board, opened, RESTART } from "../testing/board";
import { pass, settle, startClock, stopClock, until } from "../testing/clock";
import { refusal } from "../testing/house";

beforeEach(() => stopClock());
afterEach(startClock);

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

test("nobody is on a long board twice while it is read again, and marks are shown meanwhile", async () => {
  const it = board("Ada", "Ben", "Cleo", "Dora", "Emil");
  it.house.pageSize = 2;
  it.day.open();
  await until(() => it.day.board.get().complete && it.network.following.size === 2);
  await settle();
  it.network.hold("DayBoard");
  const lists = new Set<string>();
  it.day.board.subscribe(() => lists.add(it.shown().join()));
  it.house.leave("Ada");
  await until(() => it.network.count("DayBoard") === 4);
  it.network.deliver("DayBoard");
  await until(() => it.network.count("DayBoard") === 5);
  it.house.mark("Emil", "LATE");
  await until(() => it.shown()[4] === "Emil LATE");
  it.network.release("DayBoard");
  await until(() => it.shown().length === 4);
  await settle();
  expect([...lists]).toEqual([
    "Ada UNMARKED,Ben UNMARKED,Cleo UNMARKED,Dora UNMARKED,Emil UNMARKED",
    "Ada UNMARKED,Ben UNMARKED,Cleo UNMARKED,Dora UNMARKED,Emil LATE",
    "Ben UNMARKED,Cleo UNMARKED,Dora UNMARKED,Emil LATE",
  ]);
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
  await pass(374);
  expect(it.network.count("DayBoard")).toBe(2);
  await pass(1);
  expect(it.day.board.get().problem).toBeNull();
  expect(it.shown()[1]).toBe("Benjamin UNMARKED");
});

test("a day that cannot be read is asked for again and again until it can", async () => {
  const it = board();
  it.network.offline = true;
  it.day.open();
  await pass(9_000);
  expect(it.network.count("DayBoard")).toBe(5);
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

test.each(["AttendanceUpdated", "State"])("while %s is refused the board waits", async (name) => {
  const it = board();
  it.network.refuse(name, refusal("UNAVAILABLE", "Too many subscriptions.", { retryAfter: 5 }));
  it.day.open();
  await pass(4_999);
  expect(it.network.count(name)).toBe(1);
  expect(it.network.following.size).toBe(0);
  expect([it.connection.at(-1), it.day.board.get().problem]).toEqual(["outdated", "Too many subscriptions."]);
  it.network.accept(name);
  it.house.mark("Ada", "PRESENT");
  await pass(5_000);
  expect(it.network.following.size).toBe(2);
  expect([it.connection.at(-1), it.day.board.get().problem]).toEqual(["current", null]);
  expect(it.shown()[0]).toBe("Ada PRESENT");
  it.house.mark("Ada", "LATE");
  await until(() => it.shown()[0] === "Ada LATE");
});

test("a page that fails makes a long board be read again from the first", async () => {
  const it = board();
  it.house.pageSize = 2;
  it.network.hold("DayBoard");
  it.day.open();
  await settle();
  it.network.refuse("DayBoard", refusal("BAD_REQUEST", "The cursor is not valid."));
  it.network.deliver("DayBoard");
  await until(() => it.network.count("DayBoard") === 2);
  it.network.release("DayBoard");
  await until(() => it.day.board.get().problem === "The cursor is not valid.");
  it.network.accept("DayBoard");
  await pass(5_000);
  expect(it.day.board.get()).toMatchObject({ complete: true, problem: null });
  expect([it.network.count("DayBoard"), it.network.count("AttendanceUpdated")]).toEqual([4, 1]);
});

test("after an error that would come again a day is tried again a minute later: nobody reloads a display", async () => {
  const it = board();
  it.network.refuse("DayBoard", refusal("FORBIDDEN", "You may not read this."));
  it.day.open();
  await pass(59_000);
  expect([it.network.count("DayBoard"), it.day.board.get().problem]).toEqual([1, "You may not read this."]);
  it.network.accept("DayBoard");
  await pass(2_000);
  expect([it.network.count("DayBoard"), it.day.board.get().problem]).toEqual([2, null]);
  expect(it.connection.at(-1)).toBe("current");
});

test("a subscription that the server ends without a reason is begun again", async () => {
  const it = await opened();
  it.network.end();
  it.house.mark("Ada", "PRESENT");
  await pass(5_000);
  expect(it.network.following.size).toBe(2);
  expect(it.shown()[0]).toBe("Ada PRESENT");
});

test("a long board that was left while a page was loading is complete after coming back", async () => {
  const it = board();
  it.house.pageSize = 2;
  it.network.hold("DayBoard");
  it.day.open();
  await settle();
  it.network.deliver("DayBoard");
  await until(() => it.network.count("DayBoard") === 2);
  it.day.pause();
  it.network.release("DayBoard");
  await settle();
  expect(it.shown()).toHaveLength(2);
  it.day.resume();
  await pass(5_000);
  expect(it.day.board.get()).toMatchObject({ complete: true, problem: null });
  expect(it.shown()).toHaveLength(3);
});

test("a long board that was left while it was read again is not taken for read after coming back", async () => {
  const it = board("Ada", "Ben", "Cleo", "Dora", "Emil");
  it.house.pageSize = 2;
  it.day.open();
  await until(() => it.day.board.get().complete && it.network.following.size === 2);
  await settle();
  it.network.hold("DayBoard");
  it.house.rename("Emil", "Emilia");
  await until(() => it.network.count("DayBoard") === 4);
  it.network.deliver("DayBoard");
  await until(() => it.network.count("DayBoard") === 5);
  it.day.pause();
  it.network.release("DayBoard");
  await settle();
  it.day.resume();
  await pass(5_000);
  expect(it.connection.at(-1)).toBe("current");
  expect(it.shown()[4]).toBe("Emilia UNMARKED");
});
