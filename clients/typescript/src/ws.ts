/** Subscriptions over one WebSocket, with graphql-ws. */
import { createClient, MessageType, type SubscribePayload } from "graphql-ws";
import { errorsIn, SessionEnded, tell } from "./errors.ts";
import type { Session } from "./session.ts";
import { cursorIn, type Request, type Result, type Sink, type Subscriptions } from "./transport.ts";
import { wait } from "./waiting.ts";

/** Milliseconds between pings, and until an answer is given up: a socket can die without being closed. */
const KEEP_ALIVE = 10_000;
const PONG = 5_000;
const OPENING = 10_000;
/** Until the server lets the client in: when all come at once, it has them wait for up to ten seconds. */
const ADMISSION = 20_000;

/** How long a socket that nobody needs stays, in milliseconds: the next day that is watched takes it. */
const IDLE = 2_000;

/** The close code of a login that has ended: a password was changed, perhaps, and the session goes on with new tokens. */
const LOGIN_ENDED = 4401;
const TOKEN_EXPIRED = 4403;
/** Of ours, when nobody needs the socket any more; of a server's, graphql-ws would come back at once. */
const NORMAL = 1000;

/** How the reason ends of a close with 1013: after how many seconds to come back. */
const RETRY_AFTER = /Retry-After: (\d+)$/;

export interface ConnectionOptions {
  /** Told what becomes of the socket, for a light that says whether the page is live. */
  onState?: (state: "connecting" | "connected" | "closed") => void;
}

export interface Connection extends Subscriptions {
  /**
   * Look whether the socket is alive, and try at once if there is none: after the machine has slept, when the page comes back
   * into view, or when the network is back. Otherwise that takes up to fifteen seconds. A server that has asked the client to
   * stay away is left alone.
   */
  check: () => void;
}

/**
 * The socket is opened by the first subscription and closed soon after the last. It comes back for ever, and each
 * subscription keeps its id, under which it resumes after its last event. Before the token expires, a ping brings the
 * next one.
 */
export function connect(session: Session, { onState }: ConnectionOptions = {}): Connection {
  const cursors = new Map<string, string>(); // of each subscription, by its id
  let ids = 0;
  let id = ""; // of the subscription that is beginning
  let token = ""; // of the socket
  let socket: WebSocket | null = null;
  let opening: Timer;
  let renewal: Timer;
  let pong: Timer;
  let pause = new AbortController(); // before the next attempt
  let running = 0; // subscriptions
  let attempts = 0; // from that in which something was heard last: to be acknowledged is nothing yet
  let refusals = 0; // of tokens, since a pong: a server that takes none may send an event before it says so
  let isDismissed = false; // by the server, with a normal closure
  let asked = 0; // by the server: seconds to stay away

  /** Longer before each attempt. What the server asks for, nothing cuts short. */
  const rest = (): Promise<void> => {
    if (pause.signal.aborted) pause = new AbortController();
    return wait(Math.max(1, attempts, refusals) - 1, asked, asked > 0 ? undefined : pause.signal);
  };

  const expectPong = (): void => {
    clearTimeout(pong);
    pong = setTimeout(() => client.terminate(), PONG);
  };

  const ping = (to: WebSocket, payload?: object): void => {
    to.send(JSON.stringify({ type: MessageType.Ping, payload }));
    expectPong();
  };

  /** Send the next token in time, as long as this is the socket. */
  const renew = async (to: WebSocket): Promise<void> => {
    const remaining = await session.remaining();
    if (socket !== to) return;
    renewal = setTimeout(() => {
      session.token().then(
        (next) => {
          if (socket !== to) return;
          token = next;
          ping(to, { authorization: `Bearer ${token}` });
          renew(to).catch(() => {});
        },
        () => {}, // the server closes the socket
      );
    }, remaining);
  };

  const client = createClient({
    url: async () => {
      if (isDismissed) await rest();
      isDismissed = false;
      attempts += 1;
      opening = setTimeout(() => client.terminate(), OPENING);
      return session.url.replace(/^http/, "ws");
    },
    connectionParams: async () => {
      token = await session.token();
      return { authorization: `Bearer ${token}`, resume: Object.fromEntries(cursors) };
    },
    generateID: () => id,
    lazyCloseTimeout: IDLE,
    keepAlive: KEEP_ALIVE,
    connectionAckWaitTimeout: ADMISSION,
    retryAttempts: Infinity,
    retryWait: rest,
    shouldRetry: (error) => !(error instanceof SessionEnded),
    on: {
      connecting: () => onState?.("connecting"),
      opened: () => clearTimeout(opening),
      connected: (opened) => {
        socket = opened as WebSocket;
        onState?.("connected");
        renew(socket).catch(() => {});
      },
      ping: (received) => {
        if (!received) expectPong();
      },
      pong: (received) => {
        if (!received) return;
        clearTimeout(pong);
        [attempts, refusals] = [1, 0];
      },
      closed: (event) => {
        socket = null;
        for (const timer of [opening, renewal, pong]) clearTimeout(timer);
        onState?.("closed");
        const { code, reason } = event as CloseEvent;
        isDismissed = code === NORMAL && running > 0;
        asked = Number(RETRY_AFTER.exec(reason)?.[1] ?? 0);
        if (running === 0) attempts = 0;
        if (code === LOGIN_ENDED || code === TOKEN_EXPIRED) refusals += 1;
        if (code === TOKEN_EXPIRED) void session.refused(token).catch(() => {});
      },
    },
  });

  return {
    subscribe(request: Request, sink: Sink) {
      const own = String((ids += 1));
      let stop = (): void => {};
      let over = false;
      running += 1;
      const finish = (): void => {
        if (!over) running -= 1;
        over = true;
        cursors.delete(own);
        stop(); // also after a fatal close, or the client would keep its next socket open for it
      };
      const failed = (error: unknown): void => {
        if (over) return;
        const { code, reason } = error as Partial<CloseEvent>;
        if (code === LOGIN_ENDED) {
          stop();
          void again(token).catch(failed);
          return;
        }
        finish();
        if (Array.isArray(error)) {
          sink.next({ errors: errorsIn(error) });
          sink.complete();
        } else {
          sink.error(error instanceof Error ? error : new Error(`The socket was closed: ${code} ${reason}`));
        }
      };
      /** With another token than this, if there is one. */
      const again = async (refused: string): Promise<void> => {
        await session.refused(refused);
        await session.token();
        await rest();
        if (!over) begin();
      };
      const begin = (): void => {
        id = own;
        stop = client.subscribe(request as SubscribePayload, {
          next: (result) => {
            if (over) return;
            attempts = 1;
            const cursor = cursorIn(result.data);
            if (cursor !== undefined) cursors.set(own, cursor);
            tell(() => sink.next(result as Result));
          },
          error: failed,
          complete: () => {
            if (over) return;
            finish();
            sink.complete();
          },
        });
      };
      begin();
      return finish;
    },
    check() {
      pause.abort();
      if (socket?.readyState === WebSocket.OPEN) ping(socket);
    },
  };
}

type Timer = ReturnType<typeof setTimeout> | undefined;
