import { type ExecutionArgs, execute, parse, subscribe } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

import { type House, refusal } from "./house";

interface Request {
  query: string;
  operationName: string;
  variables: Record<string, unknown>;
}

interface Received {
  type: string;
  payload?: unknown;
}

/** A house behind real WebSockets; `resume` is understood as the server does. */
export class Sockets {
  /** What each connection has received, the oldest first. */
  readonly received: Received[][] = [];
  /** What has connected, or tried to. */
  attempts = 0;
  /** The operations that came over HTTP. */
  readonly asked: string[] = [];
  /** The access tokens that are good. */
  accepts: (token: string) => boolean = () => true;
  /** What becomes of a connection attempt; a silent one is neither accepted nor refused. */
  handshake: "accepted" | "refused" | "silent" = "accepted";
  /** Whether connections are accepted, and then not acknowledged. */
  mute = false;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #server = createServer();
  readonly #raw = new Set<Socket>();

  constructor(
    private readonly house: House,
    private readonly extra: object = {},
  ) {
    this.#server.on("connection", (socket) => this.#raw.add(socket));
    this.#server.on("upgrade", (request, socket, head) => {
      this.attempts++;
      if (this.handshake === "refused") socket.destroy();
      if (this.handshake !== "accepted") return;
      this.#sockets.handleUpgrade(request, socket, head, (ready) => this.#sockets.emit("connection", ready, request));
    });
    this.#sockets.on("connection", (socket: WebSocket) => {
      const messages: Received[] = [];
      this.received.push(messages);
      socket.on("message", (data) => messages.push(JSON.parse((data as Buffer).toString()) as Received));
    });
    const { schema } = house;
    const begun = new WeakMap<ExecutionArgs, Awaited<ReturnType<typeof subscribe>>>();
    // eslint-disable-next-line react-hooks/rules-of-hooks -- it is no hook of React's
    useServer(
      {
        schema,
        execute,
        subscribe: (args) => begun.get(args) ?? subscribe(args),
        onConnect: async ({ connectionParams }) => {
          if (this.mute) await new Promise(() => undefined);
          return this.accepts(String(connectionParams?.authorization).slice(7));
        },
        onSubscribe: async ({ connectionParams }, id, { query, operationName, variables }) => {
          const after = (connectionParams?.resume as Record<string, string>)[id];
          const args: ExecutionArgs = {
            schema,
            document: parse(query),
            operationName: operationName ?? null,
            variableValues: { ...variables, ...(after !== undefined && { after }) },
            rootValue: this.#root,
          };
          const result = await subscribe(args);
          if (!(Symbol.asyncIterator in result)) return result.errors; // sent as `error`, as the server does
          begun.set(args, result);
          return args;
        },
      },
      this.#sockets,
      0,
    );
  }

  async open(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  /** Its address, without the scheme. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}/graphql`;
  }

  /** How many sockets are open now. */
  get live(): number {
    return [...this.#sockets.clients].filter(({ readyState }) => readyState === 1).length;
  }

  /** The payload of each connection's first message. */
  get inits(): unknown[] {
    return this.received.map(([first]) => first?.payload);
  }

  /** How many messages of a kind the last connection has received. */
  count(type: string): number {
    return this.received.at(-1)?.filter((message) => message.type === type).length ?? 0;
  }

  /** Close all sockets with a code; without one, cut them. */
  end(code?: number): void {
    for (const socket of this.#sockets.clients) {
      if (code === undefined) socket.terminate();
      else socket.close(code);
    }
  }

  /** Read nothing more of what is open now: its network is gone. */
  freeze(): void {
    for (const socket of this.#sockets.clients) socket.pause();
  }

  close(): void {
    this.end();
    for (const socket of this.#raw) socket.destroy();
    this.#server.close();
  }

  get #root(): object {
    return { ...this.house.root, ...this.extra };
  }

  /** What comes over HTTP, without the network: Node's own fetch counts on a clock that goes on. */
  readonly fetch = async (_: unknown, init?: RequestInit): Promise<Response> => {
    const { query, variables } = JSON.parse(init?.body as string) as Request;
    const operationName = /^\w+ (\w+)/.exec(query)?.[1] ?? "";
    this.asked.push(operationName);
    const token = new Headers(init?.headers).get("authorization")?.slice(7) ?? "";
    const { schema } = this.house;
    const args = { schema, document: parse(query), operationName, variableValues: variables, rootValue: this.#root };
    const allowed = operationName === "RefreshSession" || this.accepts(token);
    const answer = allowed ? await execute(args) : { errors: [refusal("UNAUTHENTICATED", "Log in again.")] };
    return new Response(JSON.stringify(answer), { headers: { "content-type": "application/json" } });
  };
}
