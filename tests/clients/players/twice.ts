/**
 * Watches a day with each library, and once more as soon as it is current. Says what the second is told:
 * node twice.ts ADDRESS EMAIL PASSWORD DATE
 */
import { Session } from "@memberstaff/client";
import { watchDay as watchApollo } from "@memberstaff/client/apollo";
import { watchDay as watchRelay } from "@memberstaff/client/relay";
import { watchDay as watchUrql } from "@memberstaff/client/urql";
import { connect } from "@memberstaff/client/ws";
import { createApollo } from "../examples/apollo.ts";
import { createRelay } from "../examples/relay.ts";
import { createUrql } from "../examples/urql.ts";

const [address, email, password, date] = process.argv.slice(2) as [string, string, string, string];
const session = new Session(address, { email, password });
const subscriptions = connect(session);
const [apollo, urql, relay] = [
  createApollo(session, subscriptions),
  createUrql(session, subscriptions),
  createRelay(session, subscriptions),
];
const clients = {
  apollo: (events: object) => watchApollo(apollo, date, events),
  urql: (events: object) => watchUrql(urql, date, events),
  relay: (events: object) => watchRelay(relay, date, events),
};
for (const [name, watch] of Object.entries(clients)) {
  const say = (what: string, value: unknown) => console.log(JSON.stringify([name, what, value]));
  let isFirst = true;
  const again = () => {
    if (isFirst) {
      watch({
        onState: ({ state }: { state: string }) => say("state", state),
        onCurrent: () => say("current", true),
        onChange: ({ staffName, status }: { staffName: string; status: string }) => say("change", `${staffName} ${status}`),
      });
    }
    isFirst = false;
  };
  watch({ onCurrent: again });
}

process.stdin.resume().on("end", () => process.exit(0));
