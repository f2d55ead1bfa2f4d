import type { FormattedExecutionResult, SubscribePayload } from "graphql-ws";
import { createClient, type Client as SocketClient } from "graphql-ws";

import { Gather } from "./gather";
import type { Session } from "./session";

/** What the connection light is derived from. */
export type SocketEvent = "connecting" | "connected" | "closed";

interface Sink {
  next: (value: FormattedExecutionResult<Record<string, unknown>, unknown>) => void;
  error: (error: unknown) => void;
  complete: () => void;
}

const KEEP_ALIVE = 10_000;
const PONG = 5_000;
/** After this long, a connection attempt is given up: browsers themselves wait for minutes. */
const OPENING = 10_000;
const LONGEST_WAIT = 15_000;

/**
 * The only WebSocket: opened by the first subscription, closed after the last, and reconnected without limit.
 *
 * An interrupted subscription resumes where it was: it keeps its ID, and `resume` sends the server the cursor of its
 * last event. Nobody has to subscribe again, and no event is missed.
 */
export class LiveSocket {
  onEvent: ((event: SocketEvent) => void) | null = null;

  readonly #client: SocketClient;
  readonly #cursors = new Map<string, string>();
  readonly #gather = new Gather();
  #ids = 0;
  #socket: WebSocket | null = null;
  #opening: ReturnType<typeof setTimeout> | undefined;
  #pong: ReturnType<typeof setTimeout> | undefined;
  #hurry: (() => void) | null = null;

  constructor(url: string, session: Pick<Session, "fresh" | "refresh" | "onToken">) {
    this.#client = createClient({
      url,
      lazy: true,
      lazyCloseTimeout: 2_000, // another day's board reuses the socket
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
        connecting: () => {
          this.#opening = setTimeout(() => this.#client.terminate(), OPENING);
          this.onEvent?.("connecting");
        },
        opened: (socket) => {
          clearTimeout(this.#opening);
          this.#socket = socket as WebSocket;
        },
        connected: () => this.onEvent?.("connected"),
        ping: (received) => {
          if (!received) this.#expectPong();
        },
        pong: (received) => {
          if (received) clearTimeout(this.#pong);
        },
        closed: (event) => {
          clearTimeout(this.#opening);
          clearTimeout(this.#pong);
          this.#socket = null;
          this.onEvent?.("closed");
          // 4403: the token has expired, or the role has changed. The next connection needs a new token.
          if ((event as CloseEvent).code === 4403) void session.refresh().catch(() => undefined);
        },
      },
    });
    // A ping with a new token extends the socket beyond the old token's expiry.
    session.onToken = (token) => this.#ping({ authorization: `Bearer ${token}` });
  }

  /** Start a subscription; `cursorOf` returns the cursor of an event, to resume from. */
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
        end(); // after a fatal close the client still counts it, and would keep the next socket open for it
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

  /** Check the connection now: after sleep, or when the network is back. */
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

  /** Exponential back-off with jitter: a thousand boards must not reconnect at once. */
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
