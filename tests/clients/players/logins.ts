/** Logins that come while something else is under way; fails when something does not hold. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { Session, SessionEnded } from "@memberstaff/client";

// A page without TLS, where tabs cannot wait for each other.
Object.defineProperty(globalThis.navigator, "locks", { value: undefined });

interface Asked {
  /** The mutation, and the refresh token, the email or the access token with which it came. */
  what: string;
  /** Answer with tokens, of this name and account; with none, refuse. */
  grant: (name: string | null, accountId?: string) => void;
  lose: () => void;
}
const asked: Asked[] = [];

const server = ((_: unknown, init: RequestInit) =>
  new Promise<Response>((answer, fail) => {
    const { query, variables = {} } = JSON.parse(String(init.body)) as { query: string; variables?: { input?: Record<string, string> } };
    const field = /{ (\w+)/.exec(query.slice(query.indexOf("{")))![1]!;
    const { refreshToken, email } = variables.input ?? {};
    const { authorization } = init.headers as Record<string, string>;
    asked.push({
      what: [field, refreshToken ?? email ?? authorization?.slice(7)].join(" "),
      grant(name, accountId = "A") {
        const viewer = { accountId, displayName: name, today: "2026-01-12" };
        const tokens = name && { accessToken: name, refreshToken: `${name}'s`, expiresAt: "2999-01-01T00:00:00Z", viewer };
        const refused = { accessToken: null, expiresAt: null, refreshToken: null, viewer: null };
        const errors = name ? [] : [{ code: "BAD_CREDENTIALS", message: "It is refused." }];
        answer(Response.json({ data: { [field]: { ...(tokens || refused), errors } } }));
      },
      lose: () => fail(new TypeError("Failed to fetch")),
    });
  })) as typeof fetch;

/** The next that is asked; it must be this. */
async function next(what: string): Promise<Asked> {
  while (asked.length === 0) await setImmediate();
  const first = asked.shift()!;
  assert.equal(first.what, what);
  return first;
}

async function settled(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await setImmediate();
  assert.deepEqual(asked, []);
}

function storage(stored?: string) {
  const values = new Map(stored === undefined ? [] : [["memberstaff http://house", stored]]);
  return {
    values,
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => values.set(key, value),
    removeItem: (key: string) => values.delete(key),
  };
}

const house = (credentials: ConstructorParameters<typeof Session>[1], kept?: ReturnType<typeof storage>) =>
  new Session("http://house", credentials, { fetch: server, ...(kept && { storage: kept }) });
const stateOf = ({ state }: Session) => (state.status === "in" ? state.viewer?.displayName : state.status);
const login = async (session: Session, name: string, account = "A"): Promise<void> => {
  const done = session.login(name, "password");
  (await next(`login ${name}`)).grant(name, account);
  await done;
};

// A session that tries again to begin is over with a login, and whoever waits for it gets the login's token.
let session = house({ refreshToken: "old" });
let waiting = session.token();
(await next("refreshSession old")).lose();
await setImmediate();
await login(session, "Bo");
assert.deepEqual([await waiting, await session.token(), stateOf(session)], ["Bo", "Bo", "Bo"]);

// So does whoever waits for an answer, or for somebody else's token, that does not come.
for (const never of [{ refreshToken: "old" }, { token: () => new Promise<string>(() => {}) }]) {
  session = house(never);
  waiting = session.token();
  if ("refreshToken" in never) await next("refreshSession old");
  await login(session, "Bo");
  assert.equal(await waiting, "Bo");
}

// Neither a refusal nor tokens of the login before, which arrive later, put an end to it or take its place.
for (const late of [null, "Al"]) {
  const kept = storage("old");
  session = house({ stored: true }, kept);
  waiting = session.token();
  const refresh = await next("refreshSession old");
  await login(session, "Bo", "B");
  refresh.grant(late);
  assert.equal(await waiting, "Bo");
  await settled();
  assert.deepEqual([await session.token(), stateOf(session), [...kept.values.values()]], ["Bo", "Bo", ["Bo's"]]);
}

// The same holds for a renewal, for a password that was being entered, and for somebody else's token.
session = house({ refreshToken: "old" });
(await next("refreshSession old")).grant("Al");
await session.token();
await session.refused("Al");
const renewal = await next("refreshSession Al's");
await login(session, "Bo", "B");
renewal.grant(null);
await settled();
assert.equal(stateOf(session), "Bo");
session = house({ email: "Al", password: "wrong" });
const first = await next("login Al");
await login(session, "Bo", "B");
first.grant("Al");
await settled();
assert.deepEqual([await session.token(), stateOf(session)], ["Bo", "Bo"]);
session = house({ token: () => Promise.reject(new SessionEnded("It is over.")) });
await assert.rejects(session.token());
await login(session, "Bo");
await session.refused("Bo");
(await next("refreshSession Bo's")).grant("Bo again");
assert.equal(await session.token(), "Bo again");

// Who logs out, or changes the password, does not do so to whoever has logged in meanwhile.
for (const [begin, what] of [
  [() => session.logout(), "logout"],
  [() => session.changePassword("old", "new"), "changePassword"],
] as const) {
  const kept = storage("old");
  session = house({ stored: true }, kept);
  (await next("refreshSession old")).grant("Al");
  await session.token();
  const done = begin();
  const request = await next(`${what} Al`);
  await login(session, "Bo", "B");
  request.grant("Al again");
  await done;
  await settled();
  assert.deepEqual([await session.token(), stateOf(session), [...kept.values.values()]], ["Bo", "Bo", ["Bo's"]]);
}

// Tabs that share a storage, and cannot wait for each other, lose nothing: neither a login made in the other tab meanwhile,
// nor the newer of two renewals.
for (const late of [null, "Al"]) {
  const kept = storage("old");
  const one = house({ stored: true }, kept);
  const refresh = await next("refreshSession old");
  const other = house({ email: "Bo", password: "password" }, kept);
  (await next("login Bo")).grant("Bo");
  await other.token();
  refresh.grant(late);
  (await next("refreshSession Bo's")).grant("Bo renewed");
  assert.deepEqual([await one.token(), await other.token(), [...kept.values.values()]], ["Bo renewed", "Bo", ["Bo renewed's"]]);
}
const shared = storage("old");
const tabs = [house({ stored: true }, shared), house({ stored: true }, shared)];
for (const each of [await next("refreshSession old"), await next("refreshSession old")]) each.grant("Al");
await Promise.all(tabs.map((tab) => tab.token()));
await settled();
assert.deepEqual([tabs.map(stateOf), [...shared.values.values()]], [["Al", "Al"], ["Al's"]]);
