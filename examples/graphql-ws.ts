import { print } from "graphql";
import { createClient, MessageType, type Client } from "graphql-ws";
import { Board, Watch } from "./documents.ts";
import type { BoardQuery, WatchSubscription } from "./gql/graphql.ts";
import { cursorIn, hasCode, type Session, wait } from "./session.ts";

// #region page
/** A socket that comes back for ever, whose subscriptions then go on after their last event. */
export function connect(session: Session): Client {
  const cursors = new Map<string, string>(); // of each subscription, by its id, which it keeps
  return createClient({
    url: `${session.address.replace(/^http/, "ws")}/graphql`,
    connectionParams: async () => ({
      authorization: `Bearer ${await session.token()}`,
      resume: Object.fromEntries(cursors),
    }),
    retryAttempts: Infinity,
    retryWait: wait,
    shouldRetry: () => true,
    on: {
      message(message) {
        if (message.type === MessageType.Next) {
          const cursor = cursorIn(message.payload.data);
          if (cursor) cursors.set(message.id, cursor);
        } else if (message.type === MessageType.Complete || message.type === MessageType.Error) {
          cursors.delete(message.id);
        }
      },
      closed(event) {
        const { code } = event as CloseEvent;
        if (code === 4403) session.refused(); // expired: the next connection brings another token
        if (code === 1000) cursors.clear(); // nobody subscribes any more
      },
    },
  });
}
// #endregion

/** Every change of a day from now on; begins with the day as it is, again when the feed must be begun anew. */
export async function* watchDay(client: Client, date: string): AsyncGenerator<WatchSubscription | BoardQuery> {
  for (;;) {
    const day = client.iterate<BoardQuery>({ query: print(Board), variables: { date } });
    const { data: board } = (await day.next()).value!;
    if (!board) throw new Error("The day could not be read.");
    yield board;
    const after = board.attendanceDay!.records.feedCursor;
    try {
      const changes = client.iterate<WatchSubscription>({ query: print(Watch), variables: { date, after } });
      for await (const { data } of changes) if (data) yield data;
      return;
    } catch (error) {
      if (!Array.isArray(error) || !hasCode(error, "RESTART_REQUIRED")) throw error;
    }
  }
}
