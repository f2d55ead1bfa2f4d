/**
 * Runs clients. Says what each of them shows and hears as lines of JSON, and does what it is told to by lines on its
 * standard input:   node play.ts ADDRESS EMAIL PASSWORD DATE CLIENT…
 */
import { createInterface } from "node:readline";
import { Session } from "@memberstaff/client";
import { connect as events } from "@memberstaff/client/sse";
import { connect as websocket } from "@memberstaff/client/ws";
import { hold, release, boardsRead } from "./network.ts";
import type { Play, Player } from "./player.ts";

const transports = { websocket, events };
const players: Record<string, () => Promise<Play>> = {
  apollo: async () => (await import("./apollo.ts")).apollo,
  urql: async () => (await import("./urql.ts")).urql,
  relay: async () => (await import("./relay.ts")).relay,
  plain: async () => (await import("./plain.ts")).plain,
  eventsource: async () => (await import("./event-source.ts")).eventSource,
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

const [address, email, password, date, ...names] = process.argv.slice(2) as [string, string, string, string, ...string[]];
const playing: Promise<Player>[] = names.map(async (name) => {
  const say = (what: string, value: unknown) => console.log(JSON.stringify([name, what, value]));
  const session = new ToldSession(address, { email, password });
  await session.token();
  let renewed = 0;
  session.told = () => say("renewed", (renewed += 1));
  const [library, transport = "events"] = name.split("-") as [string, keyof typeof transports];
  const play = await players[library]!();
  return play(session, transports[transport](session), date, (what, value) => {
    say(what, value);
    if (what === "board") say("read", boardsRead());
  });
});

const network = { hold, release };

process.stdin.on("end", () => process.exit(0));
for await (const line of createInterface(process.stdin)) {
  const { command, ...values } = JSON.parse(line) as { command: string };
  const isPlayers = !(command in network);
  if (!isPlayers) network[command as keyof typeof network](values as never);
  for (const [index, player] of (await Promise.all(playing)).entries()) {
    const said = (): void => console.log(JSON.stringify([names[index], "done", command]));
    const done = isPlayers ? player[command as keyof Player](values as never) : undefined;
    if (command === "show" && done) await done;
    if (command === "show" || command === "watch" || command === "unwatch" || !isPlayers) said();
    else void Promise.resolve(done).then(said); // its answer may be held back
  }
}
