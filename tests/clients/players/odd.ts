/** A server, or what stands before it, that answers oddly; fails when something does not hold. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { execute, NoAnswer, Session } from "@memberstaff/client";
import { watchDay } from "@memberstaff/client/plain";
import { connect } from "@memberstaff/client/sse";

type Given = [status: number, body: unknown, retryAfter?: string];
/** What is answered to a request whose body has a text. */
let answers: Record<string, Given[]> = {};
let seen: string[] = [];

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const [asked = "", given] = Object.entries(answers).find(([part]) => text.includes(part)) ?? [];
  seen.push(asked);
  const [status, body, retryAfter] = (given!.length > 1 ? given!.shift() : given![0])!;
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

server.close();
process.exit();
