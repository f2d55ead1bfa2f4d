/** What the types must refuse; never run. */
import type { ApolloClient } from "@apollo/client";
import { watchDay } from "@memberstaff/client/apollo";
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
  // @ts-expect-error A record has a staffName.
  watchDay(client, "2026-01-12", { onChange: ({ name }) => name });
  // @ts-expect-error A board is followed from its cursor, so it has to select it.
  watchDay(client, "2026-01-12", {}, { board: Mark, changes: Watch });
}
