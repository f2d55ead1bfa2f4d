/** An operation, and its way to the server and back: over HTTP, or as one of the subscriptions of a connection. */
import { hasCode, NoAnswer, type GraphQLErrors } from "./errors.ts";
import type { Session } from "./session.ts";

export interface Request {
  query: string;
  variables?: Record<string, unknown> | undefined;
  operationName?: string | undefined;
}

export interface Result {
  data?: any;
  errors?: GraphQLErrors;
  extensions?: Record<string, unknown>;
}

export interface Sink {
  next: (result: Result) => void;
  /** Once, and then nothing more: SessionEnded, or why the connection cannot be made again. */
  error: (error: Error) => void;
  complete: () => void;
}

/** A connection for subscriptions: that of `@memberstaff/client/ws` or `@memberstaff/client/sse`. */
export interface Subscriptions {
  /**
   * Subscribe; answers how to unsubscribe. What breaks off is resumed after its last event, and `sink` is not told. Over a
   * WebSocket `feedCursor` says which that was: an operation of your own selects it, by that name.
   */
  subscribe: (request: Request, sink: Sink) => () => void;
}

/** How long an answer may take, in milliseconds. */
const PATIENCE = 60_000;

/**
 * The answer to a query or a mutation. A refused token is renewed once. Throws SessionEnded, and what `fetch` throws,
 * also when there is no answer in a minute; NoAnswer when it is none of the server's but, say, a proxy's page.
 */
export async function execute(session: Session, request: Request, signal?: AbortSignal): Promise<Result> {
  for (let renewed = false; ; renewed = true) {
    const token = await session.token({ now: true });
    const late = AbortSignal.timeout(PATIENCE);
    const response = await session.fetch(session.url, {
      method: "POST",
      headers: {
        accept: "application/graphql-response+json, application/json;q=0.9",
        "content-type": "application/json",
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify(request),
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
    const result = await resultOf(response);
    const done = Object.values(result.data ?? {}).some((field) => field !== null);
    if (renewed || done || !hasCode(result.errors, "UNAUTHENTICATED")) return result;
    await session.refused(token);
  }
}

/** A response's result. Throws NoAnswer when it has none. */
export async function resultOf(response: Response): Promise<Result> {
  const result = await response.json().catch(() => null);
  if (typeof result === "object" && result !== null && ("data" in result || "errors" in result)) return result as Result;
  throw new NoAnswer(response.status, Number(response.headers.get("retry-after")) || 0);
}

/** Run an operation, as Apollo Client, urql and Relay do; answers how to end it. */
export function run(
  session: Session,
  subscriptions: Subscriptions,
  kind: string,
  request: Request,
  sink: Sink,
): () => void {
  if (kind === "subscription") return subscriptions.subscribe(request, sink);
  const over = new AbortController();
  execute(session, request, over.signal).then(
    (result) => {
      if (over.signal.aborted) return;
      sink.next(result);
      sink.complete();
    },
    (error: Error) => {
      if (!over.signal.aborted) sink.error(error);
    },
  );
  return () => over.abort();
}

/** The cursor in an event or in a day's records, whatever their aliases, from which a subscription goes on. */
export function cursorIn(data: unknown): string | undefined {
  const roots = Object.values((data ?? {}) as Record<string, { feedCursor?: string; records?: { feedCursor?: string } } | null>);
  return roots.map((root) => root?.feedCursor ?? root?.records?.feedCursor).find((cursor) => cursor !== undefined);
}
