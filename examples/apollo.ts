import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { RetryLink } from "@apollo/client/link/retry";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { map } from "rxjs";
import { Board, Watch } from "./documents.ts";
import type { WatchSubscription } from "./gql/graphql.ts";
import { connect } from "./graphql-ws.ts";
import { cursorIn, hasCode, SessionEnded, type Session } from "./session.ts";

// #region page
/** Queries and mutations over HTTP; subscriptions too (multipart), or over a WebSocket. */
export function createApollo(session: Session, subscriptions: "websocket" | "multipart"): ApolloClient {
  const isSubscription = (operation: ApolloLink.Operation) =>
    operation.operationType === OperationTypeNode.SUBSCRIPTION;

  const retry = new RetryLink({
    delay: { initial: 250, max: 5_000, jitter: true },
    attempts: (count, operation, error) => {
      if (!CombinedGraphQLErrors.is(error)) return isSubscription(operation) && !(error instanceof SessionEnded);
      if (!hasCode(error.errors, "UNAUTHENTICATED")) return false;
      session.refused();
      return count < 3 || isSubscription(operation);
    },
  });
  // What is tried again goes on after its last event.
  const resume = new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      map((result) => {
        if (hasCode(result.errors, "UNAUTHENTICATED")) throw new CombinedGraphQLErrors(result);
        const after = cursorIn(result.data);
        if (after) operation.variables = { ...operation.variables, after };
        return result;
      }),
    ),
  );
  const authorize = new SetContextLink(async ({ headers }) => ({
    headers: { ...headers, authorization: `Bearer ${await session.token()}` },
  }));
  const http = ApolloLink.from([retry, resume, authorize, new HttpLink({ uri: `${session.address}/graphql` })]);
  const link =
    subscriptions === "multipart"
      ? http
      : ApolloLink.split(isSubscription, new GraphQLWsLink(connect(session)), http);
  return new ApolloClient({ link, cache: new InMemoryCache() });
}

/** Follow a day from the board in the cache on: whatever shows that board changes with it. */
export async function watchDay(
  client: ApolloClient,
  date: string,
  onChange: (change: WatchSubscription["attendanceUpdated"]) => void,
  fetchPolicy: "cache-first" | "network-only" = "cache-first",
): Promise<void> {
  const { data } = await client.query({ query: Board, variables: { date }, fetchPolicy });
  const after = data!.attendanceDay!.records.feedCursor;
  client.subscribe({ query: Watch, variables: { date, after } }).subscribe(({ data, error }) => {
    if (data) onChange(data.attendanceUpdated);
    if (!CombinedGraphQLErrors.is(error) || !hasCode(error.errors, "RESTART_REQUIRED")) return;
    void watchDay(client, date, onChange, "network-only");
  });
}
// #endregion
