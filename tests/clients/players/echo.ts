/**
 * Runs Laravel Echo as front ends have it. Says what its clients hear as lines of JSON, and does what it is told to by
 * lines on its standard input:   node echo.ts ADDRESS
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import Echo, { type EchoOptions } from "laravel-echo";
import type PusherClient from "pusher-js";
import { Live, type Updated } from "../examples/echo.ts";
import { Session } from "@memberstaff/client";

interface Told {
  command: keyof typeof does;
  client: string;
  /** The major version of pusher-js. */
  pusher: 7 | 8;
  key: string;
  /** What a front end adds to its configuration. */
  options: Record<string, unknown>;
  channel: string;
  email: string;
  password: string;
  date: string;
  /** In the place of the day's, the first time. */
  cursor?: string;
}

const [address] = process.argv.slice(2) as [string];
const load = createRequire(import.meta.url);
const io = load("socket.io-client"); // 2, which has no types
// As browsers have it: the build for workers uses the platform's WebSocket and fetch, and needs nothing of a page.
Object.assign(globalThis, { self: globalThis, window: { crypto }, XMLHttpRequest: undefined });
const Pusher: Record<7 | 8, typeof PusherClient> = { 7: load("pusher-js-7/worker"), 8: load("pusher-js/worker") };
const echoes = new Map<string, Echo<"pusher">>();
const lives = new Map<string, Live>();
const sessions = new Map<string, Session>();

const does = {
  /** The configuration that front ends have had all along. */
  open({ client, pusher, key, options }: Told): void {
    const { hostname: wsHost, port: wsPort } = new URL(address);
    // #region original
    const original: EchoOptions<"pusher"> = {
      broadcaster: "pusher",
      key,
      wsHost,
      wsPort: Number(wsPort),
      forceTLS: false,
      disableStats: true,
      cluster: "",
    };
    // #endregion
    keep(client, new Echo({ ...original, ...options, Pusher: Pusher[pusher] }));
  },
  /** The configuration for laravel-echo-server; it says when it is in the presence channel, and so in both. */
  socketIo({ client, channel, options }: Told): void {
    const echo = new Echo({ broadcaster: "socket.io", client: io, ...options });
    echo.channel(channel).listen(".attendance.updated", (data: unknown) => say(client, "event", data));
    echo.join(channel).here((members: { name: string }[]) => say(client, "here", names(members)));
  },
  channel: ({ client, channel }: Told): unknown => listen(client, channel, echoes.get(client)!.channel(channel)),
  private: ({ client, channel }: Told): unknown => listen(client, channel, echoes.get(client)!.private(channel)),
  join({ client, channel }: Told): void {
    const joined = echoes.get(client)!.join(channel);
    joined.here((members: { name: string }[]) => say(client, "here", names(members)));
    joined.joining(({ name }: { name: string }) => say(client, "joining", name));
    joined.leaving(({ name }: { name: string }) => say(client, "leaving", name));
  },
  leave: ({ client, channel }: Told): void => echoes.get(client)!.leave(channel),
  /** The example, with a login. */
  async live({ client, pusher, key, email, password }: Told): Promise<void> {
    const session = new Session(address, { email, password });
    await session.token();
    sessions.set(client, session);
    const live = new Live(session, key, Pusher[pusher]);
    keep(client, live.echo);
    lives.set(client, live);
  },
  async day({ client, date, cursor }: Told): Promise<void> {
    let times = 0;
    const load = async () => {
      say(client, "day read", (times += 1));
      return times === 1 && cursor ? cursor : feedCursor(sessions.get(client)!, date);
    };
    await lives.get(client)!.watchDay(date, load, (update) => say(client, "change", change(update)));
    echoes.get(client)!.private(`attendance.${date}`).subscribed(() => say(client, "subscribed", `attendance.${date}`));
  },
  watch({ client }: Told): void {
    let times = 0;
    lives.get(client)!.watch(
      () => say(client, "all read", (times += 1)),
      (update) => say(client, "change of any day", change(update)),
    );
  },
};

function keep(client: string, echo: Echo<"pusher">): void {
  echoes.set(client, echo);
  const { connection } = echo.connector.pusher;
  connection.bind("state_change", ({ current }: { current: string }) => say(client, "state", current));
  connection.bind("error", ({ error }: { error?: { data?: { code?: number } } }) => {
    if (error?.data?.code) say(client, "closed", error.data.code);
  });
}

type Channel = ReturnType<Echo<"pusher">["channel"]>;

function listen(client: string, name: string, channel: Channel): void {
  channel.listen(".attendance.updated", (data: unknown) => say(client, "event", data));
  channel.subscribed(() => say(client, "subscribed", name));
  channel.error(({ type }: { type: string }) => say(client, "refused", [channel.name, type]));
}

async function feedCursor(session: Session, date: string): Promise<string> {
  const query = "query ($date: Date!) { attendanceDay(date: $date) { records(first: 1) { feedCursor } } }";
  const response = await fetch(`${address}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${await session.token()}` },
    body: JSON.stringify({ query, variables: { date } }),
  });
  const answer = (await response.json()) as { data: { attendanceDay: { records: { feedCursor: string } } } };
  return answer.data.attendanceDay.records.feedCursor;
}

const names = (members: { name: string }[]) => members.map(({ name }) => name).sort();

function change({ attendanceData: { staff_name, status } }: Updated): string {
  return `${staff_name} ${status}`;
}

function say(client: string, what: string, value: unknown): void {
  console.log(JSON.stringify([client, what, value]));
}

process.stdin.on("end", () => process.exit(0));
for await (const line of createInterface(process.stdin)) {
  const told = JSON.parse(line) as Told;
  await does[told.command](told);
  say(told.client, "done", told.command);
}
