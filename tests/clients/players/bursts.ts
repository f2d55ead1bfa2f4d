/** Events that come in bursts; fails when something does not hold. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import { batched, type Sink } from "@memberstaff/client";

// The first event after a pause is handed on at once, and those that follow come together.
mock.timers.enable({ apis: ["setTimeout"] });
let now = 0;
mock.method(performance, "now", () => now);
const sinks: Sink[] = [];
const source = {
  subscribe(_: unknown, sink: Sink) {
    sinks.push(sink);
    return () => void seen.push("ended");
  },
};
let seen: unknown[] = [];
const sink: Sink = {
  next: ({ data }) => seen.push(data),
  error: ({ message }) => seen.push(message),
  complete: () => seen.push("complete"),
};
const told = (): unknown[] => seen.splice(0);
const subscriptions = batched(source);
const stop = subscriptions.subscribe({ query: "" }, sink);
for (const data of ["a", "b", "c"]) sinks[0]!.next({ data });
mock.timers.tick(1);
mock.timers.tick(49);
assert.deepEqual(told(), ["a"]);
mock.timers.tick(1);
assert.deepEqual(told(), ["b", "c"]);

// What waits comes before the end.
mock.timers.tick(1);
sinks[0]!.next({ data: "d" });
sinks[0]!.complete();
assert.deepEqual(told(), ["d", "complete"]);
subscriptions.subscribe({ query: "" }, sink);
sinks[1]!.next({ data: "e" });
sinks[1]!.error(new Error("over"));
assert.deepEqual(told(), ["e", "over"]);

// Whoever has unsubscribed is told nothing more.
subscriptions.subscribe({ query: "" }, sink)();
sinks[2]!.next({ data: "f" });
stop();
mock.timers.tick(1);
mock.timers.tick(50);
assert.deepEqual(told(), ["ended", "ended"]);

// After a slow delivery, the pause is three times as long as the delivery.
const slow = batched({ subscribe: (_, own) => (sinks.push(own), () => {}) });
slow.subscribe({ query: "" }, { ...sink, next: ({ data }) => ((now += data === "slow" ? 100 : 0), seen.push(data)) });
sinks[3]!.next({ data: "slow" });
mock.timers.tick(1);
sinks[3]!.next({ data: "g" });
mock.timers.tick(299);
assert.deepEqual(told(), ["slow"]);
mock.timers.tick(1);
assert.deepEqual(told(), ["g"]);

// What one sink throws is its own, uncaught, and the others are told.
const thrown: unknown[] = [];
process.on("uncaughtException", ({ message }) => thrown.push(message));
const shared = batched({ subscribe: (_, own) => (sinks.push(own), () => {}) });
const bad = (): never => {
  throw new Error("bad");
};
for (const next of [sink.next, bad, sink.next]) shared.subscribe({ query: "" }, { ...sink, next });
for (const own of sinks.slice(4)) own.next({ data: "h" });
mock.timers.tick(1);
mock.timers.tick(50);
await new Promise((done) => setImmediate(done));
assert.deepEqual([told(), thrown], [["h", "h"], ["bad"]]);
