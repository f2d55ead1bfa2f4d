/**
 * Shows staff as Relay's pages, asks for the next one, and hires somebody. Says after each what it shows:
 * node lists.ts ADDRESS EMAIL PASSWORD
 */
import { Session } from "@memberstaff/client";
import { connect } from "@memberstaff/client/ws";
import relayRuntime from "relay-runtime";
import { createRelay } from "../examples/relay.ts";
import hire, { type peopleHireMutation } from "./people/__generated__/peopleHireMutation.graphql.ts";
import people, { type peopleQuery } from "./people/__generated__/peopleQuery.graphql.ts";
import staff, { type people_staff$data } from "./people/__generated__/people_staff.graphql.ts";
import page, { type peopleStaffQuery } from "./people/__generated__/peopleStaffQuery.graphql.ts";

const { commitMutation, ConnectionHandler, createOperationDescriptor, fetchQuery, getRequest, getSingularSelector } = relayRuntime;

const [address, email, password] = process.argv.slice(2) as [string, string, string];
const session = new Session(address, { email, password });
const environment = createRelay(session, connect(session));
const operation = createOperationDescriptor(getRequest(people), {});
environment.retain(operation);

function shown(): people_staff$data {
  const { data } = environment.lookup(operation.fragment);
  const selector = getSingularSelector(staff, data)!;
  return environment.lookup(selector as never).data as unknown as people_staff$data;
}

function say(): void {
  console.log(JSON.stringify(["relay", "names", shown().staff!.edges.map(({ node }) => node.name)]));
}

await fetchQuery<peopleQuery>(environment, people, {}).toPromise();
say();
const { pageInfo } = shown().staff as unknown as { pageInfo: { endCursor: string } };
await fetchQuery<peopleStaffQuery>(environment, page, { count: 1, cursor: pageInfo.endCursor }).toPromise();
say();
await new Promise((resolve, reject) => {
  commitMutation<peopleHireMutation>(environment, {
    mutation: hire,
    variables: { input: { name: "Zoë" }, connections: [ConnectionHandler.getConnectionID("client:root", "people_staff")] },
    onCompleted: resolve,
    onError: reject,
  });
});
say();
