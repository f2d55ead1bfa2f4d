/**
 * Asks a server twice with Apollo's automatic persisted queries, and says what it sent and what it was answered:
 * node persisted.ts ADDRESS TOKEN GET|POST
 */
import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";

const [address, token, method] = process.argv.slice(2) as [string, string, string];
const sent: string[] = [];
const link = ApolloLink.from([
  new PersistedQueryLink({
    sha256: (text: string) => createHash("sha256").update(text).digest("hex"),
    useGETForHashedQueries: method === "GET",
  }),
  new HttpLink({
    uri: `${address}/graphql`,
    headers: { authorization: `Bearer ${token}` },
    fetch(url, options) {
      const text = decodeURIComponent(`${url} ${options?.body}`);
      const has = (name: string) => text.includes(`${name}=`) || text.includes(`"${name}":`);
      sent.push([options?.method, ...["query", "persistedQuery"].filter(has)].join(" "));
      return fetch(url, options);
    },
  }),
]);
const client = new ApolloClient({ link, cache: new InMemoryCache() });
const query = gql`
  query Who($id: ID!) {
    viewer {
      displayName
    }
    node(id: $id) {
      id
    }
  }
`;
const answers = [];
for (const id of ["a", "b"]) answers.push((await client.query({ query, variables: { id } })).data);
console.log(JSON.stringify({ sent, answers }));
