import { afterEach, beforeEach, expect, test } from "vitest";

import { settle, startClock, stopClock, until } from "../testing/clock";
import { desk, said } from "../testing/desk";
import { TODAY } from "../testing/house";
import { toasts } from "../ui/toasts";

beforeEach(() => stopClock());
afterEach(() => {
  toasts.set([]);
  startClock();
});

test("an undo brings back the status, or the note, as it was", async () => {
  const { house, marker, row, shown } = await desk();
  house.mark("Ada", "PRESENT");
  await until(() => shown("Ada") === "PRESENT v1");
  await marker.mark(row("Ada"), { note: "Bus" });
  await settle();
  await marker.mark(row("Ada"), { status: "LATE" });
  await settle();
  expect(row("Ada")).toMatchObject({ status: "LATE", note: "Bus" });
  marker.undo();
  await until(() => shown("Ada") === "PRESENT v4");
  expect(row("Ada").note).toBe("Bus");
  expect(said()).toEqual(["Undone: Ada."]);
  marker.undo();
  await until(() => shown("Ada") === "PRESENT v5");
  expect(row("Ada").note).toBeNull();
  expect(marker.conflict.get()).toBeNull();
});

test("an undo brings back when somebody came", async () => {
  const { house, marker, row, shown } = await desk();
  house.mark("Ada", "PRESENT");
  await until(() => shown("Ada") === "PRESENT v1");
  const { arrivedAt } = row("Ada");
  await marker.mark(row("Ada"), { status: "ABSENT" });
  await settle();
  expect(row("Ada").arrivedAt).toBeNull();
  marker.undo();
  await until(() => shown("Ada") === "PRESENT v3");
  expect(arrivedAt).not.toBeNull();
  expect(row("Ada").arrivedAt).toBe(arrivedAt);
});

test("an undo brings back the arrival that the server has told since, or that it is unknown", async () => {
  const { house, marker, row, shown } = await desk();
  const arrivals: unknown[] = [];
  for (const name of ["Ada", "Ben"]) {
    if (name === "Ben") await marker.fill(TODAY, "PRESENT", null);
    else void marker.mark(row(name), { status: "PRESENT" });
    await until(() => row(name).status === "PRESENT");
    void marker.mark(row(name), { status: "ABSENT" }); // Ada's first mark is still under way
    await until(() => shown(name) === "ABSENT v2");
    marker.undo();
    await until(() => shown(name) === "PRESENT v3");
    await settle();
    arrivals.push(row(name).arrivedAt);
  }
  expect(arrivals).toEqual(["2026-11-23T08:00:01.000Z", null]);
  expect([house.stored("Ada"), house.stored("Ben")]).toEqual(["PRESENT v3", "PRESENT v3"]);
});

test("two undos in a row take back two marks of one person", async () => {
  const { house, marker, row, shown } = await desk();
  await marker.mark(row("Ada"), { status: "PRESENT" });
  await settle();
  await marker.mark(row("Ada"), { status: "LATE" });
  await settle();
  marker.undo();
  marker.undo();
  await until(() => house.stored("Ada") !== "LATE v2");
  await settle();
  expect([house.stored("Ada"), shown("Ada")]).toEqual(["UNMARKED v4", "UNMARKED v4"]);
  expect(marker.conflict.get()).toBeNull();
});

test("an undo waits for its mark, which may still be under way", async () => {
  const { house, network, marker, row } = await desk();
  network.hold("UpdateAttendance");
  const marked = marker.mark(row("Ada"), { status: "PRESENT" });
  marker.undo();
  await settle();
  expect(network.count("UpdateAttendance")).toBe(1);
  network.release("UpdateAttendance");
  await marked;
  await until(() => house.stored("Ada") === "UNMARKED v2");
});

test("an undo does not overwrite what somebody else has changed since", async () => {
  const { house, marker, row, shown } = await desk();
  await marker.mark(row("Ada"), { status: "PRESENT" });
  house.mark("Ada", "ON_LEAVE");
  await until(() => shown("Ada") === "ON_LEAVE v2");
  marker.undo();
  await until(() => marker.conflict.get() !== null);
  expect(house.stored("Ada")).toBe("ON_LEAVE v2");
});

test("the undo of an earlier mark does not overwrite somebody else's that lay between the two", async () => {
  const { house, marker, row, shown } = await desk();
  await marker.mark(row("Ada"), { status: "PRESENT" });
  house.mark("Ada", "ON_LEAVE");
  await until(() => shown("Ada") === "ON_LEAVE v2");
  await marker.mark(row("Ada"), { status: "ABSENT" });
  await settle();
  marker.undo();
  await until(() => house.stored("Ada") === "ON_LEAVE v4");
  marker.undo();
  await until(() => marker.conflict.get() !== null);
  expect(house.stored("Ada")).toBe("ON_LEAVE v4");
});

test("a mark that changed nothing leaves nothing to undo", async () => {
  const { network, marker, row } = await desk();
  network.hold("UpdateAttendance");
  const twice = [marker.mark(row("Ada"), { status: "PRESENT" }), marker.mark(row("Ada"), { status: "PRESENT" })];
  network.release("UpdateAttendance");
  await Promise.all(twice);
  await settle();
  marker.undo();
  await until(() => row("Ada").status === "UNMARKED");
  marker.undo();
  await until(() => said().includes("Nothing to undo."));
});

test("the rest are marked together, it is no news to whoever did it, and one undo takes it back", async () => {
  const { house, network, marker, news, row, shown } = await desk("Ada", "Ben", "Cleo");
  await marker.mark(row("Ben"), { status: "ABSENT" });
  network.hold("BulkUpdateAttendance");
  const filled = marker.fill(TODAY, "PRESENT", null);
  await until(() => house.stored("Cleo") === "PRESENT v1");
  await settle();
  network.release("BulkUpdateAttendance");
  await filled;
  await settle();
  expect(["Ada", "Ben", "Cleo"].map(shown)).toEqual(["PRESENT v1", "ABSENT v1", "PRESENT v1"]);
  expect(said()).toEqual(["2 people marked present."]);
  expect(news).toEqual([]);
  marker.undo();
  await until(() => said().includes("Undone: 2 people unmarked."));
  await settle();
  expect(["Ada", "Ben", "Cleo"].map(shown)).toEqual(["UNMARKED v2", "ABSENT v1", "UNMARKED v2"]);
  expect(news).toEqual([]);
});

test("a mark by somebody else while the rest are marked is news", async () => {
  const { house, network, marker, news } = await desk();
  network.hold("BulkUpdateAttendance");
  const filled = marker.fill(TODAY, "PRESENT", null);
  await until(() => house.stored("Cleo") === "PRESENT v1");
  house.mark("Cleo", "LATE");
  await until(() => news.length > 0);
  network.release("BulkUpdateAttendance");
  await filled;
  expect(news).toEqual(["Cleo LATE"]);
});

test("only the rest of one category are marked", async () => {
  const { house, marker } = await desk("Ada", "Ben");
  for (const person of house.people) if (person.name === "Ben") person.category = "Kitchen";
  await marker.fill(TODAY, "REMOTE", ["Kitchen"]);
  expect([house.stored("Ada"), house.stored("Ben")]).toEqual(["UNMARKED v0", "REMOTE v1"]);
  expect(said()).toEqual(["1 person marked remote."]);
});

test("undoing a bulk mark keeps what others have changed since", async () => {
  const { house, marker, shown } = await desk();
  await marker.fill(TODAY, "PRESENT", null);
  house.mark("Ben", "ABSENT");
  await until(() => shown("Ben") === "ABSENT v2");
  marker.undo();
  await until(() => said().some((text) => text.includes("unmarked")));
  expect(said().at(-1)).toBe("2 people unmarked. Later changes to 1 person were kept.");
  expect(["Ada", "Ben", "Cleo"].map((name) => house.stored(name))).toEqual(["UNMARKED v2", "ABSENT v2", "UNMARKED v2"]);
});

test("five hundred and one marks are undone in two requests", async () => {
  const { house, network, marker } = await desk(...Array.from({ length: 501 }, (_, index) => `P${index}`));
  for (const name of ["AttendanceUpdated", "State"]) network.hold(name);
  await marker.fill(TODAY, "PRESENT", null);
  marker.undo();
  await until(() => house.stored("P500") === "UNMARKED v2");
  await until(() => said().includes("Undone: 501 people unmarked."));
  expect(network.count("BulkUpdateAttendance")).toBe(3);
});

test("a bulk mark that is refused, or that marks nobody, says so and can not be undone", async () => {
  const { house, network, marker } = await desk("Ada");
  network.offline = true;
  await marker.fill(TODAY, "PRESENT", null);
  expect(said()).toEqual(["Nobody was marked: The server cannot be reached. Check your connection and try again."]);
  network.offline = false;
  toasts.set([]);
  house.mark("Ada", "LATE");
  await marker.fill(TODAY, "PRESENT", null);
  expect(said()).toEqual(["Everybody was already marked."]);
  house.lock();
  toasts.set([]);
  await marker.fill(TODAY, "PRESENT", null);
  expect(said()).toEqual(["Nobody was marked: The day is locked."]);
  toasts.set([]);
  marker.undo();
  expect(said()).toEqual(["Nothing to undo."]);
});

test("the last fifty marks can be undone", async () => {
  const { house, network, marker, row } = await desk(...Array.from({ length: 51 }, (_, index) => `P${index}`));
  for (const name of ["AttendanceUpdated", "State"]) network.hold(name);
  for (let index = 0; index < 51; index++) await marker.mark(row(`P${index}`), { status: "PRESENT" });
  for (let index = 0; index < 51; index++) marker.undo();
  await until(() => house.stored("P1") === "UNMARKED v2");
  await settle();
  expect(house.stored("P0")).toBe("PRESENT v1");
  expect(said()).toContain("Undone: P1.");
});
