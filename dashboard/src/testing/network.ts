import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { type ExecutionResult, execute, type GraphQLError, parse, subscribe } from "graphql";

import type { Api } from "../api/client";
import { cache } from "../api/cache";
import { Newest, newestExchange } from "../api/newest";
import type { House } from "./house";

interface Sent {
  query: string;
  operationName: string;
  variables: Record<string, unknown>;
}

interface Sink {
  next: (value: ExecutionResult) => void;
  error: (error: unknown) => void;
  complete: () => void;
}

interface Following {
  name: string;
  variables: Record<string, unknown>;
  sink: Sink;
}

/** Between a dashboard and a house, in one process: what is on its way can be held, refused and lost. */
export class Network {
  /** The operations that were sent, by name, with their variables. */
  readonly sent: Pick<Sent, "operationName" | "variables">[] = [];
  /** The subscriptions that are open. */
  readonly following = new Set<Following>();
  offline = false;
  readonly #held = new Map<string, (() => void)[]>();
  readonly #refused = new Map<string, GraphQLError>();
  readonly #lost = new Set<string>();

  constructor(private readonly house: House) {}

  /** A client of its own, as each browser has; with the dashboard's cache. */
  api(): Pick<Api, "client" | "newest" | "viewer"> {
    const viewer = {
      __typename: "Viewer",
      id: "V",
      accountId: "A",
      displayName: this.house.viewer,
      role: "ADMIN",
      timeZone: "Europe/Berlin",
      organisation: "School",
      today: "2026-11-23",
    } as const;
    const newest = new Newest();
    const client = new Client({
      url: "http://house/graphql",
      preferGetMethod: false,
      fetch: (_, init) => this.#fetch(JSON.parse(init?.body as string) as Sent),
      exchanges: [
        cache(viewer),
        newestExchange(newest),
        fetchExchange,
        subscriptionExchange({
          forwardSubscription: ({ query = "", variables, operationName = "" }) => ({
            subscribe: (sink) => ({
              unsubscribe: this.#follow({ query, operationName, variables: variables ?? {} }, sink),
            }),
          }),
        }),
      ],
    });
    return { client, newest, viewer };
  }

  /** Hold the answers and events of an operation until `release`, on their way back. */
  hold(name: string): void {
    if (!this.#held.has(name)) this.#held.set(name, []);
  }

  /** Deliver the first answer or event that is held of an operation, and hold those that follow. */
  deliver(name: string): void {
    this.#held.get(name)?.shift()?.();
  }

  /** Deliver what is held of an operation, and hold no more. */
  release(name: string): void {
    const held = this.#held.get(name) ?? [];
    this.#held.delete(name);
    for (const deliver of held) deliver();
  }

  /** Refuse an operation, from now on until `accept`. */
  refuse(name: string, error: GraphQLError): void {
    this.#refused.set(name, error);
  }

  accept(name: string): void {
    this.#refused.delete(name);
  }

  /** Lose the next answer to an operation, which the server has executed. */
  lose(name: string): void {
    this.#lost.add(name);
  }

  /** End the open subscriptions, as the server does: each with an error, or without one. */
  end(...errors: GraphQLError[]): void {
    for (const { sink } of [...this.following]) {
      if (errors.length > 0) sink.error(errors);
      else sink.complete();
    }
    this.following.clear();
  }

  /** How often an operation was sent. */
  count(name: string): number {
    return this.sent.filter(({ operationName }) => operationName === name).length;
  }

  async #fetch(sent: Sent): Promise<Response> {
    this.sent.push(sent);
    await Promise.resolve();
    if (this.offline) throw new TypeError("Failed to fetch");
    const answer = await this.#execute(sent);
    await this.#delivery(sent.operationName);
    if (this.#lost.delete(sent.operationName)) throw new TypeError("Failed to fetch");
    return new Response(JSON.stringify(answer), { headers: { "content-type": "application/json" } });
  }

  async #execute({ query, operationName, variables }: Sent): Promise<ExecutionResult> {
    const refused = this.#refused.get(operationName);
    if (refused) return { errors: [refused] };
    const { schema, root: rootValue } = this.house;
    return await execute({ schema, document: parse(query), operationName, variableValues: variables, rootValue });
  }

  #follow(sent: Sent, sink: Sink): () => void {
    const { query, operationName, variables } = sent;
    this.sent.push(sent);
    const following = { name: operationName, variables, sink };
    this.following.add(following);
    let stop: () => void = () => undefined;
    const pump = async () => {
      const { schema, root: rootValue } = this.house;
      const refused = this.#refused.get(operationName);
      const events = refused
        ? { errors: [refused] }
        : await subscribe({ schema, document: parse(query), operationName, variableValues: variables, rootValue });
      if (!(Symbol.asyncIterator in events)) {
        if (this.following.delete(following)) sink.error(events.errors);
        return;
      }
      stop = () => void events.return();
      if (!this.following.has(following)) stop();
      for await (const event of events) {
        await this.#delivery(operationName);
        if (this.following.has(following)) sink.next(JSON.parse(JSON.stringify(event)) as ExecutionResult);
      }
    };
    void pump();
    return () => {
      this.following.delete(following);
      stop();
    };
  }

  async #delivery(name: string): Promise<void> {
    const held = this.#held.get(name);
    if (held) await new Promise<void>((resolve) => held.push(resolve));
  }
}
