import { Client, fetchExchange, makeOperation, subscriptionExchange } from "@urql/core";
import type { Exchange, RequestPolicy } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";
import { cacheExchange } from "@urql/exchange-graphcache";
import { retryExchange } from "@urql/exchange-retry";
import { filter, map, pipe, subscribe, tap } from "wonka";
import { Board, Watch } from "./documents.ts";
import type { WatchSubscription } from "./gql/graphql.ts";
import { connect } from "./graphql-ws.ts";
import { cursorIn, hasCode, SessionEnded, type Session } from "./session.ts";

// #region page
/** Queries and mutations over HTTP; subscriptions too (server-sent events), or over a WebSocket. */
export function createUrql(session: Session, subscriptions: "websocket" | "events"): Client {
  const embedded = ["AttendanceConnection", "AttendanceEdge", "UpdateAttendancePayload", "InputError"];
  const cache = cacheExchange({ keys: Object.fromEntries(embedded.map((type) => [type, () => null])) });

  const retry = retryExchange({
    initialDelayMs: 250,
    maxDelayMs: 5_000,
    maxNumberAttempts: Infinity,
    retryWith(error, operation) {
      const broken = error.networkError || hasCode(error.graphQLErrors, "UNAUTHENTICATED");
      const over = error.networkError instanceof SessionEnded;
      if (operation.kind !== "subscription" || !broken || over) return null;
      return makeOperation(operation.kind, operation, { ...operation.context, authAttempt: false });
    },
  });
  const auth = authExchange(async (utilities) => {
    let token = await session.token();
    return {
      addAuthToOperation: (operation) => utilities.appendHeaders(operation, { authorization: `Bearer ${token}` }),
      didAuthError: (error) => hasCode(error.graphQLErrors, "UNAUTHENTICATED"),
      async refreshAuth() {
        session.refused();
        token = await session.token();
      },
    };
  });
  // What is tried again goes on after its last event.
  const cursors = new Map<number, string>();
  const resume: Exchange = ({ forward }) => (operations) =>
    pipe(
      operations,
      map((operation) => {
        if (operation.kind === "teardown") cursors.delete(operation.key);
        const after = cursors.get(operation.key);
        const variables = { ...operation.variables, after };
        return after ? makeOperation(operation.kind, { ...operation, variables }, operation.context) : operation;
      }),
      forward,
      // urql repeats a stream's last error when it ends: tried again once for each, it would become two streams.
      filter(({ error, hasNext }) => !(hasNext && hasCode(error?.graphQLErrors, "UNAUTHENTICATED"))),
      tap(({ operation, data }) => {
        const after = cursorIn(data);
        if (after) cursors.set(operation.key, after);
      }),
    );

  const socket = connect(session);
  const overSocket = subscriptionExchange({
    forwardSubscription: ({ query = "", variables }) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
    }),
  });
  const overEvents = subscriptions === "events";
  return new Client({
    url: `${session.address}/graphql`,
    preferGetMethod: false,
    fetchSubscriptions: overEvents,
    exchanges: overEvents ? [cache, retry, auth, resume, fetchExchange] : [cache, auth, overSocket, fetchExchange],
  });
}

/** Follow a day from the board in the cache on: whatever shows that board changes with it. */
export async function watchDay(
  client: Client,
  date: string,
  onChange: (change: WatchSubscription["attendanceUpdated"]) => void,
  requestPolicy: RequestPolicy = "cache-first",
): Promise<void> {
  const { data } = await client.query(Board, { date }, { requestPolicy }).toPromise();
  const after = data!.attendanceDay!.records.feedCursor;
  const { unsubscribe } = pipe(
    client.subscription(Watch, { date, after }),
    subscribe(({ data, error }) => {
      if (data && !error) onChange(data.attendanceUpdated);
      if (!hasCode(error?.graphQLErrors, "RESTART_REQUIRED")) return;
      unsubscribe();
      void watchDay(client, date, onChange, "network-only");
    }),
  );
}
// #endregion
