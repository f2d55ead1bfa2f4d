/** A server, or what stands before it, that answers oddly; fails when something does not hold. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { cursorIn, execute, NoAnswer, Session } from "@memberstaff/client";
import { ChangesDocument, watchDay as watchApollo } from "@memberstaff/client/apollo";
import type { BoardDay, Documents, RecordChange } from "@memberstaff/client/apollo";
import { watchDay } from "@memberstaff/client/plain";
import { connect } from "@memberstaff/client/sse";
import { parse } from "graphql";
import { createApollo } from "../examples/apollo.ts";

type Given = [status: number, body: unknown, retryAfter?: string];
/** What is answered to a request whose body has a text. */
let answers: Record<string, Given[]> = {};
let seen: string[] = [];

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const [asked, given] = Object.entries(answers).find(([part]) => text.includes(part)) ?? ["what is over", [[503, ""]] as Given[]];
  seen.push(asked);
  const [status, body, retryAfter] = (given.length > 1 ? given.shift() : given[0])!;
  response.writeHead(status, retryAfter ? { "retry-after": retryAfter } : {});
  response.end(typeof body === "string" ? body : JSON.stringify(body));
});
await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
const address = `http://127.0.0.1:${(server.address() as { port: number }).port}`;

/** Milliseconds that an event stream may say nothing. */
const SILENCE = 40_000;

/** Whoever waits does not, and says for how many whole seconds it would have. */
const waits: number[] = [];
const { setTimeout: timer } = globalThis;
globalThis.setTimeout = ((done: () => void, milliseconds: number, ...rest: unknown[]) => {
  const isWait = rest.length === 0 && milliseconds !== SILENCE; // those of `fetch` have more to say
  if (isWait && milliseconds >= 1_000) waits.push(Math.floor(milliseconds / 10_000) * 10);
  return timer(done, isWait ? 0 : milliseconds, ...rest);
}) as typeof setTimeout;

const tokens = { accessToken: "a", refreshToken: "r", expiresAt: new Date(Date.now() + 900_000).toISOString(), errors: [] };
const login: Given = [200, { data: { login: tokens } }];
const refresh: Given = [200, { data: { refreshSession: { ...tokens, accessToken: "b", refreshToken: "s" } } }];
const error = (code: string, more: object = {}) => ({ data: null, errors: [{ message: "No.", extensions: { code, ...more } }] });
const credentials = { email: "a", password: "b" };
const page: Given = [503, "<html>Busy</html>", "30"];

// A proxy's page has only the header to say when to come back, and no server is obeyed for longer than five minutes.
answers = { "mutation Login": [page, [429, "Slow down", "40"], [503, error("UNAVAILABLE", { retryAfter: 3_000_000 })], login], "{ q }": [page] };
const session = new Session(address, credentials);
await session.token();
assert.deepEqual(waits.splice(0), [30, 40, 300]);
await assert.rejects(execute(session, { query: "{ q }" }), new NoAnswer(503, 30));

answers = {
  "query Board": [page, [200, { data: { attendanceDay: { records: { feedCursor: "c", rosterVersion: 1 } } } }]],
  "subscription ": [page, page, [403, error("FORBIDDEN")]],
};
await new Promise((over) => watchDay(session, connect(session), "2026-01-12", { onError: over }));
assert.deepEqual(waits.splice(0), [30, 30, 30]);

// Whoever logs out has done so when the server says it, and not when a gateway answers in its place.
const values = new Map<string, string>();
const storage = {
  getItem: (key: string) => values.get(key) ?? null,
  setItem: (key: string, value: string) => values.set(key, value),
  removeItem: (key: string) => values.delete(key),
};
answers = { "mutation Login": [login], "mutation Refresh": [refresh], "mutation Logout": [] };
const kept = new Session(address, credentials, { storage });
await kept.token();
for (const given of [[502, { message: "Bad Gateway" }], [401, error("UNAUTHENTICATED")], [200, error("INTERNAL")]] as Given[]) {
  answers["mutation Logout"] = [given];
  await assert.rejects(kept.logout());
  assert.equal(values.size, 1);
}
seen = [];
answers["mutation Logout"] = [[401, error("UNAUTHENTICATED")], [200, { data: { logout: { errors: [] } } }]];
await kept.logout();
assert.deepEqual([seen, values.size], [["mutation Logout", "mutation Refresh", "mutation Logout"], 0]);

// Whoever watches hears why it waits: of the session, of the day, and of the subscriptions.
const busy: Given = [503, error("UNAVAILABLE", { retryAfter: 7 })];
const board: Given = [200, { data: { attendanceDay: { records: { feedCursor: "c", rosterVersion: 1 } } } }];
const denied: Given = [403, error("FORBIDDEN")];
const told: unknown[] = [];
const watched = async (own: Session): Promise<unknown[]> => {
  await new Promise((over) =>
    watchDay(own, connect(own), "2026-01-12", {
      onDay: () => told.push("day"),
      onWaiting: ({ message }, seconds) => told.push([message, seconds]),
      onError: ({ name, message }) => over(told.push([name, message])),
    }),
  );
  return told.splice(0);
};
const unread = "The server's answer, with the status 503, cannot be read.";
answers = { "mutation Login": [page, login], "query Board": [busy, board], "subscription ": [[200, error("UNAVAILABLE")], denied] };
assert.deepEqual(await watched(new Session(`${address}/graphql`, credentials)), [
  [unread, 30],
  ["No.", 7],
  "day",
  ["No.", 0],
  ["OperationFailed", "No."],
]);

// Another program at the address is an error at once, and so is a storage that fails.
answers = { "mutation Login": [[404, "<html>Not here</html>"]] };
assert.deepEqual(await watched(new Session(`${address}/`, credentials)), [
  ["SessionEnded", `${address} is not the address of memberstaff. The server's answer, with the status 404, cannot be read.`],
]);
answers = { "mutation Login": [login], "mutation Refresh": [refresh] };
const full = (): never => {
  throw new Error("It is full.");
};
const failed = [["SessionEnded", "The storage of the session has failed: It is full."]];
assert.deepEqual(await watched(new Session(address, credentials, { storage: { ...storage, setItem: full } })), failed);
assert.deepEqual(await watched(new Session(address, { stored: true }, { storage: { ...storage, getItem: full } })), failed);

// Somebody else's tokens are taken as they come, and asked for again after an error.
const given = ["t", "u"];
const borrowed = new Session(address, {
  token: async () => {
    if (given.length === 2 && told.push("asked") === 1) throw new Error("Not now.");
    return given.shift()!;
  },
});
assert.equal(await borrowed.token(), "t");
await borrowed.refused("t");
assert.deepEqual([await borrowed.token(), told.splice(0)], ["u", ["asked", "asked"]]);

// A subscription of one's own goes on after its last event, whatever it calls the field.
assert.equal(cursorIn({ mine: { feedCursor: "c" } }), "c");
assert.equal(cursorIn({ day: { records: { feedCursor: "d" } } }), "d");
assert.equal(cursorIn({ day: null }), undefined);

// What stands in Apollo's cache is told when its watcher knows how to stop, and what is emptied is read again.
const OWN = parse("query Board($date: Date!) { attendanceDay(date: $date) { id records(first: 9) { feedCursor rosterVersion } } }");
const records = { __typename: "AttendanceConnection", feedCursor: "c", rosterVersion: 1 };
answers = { "query Board": [[200, { data: { attendanceDay: { __typename: "AttendanceDay", id: "D", records } } }]] };
const apollo = createApollo(session, { subscribe: () => () => {} });
const documents = { board: OWN, changes: ChangesDocument } as Documents<BoardDay, RecordChange>;
const follow = async (then: () => unknown): Promise<void> => {
  let stop: (() => void) | undefined;
  let days = 0;
  await new Promise<void>((read) => {
    stop = watchApollo(apollo, "2026-01-12", {
      onDay() {
        assert.equal(typeof stop, "function");
        if ((days += 1) === 1) void Promise.resolve(then()).then(() => then === nothing && read());
        else read();
      },
    }, documents);
  });
  stop!();
};
const nothing = (): void => {};
await follow(nothing);
await follow(nothing);
seen = [];
await follow(() => apollo.clearStore());
await follow(() => apollo.resetStore());
assert.deepEqual(seen, ["query Board", "query Board"]);

server.close();
process.exit();
