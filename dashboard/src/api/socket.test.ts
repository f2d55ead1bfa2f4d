import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { StateDocument } from "@memberstaff/client/urql";
import { pass, settle, until } from "../testing/clock";
import { line, setUp, tearDown } from "../testing/line";

beforeEach(setUp);
afterEach(tearDown);

test("there is no connection before the first subscription, and none two seconds after the last", async () => {
  const { house, server, told, followed } = await line();
  await settle();
  expect([server.attempts, vi.getTimerCount()]).toEqual([0, 0]);
  const it = await followed();
  it.stop();
  await until(() => house.listeners === 0);
  await pass(1_999);
  expect(server.live).toBe(1);
  await pass(1);
  await until(() => server.live === 0 && told.at(-1) === "closed");
  expect(told).toEqual(["connecting", "connected", "closed"]);
  await pass(60_000);
  expect([server.attempts, vi.getTimerCount()]).toEqual([1, 0]);
});

test("all subscriptions share one connection, and so does one that follows soon", async () => {
  const { house, server, follow, followed } = await line();
  const first = [follow(), follow(StateDocument), follow()];
  await until(() => house.listeners === 3);
  for (const { stop } of first) stop();
  await until(() => house.listeners === 0);
  await pass(1_000);
  const next = await followed();
  await pass(5_000);
  house.mark("Ada", "LATE");
  await until(() => next.events.length === 1);
  expect(server.attempts).toBe(1);
});

test("attempts come at longer and longer intervals, up to ten seconds, without end", async () => {
  const { server, count, follow } = await line();
  server.handshake = "refused";
  follow();
  const times: number[] = [];
  for (let tries = 1; tries <= 9; tries++) {
    await until(() => count("closed") === tries);
    times.push(Date.now());
    await settle();
    await vi.advanceTimersToNextTimerAsync();
  }
  const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
});

test("an interval is never shorter than half of the longest, so that boards come one after another", async () => {
  const { server, count, follow } = await line();
  vi.spyOn(Math, "random").mockReturnValue(0);
  server.handshake = "refused";
  follow();
  await until(() => count("closed") === 1);
  await settle();
  await pass(249);
  expect(server.attempts).toBe(1);
  await pass(1);
  await until(() => server.attempts === 2);
});

test("after a success the next attempts are quick again", async () => {
  const { server, count, followed } = await line();
  await followed();
  server.handshake = "refused";
  server.end();
  for (const [tries, wait] of [500, 1_000, 2_000].entries()) {
    await until(() => count("closed") === tries + 1);
    await settle();
    await pass(wait);
  }
  await until(() => count("closed") === 4);
  await settle();
  server.handshake = "accepted";
  await pass(4_000);
  await until(() => count("connected") === 2);
  await pass(10_000); // and the server has answered a ping
  await until(() => server.count("ping") === 1);
  await settle();
  server.end();
  await until(() => count("closed") === 5);
  await settle();
  await pass(500);
  await until(() => count("connected") === 3);
});

test.each([
  ["that the login has ended", 4401],
  ["that the token is not valid", 4403],
  ["that it restarts", 1012],
  ["nothing else than goodbye", 1000],
])("a server that takes every connection, and then says %s, is asked at longer and longer intervals", async (_, code) => {
  const { server, count, follow } = await line();
  follow();
  if (code > 4000) follow(StateDocument); // which is told something before the token is refused
  for (const [tries, wait] of [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000].entries()) {
    await until(() => count("connected") === tries + 1);
    await settle();
    server.end(code);
    await until(() => count("closed") === tries + 1);
    await pass(wait - 1);
    expect(server.attempts).toBe(tries + 1);
    await pass(1);
  }
});

test("a wait is cut short when the machine wakes, and there is still one connection", async () => {
  const { server, connection, count, follow } = await line();
  server.handshake = "refused";
  follow();
  follow();
  await until(() => count("closed") === 1);
  await settle();
  await pass(500);
  await until(() => count("closed") === 2);
  await settle();
  server.handshake = "accepted";
  for (let times = 0; times < 3; times++) connection.check();
  await until(() => count("connected") === 1);
  for (let times = 0; times < 3; times++) connection.check();
  await pass(5_000);
  expect([server.attempts, server.live, count("connecting")]).toEqual([3, 1, 3]);
});

test("a check of a connection that is dead finds that out within five seconds", async () => {
  const { house, server, connection, count, followed } = await line();
  const it = await followed();
  server.freeze();
  house.mark("Ada", "PRESENT"); // still reaches us; what we send does not arrive
  await until(() => it.events.length === 1);
  connection.check();
  await pass(4_999);
  expect(count("closed")).toBe(0);
  await pass(1);
  expect(count("closed")).toBe(1);
  await pass(500);
  await until(() => count("connected") === 2);
});

test("a check of a connection that is well changes nothing", async () => {
  const { server, connection, told, followed } = await line();
  await followed();
  connection.check();
  await until(() => server.count("ping") === 1);
  await pass(9_000);
  expect(told).toEqual(["connecting", "connected"]);
});

test("a ping every ten seconds keeps a connection, and one without an answer ends it five seconds later", async () => {
  const { server, count, followed } = await line();
  await followed();
  for (let pings = 1; pings <= 3; pings++) {
    await pass(10_000);
    await until(() => server.count("ping") === pings);
    await settle();
  }
  server.freeze();
  await pass(10_000);
  await pass(4_999);
  expect(count("closed")).toBe(0);
  await pass(1);
  expect(count("closed")).toBe(1);
  await pass(500);
  await until(() => count("connected") === 2);
  expect(server.received).toHaveLength(2);
});

test("an attempt that is neither accepted nor refused is given up after ten seconds", async () => {
  const { server, count, follow } = await line();
  server.handshake = "silent";
  follow();
  await until(() => server.attempts === 1);
  server.handshake = "accepted";
  await pass(9_999);
  expect(server.attempts).toBe(1);
  await pass(1);
  await pass(500);
  await until(() => count("connected") === 1);
  await pass(9_999);
  expect([server.attempts, server.live]).toEqual([2, 1]);
});

test("a server that accepts a connection and then says nothing is left after twenty seconds: it may let in others first", async () => {
  const { server, count, follow } = await line();
  server.mute = true;
  follow();
  await until(() => server.count("connection_init") === 1);
  server.mute = false;
  await pass(10_000);
  expect(count("closed")).toBe(0);
  await pass(10_000);
  await until(() => count("closed") === 1);
  await settle();
  await pass(500);
  await until(() => count("connected") === 1);
});

test("unsubscribing while the connection is lost ends the attempts", async () => {
  const { server, count, followed } = await line();
  const it = await followed();
  server.handshake = "refused";
  server.end();
  await until(() => count("closed") === 1);
  await settle();
  it.stop();
  await pass(60_000);
  expect([server.attempts, count("connecting")]).toEqual([1, 1]);
});
