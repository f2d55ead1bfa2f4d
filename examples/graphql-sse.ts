import { print } from "graphql";
import { createClient, type Client } from "graphql-sse";
import { Board, Watch } from "./documents.ts";
import type { BoardQuery, WatchSubscription } from "./gql/graphql.ts";
import { cursorIn, hasCode, type Session, wait } from "./session.ts";

// #region page
export function connect(session: Session): Client {
  return createClient({
    url: `${session.address}/graphql`,
    headers: async () => ({ authorization: `Bearer ${await session.token()}` }),
    retryAttempts: Infinity,
    retry: wait,
  });
}

/** A day as it is, then every change of it; the day again when the feed must be begun anew. */
export async function* watchDay(client: Client, session: Session, date: string) {
  let after: string | undefined;
  for (;;) {
    const variables = { date, after }; // sent with each connection: it goes on after the last event
    const query = print(after ? Watch : Board);
    for await (const { data, errors } of client.iterate<BoardQuery | WatchSubscription>({ query, variables })) {
      if (hasCode(errors, "UNAUTHENTICATED")) session.refused();
      else if (hasCode(errors, "RESTART_REQUIRED")) after = undefined;
      else if (errors) throw new Error(errors[0]!.message);
      if (!data) continue;
      after = "attendanceDay" in data ? data.attendanceDay!.records.feedCursor : cursorIn(data)!;
      variables.after = after;
      yield data;
    }
  }
}
// #endregion
