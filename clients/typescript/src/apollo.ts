/** Apollo Client 4: a link, what the cache has to know, and a day that stays live. */
import { ApolloLink, type ApolloClient, type DocumentNode, type TypePolicies } from "@apollo/client";
import { print, relayStylePagination } from "@apollo/client/utilities";
import { Observable } from "rxjs";
import { Answers } from "./answers.ts";
import type { BoardDay, Change, Day, DayEvents, Documents, RecordChange } from "./day.ts";
import { OperationFailed } from "./errors.ts";
import type { Session } from "./session.ts";
import { hasPages, standard } from "./standard.ts";
import { run, type Subscriptions } from "./transport.ts";
import { answerOf, follow, type Variables } from "./watch.ts";

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

/** What each client has been answered, by a link of ours. */
const answered = new WeakMap<ApolloClient, Answers>();

/** Sends queries and mutations over HTTP, and subscriptions over a connection. What it hands on never goes back. */
export function createLink(session: Session, subscriptions: Subscriptions): ApolloLink {
  const answers = new Answers();
  return new ApolloLink(({ client, query, variables, operationName, operationType }) => {
    answered.set(client, answers);
    return new Observable((observer) =>
      run(session, subscriptions, operationType, { query: print(query), variables, operationName }, {
        next: ({ data, ...result }) => observer.next({ ...result, data: answers.keep(query, data, variables) }),
        error: (error) => observer.error(error),
        complete: () => observer.complete(),
      }),
    );
  });
}

/** The pages of a day. When it is read again its list changes all at once, or it would shrink to the first page. */
class Pages {
  readonly #client: ApolloClient;
  /** What the cache has not been given yet. */
  #pages: { variables: Variables; data: Page }[] = [];
  #isAgain = false;

  constructor(client: ApolloClient) {
    this.#client = client;
  }

  /** Whether it is another than the first page of a day that is read for the first time. */
  has(query: DocumentNode, variables: Variables): boolean {
    if (variables.after !== undefined) return true;
    this.#pages = [];
    return (this.#isAgain = this.#client.readQuery({ query, variables }) !== null);
  }

  async read(document: DocumentNode, variables: Variables, signal: AbortSignal): Promise<Page> {
    const client = this.#client;
    const query = client.documentTransform.transformDocument(document);
    const data = await answerOf<Page>(signal, (resolve, reject) => {
      const results = ApolloLink.execute(client.link, { query, variables }, { client });
      const subscription = results.subscribe({
        next: ({ data: page, errors }) => (errors ? reject(new OperationFailed(errors)) : resolve(page as Page)),
        error: reject,
      });
      return () => subscription.unsubscribe();
    });
    this.#pages.push({ variables, data });
    if (!this.#isAgain || !data.attendanceDay?.records.pageInfo?.hasNextPage) this.#write(query);
    return data;
  }

  /** What has become newer since a page was read is not written over. */
  #write(query: DocumentNode): void {
    const answers = answered.get(this.#client);
    this.#client.cache.batch({
      update: (cache) => {
        for (const { variables, data } of this.#pages.splice(0)) {
          cache.writeQuery({ query, variables, data: answers ? answers.keep(query, data, variables) : data });
        }
      },
    });
  }
}

interface Page {
  attendanceDay?: Day | null;
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
  const pages = new Pages(client);
  const begin = () => follow<DocumentNode, TDay, TChange>(client, date, events, { ...standard, ...documents }, {
    cached: (query, variables) => client.readQuery({ query, variables }),
    read(query, variables, signal) {
      if (hasPages(query) && pages.has(query, variables)) return pages.read(query, variables, signal);
      return answerOf(signal, (resolve, reject) => {
        // Not `client.query`, which nobody can end.
        const results = client.watchQuery({ query, variables, fetchPolicy: "network-only", errorPolicy: "none" });
        const subscription = results.subscribe(({ data, error, loading }) => {
          if (error) reject(error);
          else if (!loading) resolve(data);
        });
        return () => subscription.unsubscribe();
      });
    },
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
