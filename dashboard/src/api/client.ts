import { Client, type CombinedError, fetchExchange, subscriptionExchange } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";

import { cache } from "./cache";
import { Newest, newestExchange } from "./newest";
import type { Session, Viewer } from "./session";
import { LiveSocket } from "./socket";

export const ENDPOINT = "/graphql";

/** The URL of the GraphQL WebSocket on this page's host. */
export function socketAddress(): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${ENDPOINT}`;
}

/** What one login uses to talk to the server. */
export interface Api {
  client: Client;
  socket: LiveSocket;
  newest: Newest;
  viewer: Viewer;
}

/** A client for one login. Each login has its own, because its cache holds what that login may see. */
export function createApi(session: Session, viewer: Viewer, address = socketAddress()): Api {
  const newest = new Newest();
  const socket = new LiveSocket(address, session);
  const client = new Client({
    url: ENDPOINT,
    preferGetMethod: false,
    exchanges: [
      cache(viewer),
      newestExchange(newest),
      authExchange((utilities) =>
        Promise.resolve({
          addAuthToOperation: (operation) =>
            session.token === null
              ? operation
              : utilities.appendHeaders(operation, { authorization: `Bearer ${session.token}` }),
          willAuthError: (operation) => operation.kind !== "subscription" && session.token === null,
          didAuthError: (error) => hasCode(error, "UNAUTHENTICATED"),
          refreshAuth: async () => {
            await session.refresh().catch(() => undefined);
          },
        }),
      ),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables, operationName }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe(
              { query: query ?? "", variables, operationName },
              {
                next: (value) => sink.next(value as Parameters<typeof sink.next>[0]),
                error: (error) => sink.error(error),
                complete: () => sink.complete(),
              },
              (data) => (data.attendanceUpdated as { feedCursor?: string } | undefined)?.feedCursor,
            ),
          }),
        }),
      }),
    ],
  });
  return { client, socket, newest, viewer };
}

/** Whether an operation failed with this `extensions.code`. */
export function hasCode(error: CombinedError | undefined, code: string): boolean {
  return error?.graphQLErrors.some((each) => each.extensions.code === code) ?? false;
}

/** The seconds that the server wants us to wait before the next attempt, if it said so; otherwise 0. */
export function retryAfter(error: CombinedError | undefined | null): number {
  const told = error?.graphQLErrors.map(({ extensions }) => extensions.retryAfter) ?? [];
  return Math.max(0, ...told.filter((seconds) => typeof seconds === "number"));
}

/** Why a mutation was refused, in its payload or with no payload at all; undefined if it succeeded. */
export function refusalOf(
  payload: { errors: readonly { message: string }[] } | null | undefined,
  error: CombinedError | undefined,
): string | undefined {
  return payload ? payload.errors[0]?.message : explain(error);
}

/** The message to show for a failed operation. */
export function explain(error: CombinedError | undefined): string {
  const told = error?.graphQLErrors[0]?.message;
  return told ?? "The server cannot be reached. Check your connection and try again.";
}
