/** graphql-ws by itself, or for a link of Apollo or urql, without our client. */
// #region page
import { type Client, createClient } from "graphql-ws";

/** Comes back for ever, and when the server says, if it does. */
export function createSocket(url: string, token: () => Promise<string>): Client {
  let seconds = 0; // that the server wants to be left alone for
  return createClient({
    url,
    connectionParams: async () => ({ authorization: `Bearer ${await token()}` }),
    retryAttempts: Infinity,
    retryWait: async (failures) => {
      const pause = seconds + Math.min(2 ** failures, 10) * Math.random();
      await new Promise((over) => setTimeout(over, pause * 1_000));
    },
    on: {
      closed: (event) => {
        seconds = Number(/Retry-After: (\d+)$/.exec((event as CloseEvent).reason)?.[1] ?? 0);
      },
    },
  });
}
// #endregion
