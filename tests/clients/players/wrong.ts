/** What the generated types must refuse; never run. */
import type { ApolloClient } from "@apollo/client";
import { Board, Mark, Watch } from "../examples/documents.ts";

export async function wrong(client: ApolloClient): Promise<void> {
  const { data } = await client.query({ query: Board, variables: { date: "2026-01-12" } });
  // @ts-expect-error There is no such counter.
  void data?.attendanceDay?.summary.presnt;
  // @ts-expect-error A day may be missing.
  void data?.attendanceDay.id;
  // @ts-expect-error The date is a string.
  client.subscribe({ query: Watch, variables: { date: new Date() } });
  const target = { id: "an id" };
  // @ts-expect-error There is no such status.
  await client.mutate({ mutation: Mark, variables: { input: { target, status: "ILL" } } });
}
