import { afterEach, beforeEach, expect, test } from "vitest";

import { settle, startClock, stopClock, until } from "../testing/clock";
import { desk, said } from "../testing/desk";
import { refusal } from "../testing/house";
import { toasts } from "../ui/toasts";

beforeEach(() => stopClock());
afterEach(() => {
  toasts.set([]);
  startClock();
});

test("a mark is shown before the server has answered, and stands after it has", async () => {
  const { house, network, marker, news, row, shown } = await desk();
  network.hold("UpdateAttendance");
  network.hold("AttendanceUpdated");
  const marked = marker.mark(row("Ada"), { status: "LATE" });
  await until(() => shown("Ada") === "LATE v0");
  expect(row("Ada").updatedBy).toBe("Grace");
  expect(said()).toEqual([]);
  network.release("UpdateAttendance");
  await marked;
  await settle();
  expect([shown("Ada"), house.stored("Ada")]).toEqual(["LATE v1", "LATE v1"]);
  expect(said()).toEqual(["Ada: Late."]);
  expect(news).toEqual([]);
});

test("what a mark does to times shows at once, but for an arrival, of which the server's clock decides", async () => {
  const { network, marker, row, shown } = await desk();
  const seen: unknown[] = [];
  for (const change of [{ status: "LATE" }, { note: "Bus" }, { status: "PRESENT" }, { status: "ABSENT" }] as const) {
    network.hold("UpdateAttendance");
    network.hold("AttendanceUpdated");
    const { version } = row("Ada");
    const marked = marker.mark(row("Ada"), change);
    await settle();
    expect(row("Ada")).toMatchObject({ ...change, version });
    seen.push(row("Ada").arrivedAt);
    network.release("UpdateAttendance");
    network.release("AttendanceUpdated");
    await marked;
    await until(() => row("Ada").version === version + 1);
    seen.push(row("Ada").arrivedAt);
  }
  const came = "2026-11-23T08:00:01.000Z";
  expect(seen).toEqual([null, came, came, came, came, came, null, null]);
  expect(shown("Ada")).toBe("ABSENT v4");
});

test("our own mark is no news, whether its event comes before its answer or after it", async () => {
  for (const last of ["UpdateAttendance", "AttendanceUpdated"]) {
    const { network, marker, news, row, shown } = await desk();
    network.hold(last);
    const marked = marker.mark(row("Ada"), { status: "PRESENT" });
    await settle();
    expect(shown("Ada")).toBe(last === "UpdateAttendance" ? "PRESENT v0" : "PRESENT v1");
    network.release(last);
    await marked;
    await settle();
    expect(shown("Ada")).toBe("PRESENT v1");
    expect(news).toEqual([]);
  }
});

test("an older event that the answer has overtaken does not show", async () => {
  const { house, network, marker, row, shown } = await desk();
  network.hold("AttendanceUpdated");
  house.mark("Ada", "ABSENT");
  await marker.mark({ ...row("Ada"), version: 1 }, { status: "PRESENT" });
  await settle();
  expect(shown("Ada")).toBe("PRESENT v2");
  network.deliver("AttendanceUpdated");
  await settle();
  expect(shown("Ada")).toBe("PRESENT v2");
  network.release("AttendanceUpdated");
  await settle();
  expect(shown("Ada")).toBe("PRESENT v2");
});

test("a change by somebody else during our mark is what shows, if it came later", async () => {
  const { house, network, marker, row, shown } = await desk();
  network.hold("UpdateAttendance");
  const marked = marker.mark(row("Ada"), { status: "PRESENT" });
  await until(() => house.stored("Ada") === "PRESENT v1");
  house.mark("Ada", "ON_LEAVE");
  await settle();
  network.release("UpdateAttendance");
  await marked;
  await settle();
  expect(shown("Ada")).toBe("ON_LEAVE v2");
});

test("what is sent carries the version that was seen, so that nobody's mark is overwritten unseen", async () => {
  const { house, network, marker, row, shown } = await desk();
  network.hold("AttendanceUpdated");
  house.mark("Ada", "ON_LEAVE");
  await marker.mark(row("Ada"), { status: "ABSENT" });
  await settle();
  expect(house.stored("Ada")).toBe("ON_LEAVE v1");
  expect(shown("Ada")).toBe("ON_LEAVE v1");
  expect(marker.conflict.get()).toMatchObject({
    current: { staffName: "Ada", status: "ON_LEAVE", version: 1, updatedBy: "Linus" },
    wanted: { status: "ABSENT" },
  });
  expect(said()).toEqual([]);
  marker.undo();
  expect(said()).toEqual(["Nothing to undo."]);
});

test("who keeps the other's change sends nothing, and who insists replaces it", async () => {
  for (const insist of [false, true]) {
    const { house, network, marker, row } = await desk();
    network.hold("AttendanceUpdated");
    house.mark("Ada", "ON_LEAVE");
    await marker.mark(row("Ada"), { status: "ABSENT" });
    marker.resolve(insist);
    await settle();
    expect(house.stored("Ada")).toBe(insist ? "ABSENT v2" : "ON_LEAVE v1");
    expect(network.count("UpdateAttendance")).toBe(insist ? 2 : 1);
    expect(marker.conflict.get()).toBeNull();
  }
});

test("after a restored backup, whose versions are lower, insisting on a mark succeeds", async () => {
  const { house, network, marker, row, shown } = await desk();
  for (const status of ["PRESENT", "LATE", "ABSENT"] as const) await marker.mark(row("Ada"), { status });
  house.restore();
  network.end(refusal("RESTART_REQUIRED", "The cursor cannot be resumed from. Start again."));
  await until(() => shown("Ada") === "UNMARKED v0");
  await marker.mark(row("Ada"), { status: "REMOTE" });
  if (marker.conflict.get()) marker.resolve(true);
  await settle();
  expect(house.stored("Ada")).toBe("REMOTE v1");
  expect(marker.conflict.get()).toBeNull();
});

test("a refused mark is taken back, and the reason is told", async () => {
  const { house, network, marker, row, shown } = await desk();
  house.lock();
  await settle();
  network.hold("UpdateAttendance");
  const marked = marker.mark(row("Ada"), { status: "PRESENT" });
  await until(() => shown("Ada") === "PRESENT v0");
  network.release("UpdateAttendance");
  await marked;
  await until(() => shown("Ada") === "UNMARKED v0");
  expect(said()).toEqual(["Ada was not marked: The day is locked."]);
  expect(toasts.get()[0]?.action).toBeUndefined();
});

test("a mark without a network is taken back, and can be tried again", async () => {
  const { house, network, marker, row, shown } = await desk();
  network.offline = true;
  await marker.mark(row("Ada"), { status: "PRESENT" });
  await until(() => shown("Ada") === "UNMARKED v0");
  expect(said()).toEqual([
    "Ada was not marked: The server cannot be reached. Check your connection and try again.",
  ]);
  network.offline = false;
  toasts.get()[0]?.action?.run();
  await until(() => shown("Ada") === "PRESENT v1");
  expect(house.stored("Ada")).toBe("PRESENT v1");
});

test("a mark that was stored, but whose answer was lost, can be tried again without a conflict", async () => {
  const { house, network, marker, row, shown } = await desk();
  network.lose("UpdateAttendance");
  await marker.mark(row("Ada"), { status: "PRESENT" });
  await until(() => shown("Ada") === "PRESENT v1");
  toasts.get()[0]?.action?.run();
  await settle();
  expect(house.stored("Ada")).toBe("PRESENT v1");
  expect(marker.conflict.get()).toBeNull();
});

test("an operation that is refused as a whole is told in the server's words", async () => {
  const { network, marker, row, shown } = await desk();
  network.refuse("UpdateAttendance", refusal("FORBIDDEN", "You may only mark today."));
  await marker.mark(row("Ada"), { status: "PRESENT" });
  await until(() => shown("Ada") === "UNMARKED v0");
  expect(said()).toEqual(["Ada was not marked: You may only mark today."]);
});

test("marks of one person are sent one after the other, and the last one stands", async () => {
  const { house, network, marker, row, shown } = await desk();
  network.hold("UpdateAttendance");
  const marks = (["PRESENT", "LATE", "ABSENT"] as const).map((status) => marker.mark(row("Ada"), { status }));
  await settle();
  expect(network.count("UpdateAttendance")).toBe(1);
  network.release("UpdateAttendance");
  await Promise.all(marks);
  await settle();
  expect([shown("Ada"), house.stored("Ada")]).toEqual(["ABSENT v3", "ABSENT v3"]);
  expect(marker.conflict.get()).toBeNull();
});

test("marks of different people do not wait for each other", async () => {
  const { network, marker, row } = await desk();
  network.hold("UpdateAttendance");
  const marks = ["Ada", "Ben", "Cleo"].map((name) => marker.mark(row(name), { status: "PRESENT" }));
  await settle();
  expect(network.count("UpdateAttendance")).toBe(3);
  network.release("UpdateAttendance");
  await Promise.all(marks);
});

test("a mark after one whose answer was lost is no conflict with it", async () => {
  const { house, network, marker, row, shown } = await desk();
  network.lose("UpdateAttendance");
  await marker.mark(row("Ada"), { status: "PRESENT" });
  await until(() => shown("Ada") === "PRESENT v1");
  await marker.mark(row("Ada"), { status: "LATE" });
  expect(house.stored("Ada")).toBe("LATE v2");
});
