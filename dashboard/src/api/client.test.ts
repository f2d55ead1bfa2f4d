import { Session } from "@memberstaff/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { LiveDay } from "../live/day";
import { pass, settle, startClock, stopClock, until } from "../testing/clock";
import { House, TODAY } from "../testing/house";
import { Sockets } from "../testing/sockets";
import { createApi, explain } from "./client";

const RENEWED = JSON.stringify({ authorization: "Bearer T2" });

const open: { close: () => void }[] = [];
let browsers = 0;

/** The tabs of one browser hear each other; each test is another browser. */
class Channel extends BroadcastChannel {
  constructor(name: string) {
    super(`${name} ${browsers}`);
    open.push(this);
  }
}

beforeEach(() => {
  browsers++;
  vi.stubGlobal("BroadcastChannel", Channel);
  stopClock();
});
afterEach(() => {
  for (const each of open.splice(0)) each.close();
  vi.unstubAllGlobals();
  startClock();
});

/** A board over a real WebSocket, with a real session: everything but the page. */
async function board() {
  const house = new House("Ada", "Ben");
  const login = { serial: 0, ended: false, renamed: "Grace", news: [] as object[] };
  const place = { timeZone: "Europe/Berlin", organisation: "School" };
  const viewer = { id: "V", accountId: "A", displayName: "Grace", role: "ADMIN", ...place };
  const server = await new Sockets(house, {
    refreshSession: () => {
      if (login.ended) return { accessToken: null, expiresAt: null, viewer: null, errors: [] };
      const expiresAt = new Date(Date.now() + 900_000).toISOString();
      return { accessToken: `T${++login.serial}`, expiresAt, viewer: { ...viewer, displayName: login.renamed, today: TODAY }, errors: [] };
    },
    changePassword: async () => {
      for (const news of login.news.splice(0)) new Channel(`memberstaff http://${server.address.split("/")[0]}`).postMessage(news);
      await settle();
      login.serial++;
      server.end(4401); // the sockets of the old session, before the answer
      const expiresAt = new Date(Date.now() + 900_000).toISOString();
      return { accessToken: `T${login.serial}`, expiresAt, errors: [] };
    },
  }).open();
  open.push(server);
  server.accepts = (token) => token === `T${login.serial}` && !login.ended;
  vi.stubGlobal("fetch", server.fetch);
  const session = new Session(`http://${server.address}`, { cookie: true });
  await until(() => session.state.status === "in");
  const api = createApi(session, { ...viewer, role: "ADMIN", today: TODAY });
  const day = new LiveDay(api, TODAY);
  const events: string[] = [];
  day.onChange = ({ staffName, status }) => events.push(`${staffName} ${status}`);
  const shown = () => day.board.get().records.map(({ staffName, status }) => `${staffName} ${status}`);
  return { house, login, server, session, api, day, events, shown };
}

test("a board misses nothing through two lost connections, and is read from the server once", async () => {
  const { house, server, day, events, shown } = await board();
  day.open();
  await until(() => house.listeners === 2);
  for (const status of ["PRESENT", "LATE"] as const) {
    server.end();
    await until(() => house.listeners === 0);
    house.mark("Ada", status);
    house.mark("Ben", status);
    await settle();
    await pass(500);
    await until(() => house.listeners === 2);
    await settle();
    await pass(100);
  }
  expect(events).toEqual(["Ada PRESENT", "Ben PRESENT", "Ada LATE", "Ben LATE"]);
  expect(shown()).toEqual(["Ada LATE", "Ben LATE"]);
  expect(server.asked.filter((name) => name === "DayBoard")).toHaveLength(1);
  day.close();
});

test("whoever is renamed goes on with the same client, and marks under the new name", async () => {
  const { login, session, api } = await board();
  const { viewer } = session.state as { viewer: object };
  login.renamed = "Grace Hopper";
  await session.refused("T1");
  await session.token();
  await settle();
  expect(session.state).toEqual({ status: "in", viewer: { ...viewer, displayName: "Grace Hopper" } });
  expect(api.viewer.displayName).toBe("Grace Hopper");
});

test("a request whose token has been refused is sent again with a fresh one", async () => {
  const { login, server, day, shown } = await board();
  server.accepts = (token) => token === "T2" && login.serial === 2;
  day.open();
  await until(() => shown().length === 2);
  expect(server.asked).toEqual(["RefreshSession", "DayBoard", "RefreshSession", "DayBoard"]);
  day.close();
});

test("a token is renewed a minute before it ends, and the open socket is told", async () => {
  const { house, server, day } = await board();
  day.open();
  await until(() => house.listeners === 2);
  for (let passed = 0; passed < 840; passed += 10) {
    const pings = server.count("ping");
    await pass(10_000);
    await until(() => server.count("ping") > pings);
  }
  await until(() => server.received[0]?.some(({ payload }) => JSON.stringify(payload) === RENEWED) ?? false);
  expect(server.received).toHaveLength(1);
  day.close();
});

test("a login that has ended on the server ends here, and nothing of it connects again", async () => {
  const { house, login, server, session, day } = await board();
  const ended = session.subscribe(() => day.close()); // as the page does: the board goes with the login
  day.open();
  await until(() => house.listeners === 2);
  login.ended = true;
  server.end(4401);
  await pass(5_000);
  await until(() => session.state.status === "out");
  ended();
  const { attempts } = server;
  await pass(60_000);
  expect(server.attempts).toBe(attempts);
  expect(house.listeners).toBe(0);
});

test("whoever changes their password stays logged in, and the board goes on", async () => {
  const { house, server, session, day, shown } = await board();
  day.open();
  await until(() => house.listeners === 2);
  const states: string[] = [];
  session.subscribe(() => states.push(session.state.status));
  await session.changePassword("old", "new");
  expect(await session.token()).toBe("T2");
  await until(() => house.listeners === 0);
  for (let seconds = 0; seconds < 10 && house.listeners < 2; seconds++) await pass(1_000);
  await until(() => house.listeners === 2);
  house.mark("Ada", "LATE");
  await settle();
  await pass(100);
  await until(() => shown()[0] === "Ada LATE");
  expect(server.asked.filter((name) => name === "RefreshSession")).toHaveLength(1);
  expect(states).toEqual([]);
  day.close();
});

test("a password that is changed while another tab renews the login leaves this one with the newest token", async () => {
  const { login, server, session } = await board();
  const { viewer } = session.state as { viewer: object };
  login.news.push({ accessToken: "T1 of the other tab", refreshToken: null, renewAt: Date.now() + 840_000, viewer });
  await session.changePassword("old", "new");
  expect(await session.token()).toBe("T2");
  expect(server.asked).toEqual(["RefreshSession", "ChangePassword"]);
});

test("a proxy that does not find the server for a moment logs nobody out", async () => {
  const granted = { accessToken: "T", expiresAt: new Date(Date.now() + 900_000).toISOString(), errors: [] };
  const answers = [new Response("404 page not found", { status: 404 }), Response.json({ data: { refreshSession: granted } })];
  vi.stubGlobal("fetch", () => Promise.resolve(answers.shift()));
  const session = new Session("http://house", { cookie: true });
  const states: string[] = [];
  session.subscribe(() => states.push(session.state.status));
  await settle();
  await pass(1_000);
  expect(states).toEqual(["starting", "in"]);
});

test.each([
  ["The session has ended. Log in again.", "The access token has expired. Refresh the session, or log in again.", "TOKEN_EXPIRED"],
  ["The session has ended. Log in again.", "Log in first: this needs a valid access token.", undefined],
  ["The account has been disabled. Ask an administrator.", "The account has been disabled. Ask an administrator.", "ACCOUNT_DISABLED"],
])("people are told %s", (shown, message, reason) => {
  expect(explain([{ message, extensions: { code: "UNAUTHENTICATED", reason } }])).toBe(shown);
});
