import { type Request as Operation, type Result, Session, type Sink, type Viewer } from "@memberstaff/client";
import { type ExecutionResult, execute, type GraphQLError, parse, subscribe } from "graphql";

import { type Api, createClient } from "../api/client";
import type { House } from "./house";

interface Sent {
  query: string;
  operationName: string;
  variables: Record<string, unknown>;
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
  api(): Pick<Api, "client" | "viewer"> {
    const viewer: Viewer = {
      id: "V",
      accountId: "A",
      displayName: this.house.viewer,
      role: "ADMIN",
      timeZone: "Europe/Berlin",
      organisation: "School",
      today: "2026-11-23",
    };
    const session = new Session("http://house", { token: () => "T" }, { fetch: (_, init) => this.#fetch(init) });
    const subscribe = (operation: Operation, sink: Sink) => this.#follow(sentIn(operation), sink);
    return { client: createClient(session, { subscribe }, () => viewer), viewer };
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
      if (errors.length > 0) sink.next(JSON.parse(JSON.stringify({ errors })) as Result);
      sink.complete();
    }
    this.following.clear();
  }

  /** How often an operation was sent. */
  count(name: string): number {
    return this.sent.filter(({ operationName }) => operationName === name).length;
  }

  async #fetch(init: RequestInit | undefined): Promise<Response> {
    const sent = JSON.parse(init?.body as string) as Sent;
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
        if (!this.following.delete(following)) return;
        sink.next(JSON.parse(JSON.stringify(events)) as Result);
        sink.complete();
        return;
      }
      stop = () => void events.return();
      if (!this.following.has(following)) stop();
      for await (const event of events) {
        await this.#delivery(operationName);
        if (this.following.has(following)) sink.next(JSON.parse(JSON.stringify(event)) as Result);
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

function sentIn({ query, operationName = "", variables = {} }: Operation): Sent {
  return { query, operationName, variables };
}
