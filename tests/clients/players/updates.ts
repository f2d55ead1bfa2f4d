/** Updates of a caller's own run beside ours, also those of the same mutation; fails when something does not hold. */
import assert from "node:assert/strict";
import { Session } from "@memberstaff/client";
import { exchanges } from "@memberstaff/client/urql";
import { Client } from "@urql/core";
import { parse } from "graphql";

const staff = { __typename: "StaffConnection", totalCount: 1 };
const created = { __typename: "StaffPayload", errors: [] };
const asked: string[] = [];
const answer = async (_: unknown, init?: RequestInit): Promise<Response> => {
  const { query } = JSON.parse(init!.body as string) as { query: string };
  const name = /(staff|createStaff|logout)\b/.exec(query)![1]!;
  asked.push(name);
  const answers = { staff, createStaff: created, logout: { __typename: "LogoutPayload", errors: [] } };
  return new Response(JSON.stringify({ data: { [name]: answers[name as keyof typeof answers] } }));
};
const session = new Session("http://house", { token: () => "t" }, { fetch: answer as typeof fetch });
const none = { subscribe: () => assert.fail("It was subscribed to.") };
const updated: string[] = [];
const updates = { Mutation: { createStaff: () => void updated.push("createStaff"), logout: () => void updated.push("logout") } };
const client = new Client({ url: session.url, exchanges: exchanges(session, none, { updates }) });
const people = parse("{ staff { totalCount } }");
await client.query(people, {});
await client.mutation(parse('mutation { createStaff(input: { name: "Z" }) { errors { code } } }'), {});
await client.mutation(parse("mutation { logout { errors { code } } }"), {});
await client.query(people, {});
assert.deepEqual([updated, asked], [["createStaff", "logout"], ["staff", "createStaff", "logout", "staff"]]);
process.exit();
