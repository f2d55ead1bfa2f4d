/** urql with Graphcache: the exchanges, and a day that stays live. */
import { createRequest, subscriptionExchange, type Client, type CombinedError, type Exchange } from "@urql/core";
import { cacheExchange, type Cache, type CacheExchangeOpts, type UpdateResolver, type UpdatesConfig } from "@urql/exchange-graphcache";
import type { DocumentNode } from "graphql";
import { filter, map, onEnd, pipe, subscribe as subscribeTo, take } from "wonka";
import { Answers } from "./answers.ts";
import type { BoardDay, Change, Day, DayEvents, Documents, RecordChange } from "./day.ts";
import { embeddedTypes, possibleTypes } from "./schema.ts";
import type { Session } from "./session.ts";
import { hasPages, standard } from "./standard.ts";
import { run, type Subscriptions } from "./transport.ts";
import { answerOf, follow } from "./watch.ts";

export * from "./day.ts";
export { BoardDocument, ChangesDocument, MarkDocument, StateDocument } from "./documents.ts";

/** For Graphcache: types without an id stay inside their parents. */
export const keys = Object.fromEntries(embeddedTypes.map((type) => [type, () => null]));

/** For Graphcache: the lists that a mutation changes are asked for again. Records need nothing, they are updated by id. */
export const updates = {
  Mutation: {
    createStaff: (_: unknown, __: unknown, cache: Cache) => invalidate(cache, "staff", "attendanceReport"),
    updateStaff: (_: unknown, __: unknown, cache: Cache) => invalidate(cache, "staff", "attendanceReport"),
    importStaff: (_: unknown, { input }: { input?: { dryRun?: boolean } }, cache: Cache) => {
      if (!input?.dryRun) invalidate(cache, "staff", "attendanceReport");
    },
    createAccount: (_: unknown, __: unknown, cache: Cache) => invalidate(cache, "accounts"),
  },
};

/**
 * A subscription's key is its own, below those that urql makes of documents and variables: whoever shared that of another
 * follower would not hear what it has told already.
 */
let keyOfLast = 0;

/** All exchanges of a client: Graphcache, with `options` beside ours, and what is below it. */
export function exchanges(session: Session, subscriptions: Subscriptions, options: CacheExchangeOpts = {}): Exchange[] {
  return [
    cacheExchange({
      possibleTypes,
      ...options,
      keys: { ...keys, ...options.keys },
      updates: merged(updates, options.updates as Updates | undefined),
    }),
    newestExchange(),
    transportExchange(session, subscriptions),
  ];
}

/** Both; where they are of one field, ours and then theirs. */
function merged(ours: Updates, theirs: Updates = {}): UpdatesConfig {
  const all = { ...ours };
  for (const [type, fields] of Object.entries(theirs)) {
    const both = { ...all[type] };
    for (const [field, update] of Object.entries(fields)) {
      const first = both[field];
      both[field] = (...given) => {
        first?.(...given);
        update(...given);
      };
    }
    all[type] = both;
  }
  return all;
}

/** UpdatesConfig, as it can be walked through. */
type Updates = Record<string, Record<string, UpdateResolver>>;

/** Below Graphcache: what comes to it never goes back. */
export function newestExchange(): Exchange {
  const answers = new Answers();
  return ({ forward }) =>
    (operations) =>
      pipe(
        forward(operations),
        map((result) => {
          const { query, variables } = result.operation;
          return { ...result, data: answers.keep<unknown>(query, result.data, variables) };
        }),
      );
}

/** Sends queries and mutations over HTTP, and subscriptions over a connection. */
export function transportExchange(session: Session, subscriptions: Subscriptions): Exchange {
  return subscriptionExchange({
    enableAllOperations: true,
    forwardSubscription: ({ query = "", variables, operationName }, { kind }) => ({
      subscribe: (sink) => ({
        unsubscribe: run(session, subscriptions, kind, { query, variables, operationName }, {
          next: (result) => sink.next(result),
          error: (error) => sink.error(error),
          complete: () => sink.complete(),
        }),
      }),
    }),
  });
}

/**
 * Keep a day in the client's cache live, and tell of its changes; answers how to stop. Whoever watches it again goes on
 * after the last change that was told of.
 */
export function watchDay<TDay extends Day = BoardDay, TChange extends Change = RecordChange>(
  client: Client,
  date: string,
  events: DayEvents<NoInfer<TDay>, NoInfer<TChange>> = {},
  documents?: Documents<TDay, TChange>,
): () => void {
  return follow<DocumentNode, TDay, TChange>(client, date, events, { ...standard, ...documents }, {
    cached: (query, variables) => client.readQuery(query, variables, { requestPolicy: "cache-only" })?.data,
    read: (query, variables, signal) =>
      answerOf(signal, (resolve, reject) =>
        pipe(
          client.query(query, variables, { requestPolicy: "network-only" }),
          filter(({ stale, hasNext }) => !stale && !hasNext),
          take(1),
          subscribeTo(({ data, error }) => (error ? reject(reason(error)) : resolve(data))),
        ).unsubscribe,
      ),
    hasPages,
    subscribe: (query, variables, next, end) =>
      pipe(
        client.executeSubscription({ ...createRequest(query, variables), key: (keyOfLast -= 1) }),
        onEnd(end),
        subscribeTo(({ data, error }) => {
          if (error) end(reason(error));
          else if (data) next(data);
        }),
      ).unsubscribe,
  });
}

/** What urql has wrapped: errors of ours, such as SessionEnded. */
function reason(error: CombinedError): Error {
  return error.networkError ?? error;
}

function invalidate(cache: Cache, ...fields: string[]): void {
  for (const field of cache.inspectFields("Query")) {
    if (fields.includes(field.fieldName)) cache.invalidate("Query", field.fieldName, field.arguments);
  }
}
