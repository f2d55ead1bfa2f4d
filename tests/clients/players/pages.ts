/**
 * Watches a day of more people than a page has, with each library. Says what they tell:
 * node pages.ts ADDRESS EMAIL PASSWORD DATE
 */
import { createInterface } from "node:readline";
import { Session } from "@memberstaff/client";
import { ChangesDocument, watchDay as watchApollo } from "@memberstaff/client/apollo";
import { watchDay as watchPlain } from "@memberstaff/client/plain";
import { ChangesSubscription, watchDay as watchRelay } from "@memberstaff/client/relay";
import { watchDay as watchUrql } from "@memberstaff/client/urql";
import { connect } from "@memberstaff/client/ws";
import { parse } from "graphql";
import { createApollo } from "../examples/apollo.ts";
import { createRelay } from "../examples/relay.ts";
import { createUrql } from "../examples/urql.ts";
import pages from "./people/__generated__/peopleBoardQuery.graphql.ts";

const [address, email, password, date] = process.argv.slice(2) as [string, string, string, string];
const Board = parse(`
  query Board($date: Date!, $after: String) {
    attendanceDay(date: $date) {
      id
      sequence
      records(first: 2, after: $after) {
        feedCursor
        rosterVersion
        pageInfo { hasNextPage endCursor }
        edges { cursor node { id sequence staffName } }
      }
    }
  }
`);
interface Day {
  records: { feedCursor: string; rosterVersion: number; edges: readonly { node: { staffName: string } }[] };
}

const documents = { board: Board, changes: ChangesDocument } as never;
const session = new Session(address, { email, password });
const subscriptions = connect(session);

const clients = {
  plain: (events: object) => watchPlain(session, subscriptions, date, events, documents),
  apollo: (events: object) => watchApollo(apollo, date, events, documents),
  urql: (events: object) => watchUrql(urql, date, events, documents),
  relay: (events: object) => watchRelay(relay, date, events, { board: pages, changes: ChangesSubscription }),
};
const [apollo, urql, relay] = [
  createApollo(session, subscriptions),
  createUrql(session, subscriptions),
  createRelay(session, subscriptions),
];
const names = ({ records }: Day): string[] => records.edges.map(({ node }) => node.staffName);

/** Whatever stands on a board that is shown from Apollo's cache. */
apollo.cache.watch<{ attendanceDay: Day }>({
  query: Board,
  variables: { date },
  optimistic: false,
  callback: ({ complete, result }) => {
    if (complete && result) console.log(JSON.stringify(["apollo", "shown", names((result as { attendanceDay: Day }).attendanceDay)]));
  },
});

let stops: (() => void)[] = [];
function watch(): void {
  stops = Object.entries(clients).map(([name, follow]) => {
    const say = (what: string, value: unknown) => console.log(JSON.stringify([name, what, value]));
    let read: string[][] = [];
    return follow({
      onDay: (day: Day) => (read = [names(day)]),
      onPage: (day: Day) => read.push(names(day)),
      onCurrent: () => say("pages", read),
      onError: ({ message }: Error) => say("error", message),
    });
  });
}
watch();

process.stdin.on("end", () => process.exit(0));
for await (const _ of createInterface(process.stdin)) {
  for (const stop of stops) stop();
  watch();
}
