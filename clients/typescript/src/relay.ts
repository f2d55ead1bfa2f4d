/** Relay: a network, a store that never goes back, and a day that stays live. */
import relay, {
  type Disposable,
  type Environment,
  type GraphQLResponse,
  type GraphQLTaggedNode,
  type INetwork,
  type RequestParameters,
  type Variables,
} from "relay-runtime";
import type { BoardDay, Change, Day, DayEvents, RecordChange } from "./day.ts";
import { OperationFailed } from "./errors.ts";
import { Newest, type Own } from "./newest.ts";
import BoardQuery from "./relay/__generated__/Board.graphql.ts";
import ChangesSubscription from "./relay/__generated__/Changes.graphql.ts";
import MarkMutation from "./relay/__generated__/Mark.graphql.ts";
import StateSubscription from "./relay/__generated__/State.graphql.ts";
import type { Session } from "./session.ts";
import { run, type Subscriptions } from "./transport.ts";
import { answerOf, follow } from "./watch.ts";

export type * from "./day.ts";
export { BoardQuery, ChangesSubscription, MarkMutation, StateSubscription };
export type { Board } from "./relay/__generated__/Board.graphql.ts";
export type { Mark } from "./relay/__generated__/Mark.graphql.ts";

// A CommonJS module, whose names Node cannot import one by one.
const { createOperationDescriptor, fetchQuery, getRequest, Network, Observable, RecordSource, requestSubscription, Store } = relay;

/** As `Documents` of the other clients; compiled by relay-compiler, with nothing masked that is to be told. */
export interface CompiledDocuments {
  board: GraphQLTaggedNode;
  changes: GraphQLTaggedNode;
}

/** An environment with our network and store. */
export function createEnvironment(session: Session, subscriptions: Subscriptions): Environment {
  const store = new NewestStore(new RecordSource());
  return new relay.Environment({ network: createNetwork(session, subscriptions), store });
}

/** Sends queries and mutations over HTTP, and subscriptions over a connection. */
export function createNetwork(session: Session, subscriptions: Subscriptions): INetwork {
  const send = ({ operationKind, name, text }: RequestParameters, variables: Variables) =>
    Observable.create<GraphQLResponse>((sink) => {
      if (text === null) throw new Error(`${name} has no text: compile it without persisted queries.`);
      return run(session, subscriptions, operationKind, { query: text, variables, operationName: name }, {
        next: (result) => {
          const failed = Object.values(result.data ?? {}).every((field) => field === null);
          if (result.errors && failed) sink.error(new OperationFailed(result.errors));
          else sink.next(result as GraphQLResponse);
        },
        error: (error) => sink.error(error),
        complete: () => sink.complete(),
      });
    });
  return Network.create(send, send);
}

/**
 * A store in which an object that has a `sequence` never goes back. Relay's network knows nothing of types and fields, its
 * store does.
 */
export class NewestStore extends Store {
  readonly #newest = new Newest();
  #isOptimistic = false;

  override publish(...[source, ...rest]: Parameters<InstanceType<typeof Store>["publish"]>): void {
    if (this.#isOptimistic) return super.publish(source, ...rest);
    const newest = RecordSource.create();
    for (const id of source.getRecordIDs()) {
      const record = source.get(id);
      if (record) newest.set(id, this.#kept(record));
      else newest.delete(id);
    }
    super.publish(newest, ...rest);
  }

  #kept<T extends object>(record: T): T {
    const kept = { ...record };
    const fields = Object.keys(record).filter((key) => !key.startsWith("__"));
    this.#newest.update(kept as Record<string, unknown>, fields.map((field): Own => [field, field]));
    return kept;
  }

  /** What is published from here on is a guess, until `restore`. */
  override snapshot(): void {
    super.snapshot();
    this.#isOptimistic = true;
  }

  override restore(): void {
    super.restore();
    this.#isOptimistic = false;
  }
}

/**
 * Keep a day in the environment's store live, and tell of its changes; answers how to stop. Whoever watches it again
 * goes on after the last change that was told of.
 */
export function watchDay<TDay extends Day = BoardDay, TChange extends Change = RecordChange>(
  environment: Environment,
  date: string,
  events: DayEvents<NoInfer<TDay>, NoInfer<TChange>> = {},
  documents?: CompiledDocuments,
): () => void {
  const standard = { board: BoardQuery, changes: ChangesSubscription, state: StateSubscription };
  const followed = { ...standard, ...documents };
  const page = (variables: Variables) => createOperationDescriptor(getRequest(followed.board), variables);
  const retained = new Map<string, Disposable>();
  const retain = ({ after = "", ...variables }: Variables): void => {
    if (!retained.has(after)) retained.set(after, environment.retain(page(after ? { ...variables, after } : variables)));
  };
  retain({ date });
  const stop = follow<GraphQLTaggedNode, TDay, TChange>(environment, date, events, followed, {
    cached(_, variables) {
      const board = page(variables);
      return environment.check(board).status === "available" ? environment.lookup(board.fragment).data : null;
    },
    read(query, variables, signal) {
      retain(variables);
      return answerOf(signal, (resolve, reject) => {
        const results = fetchQuery(environment, query, variables, { fetchPolicy: "network-only" });
        return results.subscribe({ next: resolve, error: reject }).unsubscribe;
      });
    },
    hasPages: (query) => getRequest(query).fragment.argumentDefinitions.some(({ name }) => name === "after"),
    subscribe: (subscription, variables, next, end) =>
      requestSubscription(environment, {
        subscription,
        variables,
        onNext: next,
        onError: end,
        onCompleted: () => end(),
      }).dispose,
  });
  return () => {
    stop();
    for (const each of retained.values()) each.dispose();
  };
}
