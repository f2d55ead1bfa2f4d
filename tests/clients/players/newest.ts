/** What stands before the caches, by itself; fails when something does not hold. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { InMemoryCache } from "@apollo/client";
import { possibleTypes, typePolicies } from "@memberstaff/client/apollo";
import { Session } from "@memberstaff/client";
import { createNetwork } from "@memberstaff/client/relay";
import { parse } from "graphql";
import type { RequestParameters } from "relay-runtime";
import { Answers } from "../node_modules/@memberstaff/client/dist/answers.js";

const BOARD = parse(`
  query Board { day: attendanceDay { ...Day records(first: 9) { edges { node { ...Row } } } } }
  fragment Day on AttendanceDay { __typename id sequence label: state summary { __typename id sequence present } }
  fragment Row on Attendance { __typename id sequence status }
`);
const NODE = parse(`
  query One($id: ID!) {
    node(id: $id) {
      __typename
      id
      ... on Attendance { order: sequence feedCursor now: status status: note again: note history(first: 2) { edges { cursor } } }
      ... on AttendanceDay { sequence state: label }
    }
  }
`);

const row = (sequence: string, status: string) => ({ __typename: "Attendance", id: "A", sequence, status });
const board = (sequence: string, label: string, present: number, ...rows: object[]) => ({
  day: {
    __typename: "AttendanceDay",
    id: "D",
    sequence,
    label,
    summary: { __typename: "DaySummary", id: "S", sequence, present },
    records: { edges: rows.map((node) => ({ node })) },
  },
});
const one = (order: string, now: string, status: string | null, feedCursor: string) => ({
  node: { __typename: "Attendance", id: "A", order, feedCursor, now, status, again: status, history: { edges: [] } },
});

// Answers in any order end at the same, newest values, under whatever keys they were asked for.
const given = [
  [BOARD, board("11", "OPEN", 0, row("11", "UNMARKED"))],
  [NODE, one("12", "LATE", "Bus", "c12")],
  [BOARD, board("13", "LOCKED", 1, row("13", "PRESENT"))],
] as const;
for (const order of permutations([...given])) {
  const answers = new Answers();
  for (const [document, data] of order) answers.keep(document, data);
  assert.deepEqual(answers.keep(BOARD, board("10", "OPEN", 7, row("10", "ABSENT"))), board("13", "LOCKED", 1, row("13", "PRESENT")));
  assert.deepEqual(answers.keep(NODE, one("10", "ABSENT", null, "c10")), one("13", "PRESENT", "Bus", "c10"));
}

// So do lists, each by the sequence of the object that it belongs to, and with the newest values of what stands in it.
const LIST = parse("query ($n: Int) { day { id sequence records(first: $n) { rosterVersion edges { node { id sequence status } } } } }");
const list = (sequence: string, rosterVersion: number, ...names: string[]) => ({
  day: { id: "L", sequence, records: { rosterVersion, edges: names.map((id) => ({ node: { id, sequence: "20", status: "LATE" } })) } },
});
const lists = new Answers();
lists.keep(LIST, list("21", 7, "Y"), { n: 9 });
assert.deepEqual(lists.keep(LIST, list("22", 8, "Y", "Z"), { n: 9 }), list("22", 8, "Y", "Z"));
assert.deepEqual(lists.keep(LIST, list("21", 7, "Y"), { n: 9 }), list("22", 8, "Y", "Z"));
assert.deepEqual(lists.keep(LIST, list("22", 8, "Y"), { n: 1 }), list("22", 8, "Y"));
const restored = list("31", 2, "Y");
assert.deepEqual(lists.keep(LIST, restored, { n: 9 }), restored);

// In Apollo's cache a list of another size is another list.
const cache = new InMemoryCache({ possibleTypes, typePolicies });
const page = (...ids: string[]) => ({
  attendanceDay: {
    __typename: "AttendanceDay",
    id: "D",
    records: {
      __typename: "AttendanceConnection",
      edges: ids.map((id) => ({ __typename: "AttendanceEdge", cursor: id, node: { __typename: "Attendance", id } })),
      pageInfo: { __typename: "PageInfo", hasNextPage: ids.length < 3, endCursor: ids.at(-1)! },
    },
  },
});
const PAGE = parse(`
  query Page($first: Int, $after: String) {
    attendanceDay { id records(first: $first, after: $after) { edges { cursor node { id } } pageInfo { hasNextPage endCursor } } }
  }
`);
const read = (first: number) => {
  const found = cache.readQuery<ReturnType<typeof page>>({ query: PAGE, variables: { first } });
  return found?.attendanceDay.records.edges.map(({ node }) => node.id);
};
cache.writeQuery({ query: PAGE, variables: { first: 1000 }, data: page("1", "2", "3") });
cache.writeQuery({ query: PAGE, variables: { first: 1 }, data: page("1") });
assert.deepEqual([read(1000), read(1)], [["1", "2", "3"], ["1"]]);
cache.writeQuery({ query: PAGE, variables: { first: 1, after: "1" }, data: page("2") });
assert.deepEqual([read(1000), read(1)], [["1", "2", "3"], ["1", "2"]]);

// Another object, and what has no sequence, are left alone.
const answers = new Answers();
answers.keep(BOARD, board("13", "LOCKED", 1));
const day = { node: { __typename: "AttendanceDay", id: "E", sequence: "12", state: null } };
assert.deepEqual(answers.keep(NODE, day), day);
assert.deepEqual(answers.keep(BOARD, { day: null }), { day: null });
assert.equal(answers.keep(BOARD, undefined), undefined);
const { sequence: _, ...bare } = row("", "LATE");
assert.deepEqual(answers.keep(BOARD, { day: { records: { edges: [{ node: bare }] } } }), {
  day: { records: { edges: [{ node: bare }] } },
});

// Whom a field leads to is as new as the object; what is known of whom is not, and another selection is another value.
const BY = parse("{ node { id sequence updatedByAccount { id displayName } staff { name } } }");
const EMAIL = parse("{ node { id sequence updatedByAccount { id displayName: email } } }");
const by = (sequence: string, account: object | null, name: string) => ({
  node: { id: "B", sequence, updatedByAccount: account, staff: { name } },
});
const [anna, omar] = [{ id: "1", displayName: "Anna" }, { id: "2", displayName: "Omar" }];
answers.keep(BY, by("12", omar, "Zoë"));
assert.deepEqual(answers.keep(BY, by("11", anna, "Zoé")), by("12", omar, "Zoé"));
assert.deepEqual(answers.keep(BY, by("10", null, "Zoé")), by("12", omar, "Zoé"));
const email = { node: { id: "B", sequence: "10", updatedByAccount: { id: "1", displayName: "anna@school.example" } } };
assert.deepEqual(answers.keep(EMAIL, email), { node: { ...email.node, sequence: "12" } });

// What stands behind a field has a sequence of its own, also in an older answer.
const DAY = parse("{ node { id sequence day { id sequence state } } }");
const on = (sequence: string, day: string, state: string) => ({
  node: { id: "C", sequence, day: { id: "F", sequence: day, state } },
});
answers.keep(DAY, on("12", "20", "OPEN"));
assert.deepEqual(answers.keep(DAY, on("11", "21", "LOCKED")), on("12", "21", "LOCKED"));
assert.deepEqual(answers.keep(DAY, on("12", "20", "OPEN")), on("12", "21", "LOCKED"));

// Whatever has been seen in the last hour is known, however much it is; later only what was seen last.
let now = 0;
performance.now = () => now;
const REST = parse("query ($n: Int) { day { id sequence label history(first: $n) { edges { cursor } } } }");
const rest = (id: number, sequence: string, label: string) => ({
  day: { id: String(id), sequence, label, history: { edges: [{ cursor: label }] } },
});
const many = new Answers();
const newer = (id: number, n: number) => many.keep(REST, rest(id, "2", "new"), { n });
const older = (id: number, n: number) => many.keep(REST, rest(id, "1", "old"), { n }).day;
for (let id = 0; id <= 20_000; id += 1) newer(id, 1);
for (let n = 0; n <= 100; n += 1) newer(0, n);
assert.deepEqual([older(0, 0), older(1, 1)], [rest(0, "2", "new").day, rest(1, "2", "new").day]);
now = 3_600_000;
newer(20_001, 1);
assert.deepEqual([older(2, 1), older(20_001, 1)], [rest(2, "1", "old").day, rest(20_001, "2", "new").day]);

// Relay's network does the same, also for lists.
const asked: ((data: unknown) => void)[] = [];
const session = new Session("http://house", { token: () => "t" }, {
  fetch: () => new Promise((answer) => asked.push((data) => answer(Response.json({ data })))),
});
const network = createNetwork(session, { subscribe: () => () => {} });
const text = "query Day { day { id sequence records { edges { node { id sequence status } } } } }";
const request = { operationKind: "query", name: "Day", text, id: null, metadata: {} } as unknown as RequestParameters;
const ask = () => network.execute(request, {}, {}).toPromise();
const listed = (sequence: string, ...ids: string[]) => ({
  day: { id: "D", sequence, records: { edges: ids.map((id) => ({ node: { id, sequence, status: `at ${sequence}` } })) } },
});
const [early, late] = [ask(), ask()];
while (asked.length < 2) await setImmediate();
asked[1]!(listed("2", "Y", "Z"));
assert.deepEqual(await late, { data: listed("2", "Y", "Z") });
asked[0]!(listed("1", "X", "Y"));
assert.deepEqual(await early, { data: listed("2", "Y", "Z") });

function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items];
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}
