import { expect, test } from "vitest";

import { Newest } from "./newest";

function record(version: number, status: string, staffName = "Ada") {
  return { __typename: "Attendance", id: "A1", version, status, staffName, feedCursor: `c${version}` };
}

test("an event that a result has overtaken does not revert the record", () => {
  const newest = new Newest();
  newest.keep({ updateAttendance: { attendance: record(3, "LATE") } });
  expect(newest.keep({ attendanceUpdated: record(2, "PRESENT") })).toEqual({ attendanceUpdated: record(3, "LATE") });
  expect(newest.keep({ attendanceUpdated: record(4, "ABSENT") })).toEqual({ attendanceUpdated: record(4, "ABSENT") });
});

test("a board that was read before the last event shows the event, and the names as it read them", () => {
  const newest = new Newest();
  newest.keep({ attendanceUpdated: record(2, "LATE") });
  const board = { day: { edges: [{ node: record(1, "UNMARKED", "Ada Lovelace") }] } };
  expect(newest.keep(board).day.edges[0]?.node).toEqual(record(2, "LATE", "Ada Lovelace"));
});

test("a result with nothing outdated in it is passed on unchanged", () => {
  const newest = new Newest();
  const board = { day: { edges: [{ node: record(1, "UNMARKED") }], label: null } };
  expect(newest.keep(board)).toBe(board);
});

test("after everything is forgotten, the lower versions of a restored backup are accepted", () => {
  const newest = new Newest();
  newest.keep(record(9, "LATE"));
  newest.forget();
  expect(newest.keep(record(1, "PRESENT"))).toEqual(record(1, "PRESENT"));
});
