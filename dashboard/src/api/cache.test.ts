import { type Request, type Result, Session, type Sink } from "@memberstaff/client";
import { embeddedTypes } from "@memberstaff/client/schema";
import { createRequest, formatDocument, type TypedDocumentNode } from "@urql/core";
import { type DocumentNode, isObjectType } from "graphql";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { pipe, subscribe, take, toPromise } from "wonka";

import * as documents from "../gql/graphql";
import { DayBoard } from "../live/operations";
import { answerTo, kindOf, variablesFor } from "../testing/answers";
import { settle, startClock, stopClock, until } from "../testing/clock";
import { House, TODAY } from "../testing/house";
import { Network } from "../testing/network";
import { LiveDay } from "../live/day";
import { createClient } from "./client";

const { schema } = new House();
const VIEWER = {
  id: "V",
  accountId: "A",
  displayName: "Grace",
  role: "ADMIN",
  timeZone: "Europe/Berlin",
  organisation: "School",
  today: TODAY,
} as const;

/** Without a whole schema Graphcache tries to write every fragment, and tells developers what does not fit. */
const HARMLESS = /^Invalid undefined: The field at `current` is `undefined`[^]*on "InputError"/;

const DOCUMENTS = Object.entries(documents as unknown as Record<string, DocumentNode>)
  .filter(([name]) => name.endsWith("Document"))
  .map(([name, document]) => [name.slice(0, -"Document".length), document] as const);

beforeEach(() => stopClock());
afterEach(startClock);

/** A browser's cache before a server that answers anything with something in every field. */
function browser() {
  const sent: string[] = [];
  const answered: typeof fetch = (_, init) => {
    const { query, operationName } = JSON.parse(init?.body as string) as { query: string; operationName: string };
    sent.push(operationName);
    return Promise.resolve(new Response(JSON.stringify(answerTo(schema, query))));
  };
  const session = new Session("http://house", { token: () => "T" }, { fetch: answered });
  const subscriptions = {
    subscribe({ query }: Request, sink: Sink) {
      sink.next(JSON.parse(JSON.stringify(answerTo(schema, query))) as Result);
      return () => undefined;
    },
  };
  const client = createClient(session, subscriptions, () => VIEWER);
  /** Run an operation to its first result. */
  const run = async (document: DocumentNode, variables = variablesFor(schema, document), from?: "cache-only") => {
    const typed = document as TypedDocumentNode<unknown, Record<string, unknown>>;
    const request = createRequest(typed, variables);
    const context = { requestPolicy: from ?? "network-only" } as const;
    const results = client.executeRequestOperation(client.createRequestOperation(kindOf(document), request, context));
    return await pipe(results, take(1), toPromise);
  };
  /** Keep a query on the screen. */
  const show = (document: DocumentNode, variables = variablesFor(schema, document)) => {
    const typed = document as TypedDocumentNode<unknown, Record<string, unknown>>;
    return pipe(
      client.query(typed, variables),
      subscribe(() => undefined),
    );
  };
  return { sent, run, show };
}

function documentOf(name: string): DocumentNode {
  const found = DOCUMENTS.find(([each]) => each === name);
  if (!found) throw new Error(`There is no operation ${name}.`);
  return found[1];
}

test("the dashboard has operations of all three kinds, and the tests below see them", () => {
  const kinds = DOCUMENTS.map(([, document]) => kindOf(document));
  expect([...new Set(kinds)].sort()).toEqual(["mutation", "query", "subscription"]);
});

test.each(DOCUMENTS)("%s is cached without a complaint: every type has a key, or is known to have none", async (
  _,
  document,
) => {
  const complaints = [vi.spyOn(console, "warn"), vi.spyOn(console, "error")];
  for (const complaint of complaints) complaint.mockReturnValue(undefined);
  const { data, error } = await browser().run(document);
  expect(error).toBeUndefined();
  expect(data).toBeTruthy();
  const said = complaints.flatMap(({ mock }) => mock.calls.map(String));
  expect(said.filter((text) => !HARMLESS.test(text))).toEqual([]);
});

test.each(DOCUMENTS.filter(([, document]) => kindOf(document) === "query"))(
  "%s is answered from the cache as the server answered it",
  async (_, document) => {
    const { sent, run } = browser();
    const { data } = await run(document);
    const kept = await run(document, undefined, "cache-only");
    expect(kept.data).toEqual(data);
    expect(sent).toHaveLength(1);
  },
);

test("every type without an id that the dashboard asks for is known to be embedded", () => {
  const asked = new Set<string>();
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { __typename } = value as { __typename?: string };
    const type = __typename === undefined ? undefined : schema.getType(__typename);
    if (isObjectType(type) && !("id" in type.getFields())) asked.add(type.name);
    Object.values(value).forEach(look);
  };
  for (const [, document] of DOCUMENTS) {
    const { data } = answerTo(schema, formatDocument(document) as DocumentNode);
    Object.values(data ?? {}).forEach(look);
  }
  expect([...asked].filter((name) => !embeddedTypes.includes(name))).toEqual([]);
});

test.each([
  ["CreateStaff", ["StaffPage", "Report"]],
  ["UpdateStaff", ["StaffPage", "Report"]],
  ["ImportStaff", ["StaffPage", "Report"]],
  ["CreateAccount", ["AccountsPage"]],
])("%s makes %j on the screen be asked for again, and nothing else", async (name, again) => {
  const { sent, run, show } = browser();
  const shown = ["StaffPage", "AccountsPage", "Report", "DayBoard"];
  for (const query of shown) show(documentOf(query));
  await until(() => sent.length === shown.length);
  await settle();
  await run(documentOf(name));
  await settle();
  expect(sent.slice(shown.length)).toEqual([name, ...again]);
});

test("a preview of an import makes nothing be asked for again", async () => {
  const { sent, run, show } = browser();
  for (const query of ["StaffPage", "Report"]) show(documentOf(query));
  await until(() => sent.length === 2);
  await settle();
  await run(documentOf("ImportStaff"), { input: { rows: [], dryRun: true } });
  await settle();
  expect(sent).toEqual(["StaffPage", "Report", "ImportStaff"]);
});

const FIRST_PAGE = { date: TODAY };

/** A live board, and what it shows. */
async function board() {
  const house = new House("Ada", "Ben");
  const network = new Network(house);
  const api = network.api();
  const day = new LiveDay(api, TODAY);
  day.open();
  await until(() => day.board.get().complete && network.following.size === 2);
  await settle();
  const shown = () =>
    day.board.get().records.map(({ staffName, status, version }) => `${staffName} ${status} v${version}`);
  return { house, network, api, day, shown };
}

test("an answer that an event has overtaken takes nothing back, names included", async () => {
  const { house, network, api, shown } = await board();
  house.people[0] = { id: "S-Ada", name: "Ada L.", category: "Teaching" };
  network.hold("DayBoard");
  const answer = api.client.query(DayBoard, FIRST_PAGE, { requestPolicy: "network-only" }).toPromise();
  await settle();
  house.people[0] = { id: "S-Ada", name: "Ada Byron", category: "Teaching" };
  house.mark("Ada", "LATE");
  house.mark("Ada", "ABSENT");
  await until(() => shown()[0] === "Ada Byron ABSENT v2");
  network.release("DayBoard");
  await answer;
  await settle();
  expect(shown()).toEqual(["Ada Byron ABSENT v2", "Ben UNMARKED v0"]);
});

test("the counts follow the rows", async () => {
  const { house, day } = await board();
  const counts = () => day.board.get().day?.summary;
  expect(counts()).toMatchObject({ total: 2, unmarked: 2, present: 0 });
  house.mark("Ada", "PRESENT");
  await until(() => counts()?.present === 1);
  house.mark("Ben", "PRESENT");
  house.mark("Ada", "REMOTE");
  await until(() => counts()?.remote === 1);
  expect(counts()).toMatchObject({ total: 2, unmarked: 0, present: 1, remote: 1 });
});

test("a day that was locked while it was being read again stays locked", async () => {
  const { house, network, api, day } = await board();
  network.hold("DayBoard");
  const answer = api.client.query(DayBoard, FIRST_PAGE, { requestPolicy: "network-only" }).toPromise();
  await settle();
  house.lock();
  await until(() => day.board.get().day?.state === "LOCKED");
  network.release("DayBoard");
  await answer;
  await settle();
  expect(day.board.get().day?.state).toBe("LOCKED");
});
