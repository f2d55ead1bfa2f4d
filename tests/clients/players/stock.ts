/**
 * Subscribes with libraries as they are, without our client, and says what each hears:
 * node stock.ts ADDRESS TOKEN DATE AFTER
 */
import { ApolloClient, HttpLink, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, fetchExchange } from "@urql/core";
import { print } from "graphql";
import { createClient as createEvents } from "graphql-sse";
import { createClient as createSocket } from "graphql-ws";
import { pipe, subscribe } from "wonka";
import { Watch } from "../examples/documents.ts";

const [address, token, date, after] = process.argv.slice(2) as [string, string, string, string];
const url = `${address}/graphql`;
const headers = { authorization: `Bearer ${token}` };
const socket = createSocket({ url: url.replace("http", "ws"), connectionParams: headers });
const operation = { query: print(Watch), variables: { date, after } };

type Data = { attendanceUpdated: { staffName: string; status: string } } | null | undefined;

function say(client: string, data: Data): void {
  if (!data) throw new Error(`${client} was told nothing.`);
  console.log(JSON.stringify([client, "change", `${data.attendanceUpdated.staffName} ${data.attendanceUpdated.status}`]));
}

function sink(client: string) {
  return { next: ({ data }: { data?: unknown }) => say(client, data as Data), error: console.error, complete: () => {} };
}

const links = { "apollo-multipart": new HttpLink({ uri: url, headers }), "apollo-websocket": new GraphQLWsLink(socket) };
for (const [client, link] of Object.entries(links)) {
  new ApolloClient({ link, cache: new InMemoryCache() })
    .subscribe({ query: Watch, variables: { date, after } })
    .subscribe(sink(client));
}
const urql = new Client({ url, fetchOptions: { headers }, fetchSubscriptions: true, exchanges: [fetchExchange] });
pipe(urql.subscription(Watch, { date, after }), subscribe(sink("urql-events").next));
socket.subscribe(operation, sink("graphql-ws"));
createEvents({ url, headers }).subscribe(operation, sink("graphql-sse"));

process.stdin.on("end", () => process.exit(0)).resume();
