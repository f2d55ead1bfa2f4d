/** What day it is, by a server's word and a clock; fails when something does not hold. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import { Session, watchToday } from "@memberstaff/client";

const turn = globalThis.setImmediate;
/** Seconds pass, one by one, and what they start comes to its end. */
async function pass(seconds: number): Promise<void> {
  for (let passed = 0; passed <= seconds; passed += 1) {
    for (let turns = 0; turns < 10; turns += 1) await new Promise((done) => turn(done));
    if (passed < seconds) mock.timers.tick(1_000);
  }
}

/** What the server says of today; null while it cannot be reached. */
let says: string | null = null;
let asked = 0;
let told: string[] = [];
function watch(now: string, first: string | null): () => void {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.parse(now) });
  [says, asked, told] = [first, 0, []];
  const answer = async (): Promise<Response> => {
    asked += 1;
    if (says === null) throw new TypeError("Failed to fetch");
    return Response.json({ data: { viewer: { today: says, timeZone: "Europe/Berlin" } } });
  };
  return watchToday(new Session("http://house", { token: () => "t" }, { fetch: answer }), (date) => told.push(date));
}

// The day moves on at midnight in the organisation's zone, and the server is asked then, not before.
let stop = watch("2026-11-23T22:59:50Z", "2026-11-23");
await pass(9);
assert.deepEqual([told, asked], [["2026-11-23"], 1]);
says = "2026-11-24";
await pass(60);
assert.deepEqual([told, asked], [["2026-11-23", "2026-11-24"], 2]);

// A machine that slept over midnight asks when it wakes.
stop();
stop = watch("2026-11-25T22:00:00Z", "2026-11-25");
await pass(1);
says = "2026-11-26";
mock.timers.setTime(Date.parse("2026-11-25T23:30:00Z"));
await pass(1);
assert.deepEqual([told, asked], [["2026-11-25", "2026-11-26"], 2]);

// Whoever has stopped is told nothing more.
stop();
says = "2026-11-27";
mock.timers.setTime(Date.parse("2026-11-27T07:00:00Z"));
await pass(60);
assert.deepEqual([told.length, asked], [2, 2]);

// A clock that is ahead does not move the day, and asks twice a minute.
stop = watch("2026-11-23T23:00:00Z", "2026-11-23");
await pass(60);
assert.deepEqual([told, asked], [["2026-11-23"], 3]);
stop();

// With a clock that is behind, the day moves on when the login is renewed.
mock.timers.reset();
mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.parse("2026-11-23T12:00:00Z") });
[says, told] = ["2026-11-23", []];
const give = (_: unknown, init?: RequestInit): Promise<Response> => {
  assert.match(String(init?.body), /mutation (Login|Refresh)/);
  const viewer = { accountId: "A", timeZone: "Europe/Berlin", today: says };
  const tokens = { accessToken: `t ${says}`, expiresAt: "2026-11-23T12:15:00Z", refreshToken: "r", viewer, errors: [] };
  return Promise.resolve(Response.json({ data: { login: tokens } }));
};
const behind = new Session("http://house", { email: "e", password: "p" }, { fetch: give });
await behind.token();
stop = watchToday(behind, (date) => told.push(date));
await pass(60);
assert.deepEqual(told, ["2026-11-23"]);
says = "2026-11-24";
await behind.refused(await behind.token());
await pass(1);
assert.deepEqual(told, ["2026-11-23", "2026-11-24"]);
stop();

// A server that cannot be reached is asked again.
stop = watch("2026-11-23T22:59:58Z", null);
await pass(5);
says = "2026-11-24";
await pass(10);
assert.deepEqual(told, ["2026-11-24"]);
stop();

// It rests when the login ends, and goes on with the next one, on whatever day.
mock.timers.reset();
mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.parse("2026-11-23T12:00:00Z") });
[says, asked, told] = ["2026-11-23", 0, []];
const enter = (_: unknown, init?: RequestInit): Promise<Response> => {
  asked += 1;
  const viewer = { accountId: "A", timeZone: "Europe/Berlin", today: says };
  const tokens = { accessToken: "t", expiresAt: "2026-11-24T12:15:00Z", refreshToken: "r", viewer, errors: [] };
  const refused = { ...tokens, accessToken: null, errors: [{ code: "BAD_CREDENTIALS", message: "It is over." }] };
  const body = String(init?.body);
  return Promise.resolve(Response.json({ data: { [body.includes("login") ? "login" : "refreshSession"]: body.includes("login") ? tokens : refused } }));
};
const session = new Session("http://house", { email: "e", password: "p" }, { fetch: enter });
await session.token();
stop = watchToday(session, (date) => told.push(date));
await pass(1);
await session.refused("t");
await pass(1);
assert.deepEqual([session.state.status, told, asked], ["out", ["2026-11-23"], 2]);
says = "2026-11-24";
mock.timers.setTime(Date.parse("2026-11-24T06:00:00Z"));
await pass(120);
assert.deepEqual([told, asked], [["2026-11-23"], 2]);
await session.login("e", "p");
await pass(1);
assert.deepEqual([told, asked], [["2026-11-23", "2026-11-24"], 3]);
stop();

// Whoever begins to watch later is told the newest date that the session knows, and not first that of the login.
says = "2026-11-25";
mock.timers.setTime(Date.parse("2026-11-25T06:00:00Z"));
told = [];
session.today = says; // as a renewal does
stop = watchToday(session, (date) => told.push(date));
await pass(1);
assert.deepEqual([told, asked], [["2026-11-25"], 3]);
stop();
process.exit();
