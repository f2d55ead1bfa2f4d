import type { FormattedExecutionResult, SubscribePayload } from "graphql-ws";
import { createClient, type Client as SocketClient } from "graphql-ws";

import { Gather } from "./gather";
import type { Session } from "./session";

/** What the connection light is made of. */
export type SocketEvent = "connecting" | "connected" | "closed";

interface Sink {
  next: (value: FormattedExecutionResult<Record<string, unknown>, unknown>) => void;
  error: (error: unknown) => void;
  complete: () => void;
}

const KEEP_ALIVE = 10_000;
const PONG = 5_000;
const LONGEST_WAIT = 15_000;

/**
 * The one WebSocket: opened by the first subscription, closed after the last, and connected again for ever.
 *
 * A subscription that is cut off goes on where it was: its id stays the same, and `resume` tells the server the
 * cursor of its last event. So nobody has to subscribe anew, and nothing is missed.
 */
export class LiveSocket {
  onEvent: ((event: SocketEvent) => void) | null = null;

  readonly #client: SocketClient;
  readonly #cursors = new Map<string, string>();
  readonly #gather = new Gather();
  #ids = 0;
  #socket: WebSocket | null = null;
  #pong: ReturnType<typeof setTimeout> | undefined;
  #hurry: (() => void) | null = null;

  constructor(url: string, session: Session) {
    this.#client = createClient({
      url,
      lazy: true,
      lazyCloseTimeout: 2_000, // another day's board takes the socket over
      keepAlive: KEEP_ALIVE,
      connectionAckWaitTimeout: 10_000,
      connectionParams: async () => ({
        authorization: `Bearer ${(await session.fresh()) ?? ""}`,
        resume: Object.fromEntries(this.#cursors),
      }),
      generateID: () => String(this.#ids),
      retryAttempts: Infinity,
      retryWait: (retries) => this.#wait(retries),
      shouldRetry: () => true,
      on: {
        connecting: () => this.onEvent?.("connecting"),
        opened: (socket) => (this.#socket = socket as WebSocket),
        connected: () => this.onEvent?.("connected"),
        ping: (received) => {
          if (!received) this.#expectPong();
        },
        pong: (received) => {
          if (received) clearTimeout(this.#pong);
        },
        closed: (event) => {
          clearTimeout(this.#pong);
          this.#socket = null;
          this.onEvent?.("closed");
          // 4403: the token has expired, or the role has changed. The next connection needs another one.
          if ((event as CloseEvent).code === 4403) void session.refresh().catch(() => undefined);
        },
      },
    });
    // A socket outlives its first token when a ping brings the next one.
    session.onToken = (token) => this.#ping({ authorization: `Bearer ${token}` });
  }

  /** Begin a subscription; `cursorOf` finds the cursor to resume from in an event. */
  subscribe(
    payload: SubscribePayload,
    sink: Sink,
    cursorOf: (data: Record<string, unknown>) => string | undefined,
  ): () => void {
    const id = String(++this.#ids);
    let over = false;
    const end = this.#client.subscribe(payload, {
      next: (value) => {
        const cursor = value.data ? cursorOf(value.data) : undefined;
        if (cursor !== undefined && !over) this.#cursors.set(id, cursor);
        this.#gather.add(() => {
          if (!over) sink.next(value);
        });
      },
      error: (error) => {
        this.#cursors.delete(id);
        this.#gather.flush();
        if (!over) sink.error(error);
      },
      complete: () => {
        this.#cursors.delete(id);
        this.#gather.flush();
        if (!over) sink.complete();
      },
    });
    return () => {
      over = true;
      this.#cursors.delete(id);
      end();
    };
  }

  /** Find out now whether the connection lives: after sleep, or when the network is back. */
  check(): void {
    this.#hurry?.();
    this.#ping();
  }

  #ping(payload?: Record<string, unknown>): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ type: "ping", ...(payload && { payload }) }));
    this.#expectPong();
  }

  #expectPong(): void {
    clearTimeout(this.#pong);
    this.#pong = setTimeout(() => this.#client.terminate(), PONG);
  }

  /** Longer after each failure, and different in each browser: a thousand boards must not return at once. */
  async #wait(retries: number): Promise<void> {
    const longest = Math.min(500 * 2 ** retries, LONGEST_WAIT);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, longest * (0.3 + 0.7 * Math.random()));
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#hurry = null;
  }
}
