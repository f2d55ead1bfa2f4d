/** A server that is too busy to let clients in; fails when one comes back before it was asked to, or stays away. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import { Session } from "@memberstaff/client";
import { connect } from "@memberstaff/client/ws";
import { createSocket } from "../examples/graphql-ws.ts";

const turn = globalThis.setImmediate;
/** Seconds pass, one by one, and what they start comes to its end. */
async function pass(seconds: number): Promise<void> {
  for (let passed = 0; passed <= seconds; passed += 1) {
    for (let turns = 0; turns < 10; turns += 1) await new Promise((done) => turn(done));
    if (passed < seconds) mock.timers.tick(1_000);
  }
}

/** How many sockets were opened; each is closed at once, as the server does it. */
let opened = 0;
let why = "";
globalThis.WebSocket = class {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  onclose?: (event: object) => void;
  constructor() {
    opened += 1;
    queueMicrotask(() => this.onclose?.({ code: 1013, reason: why, wasClean: true }));
  }
  close(): void {}
} as never;

const request = { query: "subscription { x }" };
const sink = { next: () => {}, error: assert.fail, complete: () => {} };

mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
const connection = connect(new Session("http://house", { token: () => "t" }));
const stock = createSocket("ws://house", () => Promise.resolve("t"));
for (const begin of [() => connection.subscribe(request, sink), () => stock.subscribe(request, sink)]) {
  opened = 0;
  why = "Too many clients are connecting at this moment. Retry-After: 40";
  const stop = begin();
  await pass(39);
  connection.check(); // the page has come back into view: a server that asked to be left alone is
  assert.equal(opened, 1);
  why = "Going away"; // nothing asked for
  await pass(3);
  assert.ok(opened >= 2, "It has not come back.");
  await pass(60);
  assert.ok(opened >= 6, "It stays away for longer than it was asked to.");
  stop();
  await pass(20); // it notices that nobody needs it
}
process.exit(0);
