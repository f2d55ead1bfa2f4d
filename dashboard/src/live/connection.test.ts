import { expect, test } from "vitest";

import { type ConnectionEvent, INITIAL, light, type Light, reduce } from "./connection";

function after(...events: ConnectionEvent[]): Light {
  return light(events.reduce(reduce, INITIAL));
}

test("a board that nobody looks at is paused, and not offline", () => {
  expect(after()).toBe("paused");
  expect(after("wanted", "connecting", "connected", "current", "unwanted", "closed")).toBe("paused");
});

test("it is live once the server has answered on the connection, not before", () => {
  expect(after("wanted")).toBe("catching-up");
  expect(after("wanted", "connecting")).toBe("catching-up");
  expect(after("wanted", "connecting", "connected")).toBe("catching-up");
  expect(after("wanted", "connecting", "connected", "current")).toBe("live");
});

test("a lost connection is offline until there is one again, however often it is tried", () => {
  const lost: ConnectionEvent[] = ["wanted", "connecting", "connected", "current", "closed"];
  expect(after(...lost)).toBe("offline");
  expect(after(...lost, "connecting")).toBe("offline");
  expect(after(...lost, "connecting", "closed", "connecting")).toBe("offline");
  expect(after(...lost, "connecting", "connected")).toBe("catching-up");
  expect(after(...lost, "connecting", "connected", "current")).toBe("live");
});

test("a late answer on a lost connection does not make the board live", () => {
  expect(after("wanted", "connecting", "connected", "closed", "current")).toBe("offline");
});

test("a machine without a network is offline at once, and does not claim to be live when it is back", () => {
  const live: ConnectionEvent[] = ["wanted", "connecting", "connected", "current"];
  expect(after(...live, "offline")).toBe("offline");
  expect(after(...live, "offline", "closed", "online")).toBe("offline");
});

test("a board that is reloaded is catching up", () => {
  expect(after("wanted", "connecting", "connected", "current", "outdated")).toBe("catching-up");
});
