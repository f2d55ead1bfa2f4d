/** Whoever stops watching a day ends the request that is under way; fails when one of the libraries does not. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { Session } from "@memberstaff/client";
import { watchDay as watchApollo } from "@memberstaff/client/apollo";
import { watchDay as watchPlain } from "@memberstaff/client/plain";
import { watchDay as watchRelay } from "@memberstaff/client/relay";
import { watchDay as watchUrql } from "@memberstaff/client/urql";
import { createApollo } from "../examples/apollo.ts";
import { createRelay } from "../examples/relay.ts";
import { createUrql } from "../examples/urql.ts";

/** Takes requests, and answers none. */
const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const address = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
const session = new Session(address, { token: () => "t" });
const none = { subscribe: () => assert.fail("It was subscribed to.") };
const date = "2026-01-12";
const events = { onError: (error: Error) => assert.fail(error), onWaiting: (error: Error) => assert.fail(error) };

const watching = {
  plain: () => watchPlain(session, none, date, events),
  apollo: () => watchApollo(createApollo(session, none), date, events),
  urql: () => watchUrql(createUrql(session, none), date, events),
  relay: () => watchRelay(createRelay(session, none), date, events),
};
for (const [name, watch] of Object.entries(watching)) {
  const asked = once(server, "request");
  const stop = watch();
  const [request, response] = await asked;
  const ended = once(response, "close");
  stop();
  const late = setTimeout(() => assert.fail(`${name} goes on with the request.`), 20_000);
  await ended;
  clearTimeout(late);
  assert.equal(request.url, "/graphql");
}
process.exit();
