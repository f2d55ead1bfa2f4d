/** Relay: a network from which nothing goes back, and a day that stays live. */
import relay, {
  type Disposable,
  type Environment,
  type GraphQLResponse,
  type GraphQLTaggedNode,
  type INetwork,
  type RequestParameters,
  type Variables,
} from "relay-runtime";
import { parse } from "graphql";
import { Answers } from "./answers.ts";
import type { BoardDay, Change, Day, DayEvents, RecordChange } from "./day.ts";
import { OperationFailed } from "./errors.ts";
import BoardQuery from "./relay/__generated__/Board.graphql.ts";
import ChangesSubscription from "./relay/__generated__/Changes.graphql.ts";
import MarkMutation from "./relay/__generated__/Mark.graphql.ts";
import StateSubscription from "./relay/__generated__/State.graphql.ts";
import type { Document } from "./selections.ts";
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

/** An environment with our network. */
export function createEnvironment(session: Session, subscriptions: Subscriptions): Environment {
  const store = new Store(new RecordSource());
  return new relay.Environment({ network: createNetwork(session, subscriptions), store });
}

/** Sends queries and mutations over HTTP, and subscriptions over a connection. What it hands on never goes back. */
export function createNetwork(session: Session, subscriptions: Subscriptions): INetwork {
  const answers = new Answers();
  const documents = new Map<string, Document>(); // by text, as many as were compiled
  const documentOf = (text: string): Document => {
    const document = documents.get(text) ?? parse(text);
    documents.set(text, document);
    return document;
  };
  const send = ({ operationKind, name, text }: RequestParameters, variables: Variables) =>
    Observable.create<GraphQLResponse>((sink) => {
      if (text === null) throw new Error(`${name} has no text: compile it without persisted queries.`);
      return run(session, subscriptions, operationKind, { query: text, variables, operationName: name }, {
        next: (result) => {
          const failed = Object.values(result.data ?? {}).every((field) => field === null);
          if (result.errors && failed) return sink.error(new OperationFailed(result.errors));
          const data = answers.keep(documentOf(text), result.data, variables);
          sink.next({ ...result, data } as GraphQLResponse);
        },
        error: (error) => sink.error(error),
        complete: () => sink.complete(),
      });
    });
  return Network.create(send, send);
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
