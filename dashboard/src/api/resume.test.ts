import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { StateDocument } from "@memberstaff/client/urql";
import { pass, settle, until } from "../testing/clock";
import { line, setUp, tearDown } from "../testing/line";

beforeEach(setUp);
afterEach(tearDown);

test("after a cut each subscription goes on after its last event: nothing is missed, nothing comes twice", async () => {
  const { house, server, count, follow } = await line();
  const one = follow();
  const day = follow(StateDocument);
  await until(() => house.listeners === 2);
  house.mark("Ada", "PRESENT");
  await pass(50);
  server.end();
  await until(() => count("closed") === 1);
  for (const status of ["LATE", "ABSENT"] as const) house.mark("Ben", status);
  await pass(500);
  await until(() => count("connected") === 2 && house.listeners === 2);
  await pass(50);
  expect(one.events).toEqual(["Ada PRESENT", "Ben LATE", "Ben ABSENT"]);
  expect(server.inits).toEqual([
    { authorization: "Bearer T1", resume: {} },
    { authorization: "Bearer T1", resume: { 1: "1:2026-11-23:1" } },
  ]);
  expect([one.ends, day.ends]).toEqual([[], []]);
});

test("an event that waits for delivery during a cut is delivered, once", async () => {
  const { house, server, count, followed } = await line();
  const it = await followed();
  house.mark("Ada", "PRESENT");
  await until(() => it.events.length === 1);
  house.mark("Ben", "LATE");
  await settle();
  expect(it.events).toHaveLength(1);
  server.end();
  await until(() => count("closed") === 1);
  await pass(500);
  await until(() => count("connected") === 2);
  expect(server.inits.at(-1)).toMatchObject({ resume: { 1: "1:2026-11-23:2" } });
  house.mark("Cleo", "ABSENT");
  await settle();
  await pass(50);
  expect(it.events).toEqual(["Ada PRESENT", "Ben LATE", "Cleo ABSENT"]);
});

test("who has unsubscribed is told nothing more, and is not resumed", async () => {
  const { house, server, count, followed } = await line();
  const gone = await followed();
  const stays = await followed();
  house.mark("Ada", "PRESENT");
  await until(() => gone.events.length === 1);
  house.mark("Ben", "LATE");
  await settle();
  gone.stop();
  await pass(50);
  expect(gone.events).toEqual(["Ada PRESENT"]);
  server.end();
  await until(() => count("closed") === 1);
  await pass(500);
  await until(() => count("connected") === 2 && house.listeners === 1);
  expect(server.inits.at(-1)).toMatchObject({ resume: { 2: "1:2026-11-23:2" } });
  expect(Object.keys((server.inits.at(-1) as { resume: object }).resume)).toEqual(["2"]);
  expect([gone.ends, stays.ends]).toEqual([[], []]);
});

test("a token that the server no longer accepts is replaced by a fresh one before the next attempt", async () => {
  const { house, server, login, count, followed } = await line();
  const it = await followed();
  login.serial = 2;
  server.accepts = (token) => token === "T2";
  server.end(4403);
  await until(() => count("closed") === 1);
  house.mark("Ada", "LATE");
  await settle();
  await pass(500);
  await until(() => it.events.length === 0 && count("connected") === 2);
  expect(server.inits.map((init) => (init as { authorization: string }).authorization)).toEqual([
    "Bearer T1",
    "Bearer T2",
  ]);
});

test("a login that has ended (4401) ends every subscription, once, and nothing connects again", async () => {
  const { house, server, login, count, follow, followed } = await line();
  const one = await followed();
  const other = follow();
  await until(() => house.listeners === 2);
  login.over = true;
  server.end(4401);
  await until(() => one.ends.length > 0 && other.ends.length > 0);
  await pass(60_000);
  expect([one.ends, other.ends]).toEqual([["SessionEnded"], ["SessionEnded"]]);
  expect([server.attempts, count("connecting"), vi.getTimerCount()]).toEqual([1, 1, 0]);
});

test("while no token can be had nothing is lost, and the subscription resumes in the end", async () => {
  const { house, server, login, count, followed } = await line();
  const it = await followed();
  house.mark("Ada", "PRESENT");
  await until(() => it.events.length === 1);
  login.unreachable = true;
  login.serial = 2;
  server.accepts = (token) => token === "T2";
  server.end(4403);
  await until(() => count("closed") === 1);
  await settle();
  await pass(500);
  house.mark("Ben", "LATE");
  login.unreachable = false;
  await pass(1_000);
  await until(() => count("connected") === 2);
  await pass(50);
  expect([it.events, it.ends]).toEqual([["Ada PRESENT", "Ben LATE"], []]);
});

test("a subscription that the server refuses says why, and is not resumed after a cut", async () => {
  const { house, server, count, follow, followed } = await line();
  const it = await followed();
  house.mark("Ada", "PRESENT");
  await until(() => it.events.length === 1);
  house.restore();
  const other = follow(StateDocument);
  await settle();
  await pass(50);
  expect(other.events).toEqual(["the day"]);
  server.end();
  await until(() => count("closed") === 1);
  await settle();
  await pass(500);
  await until(() => it.ends.length > 0);
  expect(it.ends).toEqual(["refused", "complete"]);
  server.end();
  await until(() => count("closed") === 2);
  await settle();
  await pass(500);
  await until(() => count("connected") === 3);
  expect(server.inits.at(-1)).toEqual({ authorization: "Bearer T1", resume: {} });
});
