import { print } from "graphql";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { AttendanceDayUpdated, AttendanceUpdated } from "../live/operations";
import { pass, settle, startClock, stopClock, until } from "../testing/clock";
import { House, TODAY } from "../testing/house";
import { Sockets } from "../testing/sockets";
import { LiveSocket } from "./socket";

const open: Sockets[] = [];

beforeEach(() => {
  stopClock();
  vi.spyOn(Math, "random").mockReturnValue(1); // each wait is the longest possible
});
afterEach(async () => {
  for (const server of open.splice(0)) server.close();
  await settle(); // or the timers of what closes would count in the next test
  startClock();
});

interface Following {
  events: string[];
  ends: string[];
  stop: () => void;
}

/** A browser's socket to a house behind real WebSockets, with a login whose tokens are T1, T2 and so on. */
async function line() {
  const house = new House("Ada", "Ben", "Cleo");
  const server = await new Sockets(house).open();
  open.push(server);
  const session = {
    serial: 1,
    refreshes: 0,
    unreachable: false,
    onToken: null as ((token: string) => void) | null,
    fresh: () =>
      session.unreachable ? Promise.reject(new Error("unreachable")) : Promise.resolve(`T${session.serial}`),
    refresh: () => {
      session.refreshes++;
      const token = `T${++session.serial}`;
      session.onToken?.(token);
      return Promise.resolve(token);
    },
  };
  const socket = new LiveSocket(`ws://${server.address}`, session);
  const told: string[] = [];
  socket.onEvent = (event) => told.push(event);
  const follow = (document = AttendanceUpdated as unknown as Parameters<typeof print>[0]): Following => {
    const events: string[] = [];
    const ends: string[] = [];
    const stop = socket.subscribe(
      { query: print(document), variables: { date: TODAY } },
      {
        next: ({ data }) => {
          const change = data?.attendanceUpdated as { staffName: string; status: string } | undefined;
          events.push(change ? `${change.staffName} ${change.status}` : "the day");
        },
        error: (error) => ends.push(Array.isArray(error) ? "refused" : `closed with ${(error as CloseEvent).code}`),
        complete: () => ends.push("complete"),
      },
      (data) => (data.attendanceUpdated as { feedCursor: string } | undefined)?.feedCursor,
    );
    return { events, ends, stop };
  };
  /** A subscription to the changes that the server has begun to serve. */
  const followed = async (): Promise<Following> => {
    const before = house.listeners;
    const it = follow();
    await until(() => house.listeners > before && told.at(-1) === "connected");
    return it;
  };
  const count = (event: string) => told.filter((each) => each === event).length;
  return { house, server, session, socket, told, count, follow, followed };
}

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
  const first = [follow(), follow(AttendanceDayUpdated), follow()];
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

test("after a cut each subscription goes on after its last event: nothing is missed, nothing comes twice", async () => {
  const { house, server, count, follow } = await line();
  const one = follow();
  const day = follow(AttendanceDayUpdated);
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

test("attempts come at longer and longer intervals, up to fifteen seconds, without end", async () => {
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
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
});

test("an interval is never shorter than a third of the longest, so that boards come one after another", async () => {
  const { server, count, follow } = await line();
  vi.spyOn(Math, "random").mockReturnValue(0);
  server.handshake = "refused";
  follow();
  await until(() => count("closed") === 1);
  await settle();
  await pass(149);
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
  server.end();
  await until(() => count("closed") === 5);
  await settle();
  await pass(500);
  await until(() => count("connected") === 3);
});

test("a wait is cut short when the machine wakes, and there is still one connection", async () => {
  const { server, socket, count, follow } = await line();
  server.handshake = "refused";
  follow();
  follow();
  await until(() => count("closed") === 1);
  await settle();
  await pass(500);
  await until(() => count("closed") === 2);
  await settle();
  server.handshake = "accepted";
  for (let times = 0; times < 3; times++) socket.check();
  await until(() => count("connected") === 1);
  for (let times = 0; times < 3; times++) socket.check();
  await pass(5_000);
  expect([server.attempts, server.live, count("connecting")]).toEqual([3, 1, 3]);
});

test("a check of a connection that is dead finds that out within five seconds", async () => {
  const { house, server, socket, count, followed } = await line();
  const it = await followed();
  server.freeze();
  house.mark("Ada", "PRESENT"); // still reaches us; what we send does not arrive
  await until(() => it.events.length === 1);
  socket.check();
  await pass(4_999);
  expect(count("closed")).toBe(0);
  await pass(1);
  expect(count("closed")).toBe(1);
  await pass(500);
  await until(() => count("connected") === 2);
});

test("a check of a connection that is well changes nothing", async () => {
  const { server, socket, told, followed } = await line();
  await followed();
  socket.check();
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

test("a server that accepts a connection and then says nothing is left after ten seconds", async () => {
  const { server, count, follow } = await line();
  server.mute = true;
  follow();
  await until(() => server.count("connection_init") === 1);
  server.mute = false;
  await pass(10_000);
  await until(() => count("closed") === 1);
  await settle();
  await pass(500);
  await until(() => count("connected") === 1);
});

test("a token that the server no longer accepts is replaced by a fresh one before the next attempt", async () => {
  const { house, server, session, count, followed } = await line();
  const it = await followed();
  server.accepts = (token) => token === "T2";
  server.end(4403);
  await until(() => count("closed") === 1);
  house.mark("Ada", "LATE");
  await settle();
  await pass(500);
  await until(() => it.events.length === 0 && count("connected") === 2);
  expect(session.refreshes).toBe(1);
  expect(server.inits.map((init) => (init as { authorization: string }).authorization)).toEqual([
    "Bearer T1",
    "Bearer T2",
  ]);
});

test("a login that has ended (4401) ends every subscription, once, and nothing connects again by itself", async () => {
  const { house, server, count, follow, followed } = await line();
  const one = await followed();
  const other = follow();
  await until(() => house.listeners === 2);
  server.end(4401);
  await until(() => one.ends.length > 0 && other.ends.length > 0);
  await pass(60_000);
  expect([one.ends, other.ends]).toEqual([["closed with 4401"], ["closed with 4401"]]);
  expect([server.attempts, count("connecting")]).toEqual([1, 1]);
  const next = await followed();
  house.mark("Ada", "LATE");
  await until(() => next.events.length === 1);
  expect(server.inits.at(-1)).toEqual({ authorization: "Bearer T1", resume: {} });
  next.stop();
  await until(() => house.listeners === 0);
  await pass(2_000);
  await until(() => server.live === 0);
});

test("a new token is sent with a ping, and the connection stays", async () => {
  const { server, session, told, followed } = await line();
  await session.refresh();
  expect(server.attempts).toBe(0);
  await followed();
  await session.refresh();
  await until(() => server.count("ping") === 1);
  expect(server.received[0]?.find(({ type }) => type === "ping")).toEqual({
    type: "ping",
    payload: { authorization: "Bearer T3" },
  });
  await pass(9_000);
  expect(told).toEqual(["connecting", "connected"]);
});

test("while no token can be had the attempts go on, and the subscription resumes in the end", async () => {
  const { house, server, session, count, followed } = await line();
  const it = await followed();
  house.mark("Ada", "PRESENT");
  await until(() => it.events.length === 1);
  session.unreachable = true;
  server.end();
  await until(() => count("closed") === 1);
  await settle();
  await pass(500);
  await until(() => count("closed") === 2);
  await settle();
  house.mark("Ben", "LATE");
  session.unreachable = false;
  await pass(1_000);
  await until(() => count("connected") === 2);
  await pass(50);
  expect(it.events).toEqual(["Ada PRESENT", "Ben LATE"]);
  expect(it.ends).toEqual([]);
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

test("a subscription that the server refuses says why, and is not resumed after a cut", async () => {
  const { house, server, count, follow, followed } = await line();
  const it = await followed();
  house.mark("Ada", "PRESENT");
  await until(() => it.events.length === 1);
  house.restore();
  const other = follow(AttendanceDayUpdated);
  await settle();
  await pass(50);
  expect(other.events).toEqual(["the day"]);
  server.end();
  await until(() => count("closed") === 1);
  await settle();
  await pass(500);
  await until(() => it.ends.length > 0);
  expect(it.ends).toEqual(["refused"]);
  server.end();
  await until(() => count("closed") === 2);
  await settle();
  await pass(500);
  await until(() => count("connected") === 3);
  expect(server.inits.at(-1)).toEqual({ authorization: "Bearer T1", resume: {} });
});
