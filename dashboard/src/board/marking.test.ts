import { afterEach, beforeEach, expect, test } from "vitest";

import { type Attendance, LiveDay } from "../live/day";
import { settle, startClock, stopClock, until } from "../testing/clock";
import { House, refusal, TODAY } from "../testing/house";
import { Network } from "../testing/network";
import { toasts } from "../ui/toasts";
import { Marker } from "./marking";

beforeEach(() => stopClock());
afterEach(() => {
  toasts.set([]);
  startClock();
});

/** A board in a browser, live, with its marker; Grace marks there. */
async function desk(...names: string[]) {
  const house = new House(...(names.length > 0 ? names : ["Ada", "Ben", "Cleo"]));
  const network = new Network(house);
  const api = network.api();
  const day = new LiveDay(api, TODAY);
  const marker = new Marker(api);
  const news: string[] = [];
  day.onChange = (record) => {
    if (!marker.isOurs(record)) news.push(`${record.staffName} ${record.status}`);
  };
  day.open();
  await until(() => day.board.get().complete && network.following.size === 2);
  await settle();
  const row = (name: string): Attendance => {
    const record = day.board.get().records.find(({ staffName }) => staffName === name);
    if (!record) throw new Error(`${name} is not on the board.`);
    return record;
  };
  const shown = (name: string) => `${row(name).status} v${row(name).version}`;
  return { house, network, marker, news, row, shown };
}

function said(): string[] {
  return toasts.get().map(({ text }) => text);
}

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
  for (const name of ["AttendanceUpdated", "AttendanceDayUpdated"]) network.hold(name);
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
  for (const name of ["AttendanceUpdated", "AttendanceDayUpdated"]) network.hold(name);
  for (let index = 0; index < 51; index++) await marker.mark(row(`P${index}`), { status: "PRESENT" });
  for (let index = 0; index < 51; index++) marker.undo();
  await until(() => house.stored("P1") === "UNMARKED v2");
  await settle();
  expect(house.stored("P0")).toBe("PRESENT v1");
  expect(said()).toContain("Undone: P1.");
});
