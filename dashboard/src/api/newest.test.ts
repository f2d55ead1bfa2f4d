import { expect, test } from "vitest";

import { Newest } from "./newest";

function record(version: number, status: string, staffName = "Ada") {
  return { __typename: "Attendance", id: "A1", version, status, staffName, feedCursor: `c${version}` };
}

test("an event that an answer has overtaken does not take the record back", () => {
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

test("an answer with nothing outdated in it is handed on as it is", () => {
  const newest = new Newest();
  const board = { day: { edges: [{ node: record(1, "UNMARKED") }], label: null } };
  expect(newest.keep(board)).toBe(board);
});

test("a restored backup, whose versions are lower, is believed after everything was forgotten", () => {
  const newest = new Newest();
  newest.keep(record(9, "LATE"));
  newest.forget();
  expect(newest.keep(record(1, "PRESENT"))).toEqual(record(1, "PRESENT"));
});
