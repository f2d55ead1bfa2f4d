/**
 * Runs the examples' clients. Says what each of them shows and hears as lines of JSON, and does what it is told to
 * by lines on its standard input:   node play.ts ADDRESS EMAIL PASSWORD DATE CLIENT…
 */
import { createInterface } from "node:readline";
import { Session } from "../examples/session.ts";
import type { Play, Player } from "./player.ts";

const players: Record<string, () => Promise<Play>> = {
  "apollo-websocket": async () => (await import("./apollo.ts")).apollo("websocket"),
  "apollo-multipart": async () => (await import("./apollo.ts")).apollo("multipart"),
  "urql-websocket": async () => (await import("./urql.ts")).urql("websocket"),
  "urql-events": async () => (await import("./urql.ts")).urql("events"),
  "graphql-ws": async () => (await import("./plain.ts")).graphqlWs,
  "graphql-sse": async () => (await import("./plain.ts")).graphqlSse,
  "event-source": async () => (await import("./event-source.ts")).eventSource,
};

let boardsRead = 0;
const { fetch } = globalThis;
globalThis.fetch = (address, options) => {
  if (typeof options?.body === "string" && options.body.includes("query Board")) boardsRead += 1;
  return fetch(address, options);
};

/** Says whenever it answers another token than before. */
class ToldSession extends Session {
  #last = "";
  told: (() => void) | undefined;

  override async token(): Promise<string> {
    const token = await super.token();
    if (token !== this.#last) this.told?.();
    this.#last = token;
    return token;
  }
}

const [address, email, password, date, ...names] = process.argv.slice(2) as [string, string, string, string];
const playing: Promise<Player>[] = names.map(async (name) => {
  const say = (what: string, value: unknown) => console.log(JSON.stringify([name, what, value]));
  const session = new ToldSession(address, email, password);
  await session.token();
  let renewed = 0;
  session.told = () => say("renewed", (renewed += 1));
  return (await players[name]!())(session, date, (what, value) => {
    say(what, value);
    if (what === "board") say("read", boardsRead);
  });
});

process.stdin.on("end", () => process.exit(0));
for await (const line of createInterface(process.stdin)) {
  const { command, ...values } = JSON.parse(line) as { command: keyof Player };
  for (const [index, player] of (await Promise.all(playing)).entries()) {
    const done = player[command](values as never);
    if (command !== "watch") await done; // which lasts for ever
    console.log(JSON.stringify([names[index], "done", command]));
  }
}
