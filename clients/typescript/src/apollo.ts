/** Apollo Client 4: a link, what the cache has to know, and a day that stays live. */
import { ApolloLink, type ApolloClient, type DocumentNode, type TypePolicies } from "@apollo/client";
import { print, relayStylePagination } from "@apollo/client/utilities";
import { Observable } from "rxjs";
import { Answers } from "./answers.ts";
import type { BoardDay, Change, Day, DayEvents, Documents, RecordChange } from "./day.ts";
import type { Session } from "./session.ts";
import { hasPages, standard } from "./standard.ts";
import { run, type Subscriptions } from "./transport.ts";
import { answerOf, follow } from "./watch.ts";

export * from "./day.ts";
export { BoardDocument, ChangesDocument, MarkDocument, StateDocument } from "./documents.ts";
export { possibleTypes } from "./schema.ts";

/**
 * Lists that `fetchMore` extends: each argument but `after` makes a list of its own. So does the size of a page, or a list
 * of five would replace one of a thousand.
 */
export const typePolicies: TypePolicies = {
  Query: {
    fields: {
      accounts: relayStylePagination(["first", "search"]),
      audit: relayStylePagination(["account", "action", "first", "from", "subject", "to"]),
      staff: relayStylePagination(["filter", "first"]),
    },
  },
  Attendance: { fields: { history: relayStylePagination(["first"]) } },
  AttendanceDay: { fields: { records: relayStylePagination(["first", "scope", "search", "statuses"]) } },
};

/** Sends queries and mutations over HTTP, and subscriptions over a connection. What it hands on never goes back. */
export function createLink(session: Session, subscriptions: Subscriptions): ApolloLink {
  const answers = new Answers();
  return new ApolloLink(
    ({ query, variables, operationName, operationType }) =>
      new Observable((observer) =>
        run(session, subscriptions, operationType, { query: print(query), variables, operationName }, {
          next: ({ data, ...result }) => observer.next({ ...result, data: answers.keep(query, data, variables) }),
          error: (error) => observer.error(error),
          complete: () => observer.complete(),
        }),
      ),
  );
}

/**
 * Keep a day in the client's cache live, and tell of its changes; answers how to stop. Whoever watches it again goes on
 * after the last change that was told of.
 */
export function watchDay<TDay extends Day = BoardDay, TChange extends Change = RecordChange>(
  client: ApolloClient,
  date: string,
  events: DayEvents<NoInfer<TDay>, NoInfer<TChange>> = {},
  documents?: Documents<TDay, TChange>,
): () => void {
  const begin = () => follow<DocumentNode, TDay, TChange>(client, date, events, { ...standard, ...documents }, {
    cached: (query, variables) => client.readQuery({ query, variables }),
    read: (query, variables, signal) =>
      answerOf(signal, (resolve, reject) => {
        // Not `client.query`, which nobody can end.
        const results = client.watchQuery({ query, variables, fetchPolicy: "network-only", errorPolicy: "none" });
        const subscription = results.subscribe(({ data, error, loading }) => {
          if (error) reject(error);
          else if (!loading) resolve(data);
        });
        return () => subscription.unsubscribe();
      }),
    hasPages,
    subscribe(query, variables, next, end) {
      // Whoever shared that of another follower would not hear what it has told already.
      const results = client.subscribe({ query, variables, errorPolicy: "none", context: { queryDeduplication: false } });
      const subscription = results.subscribe({
        next: ({ data, error }) => (error ? end(error) : next(data)),
        error: end,
        complete: end,
      });
      return () => subscription.unsubscribe();
    },
  });
  let stop = begin();
  const again = async (): Promise<void> => {
    stop();
    stop = begin();
  };
  const unregister = [client.onClearStore(again), client.onResetStore(again)]; // the day is no longer in the cache
  return () => {
    for (const each of [stop, ...unregister]) each();
  };
}
