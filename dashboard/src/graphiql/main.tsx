import "./workers";
import "graphiql/style.css";
import "../styles/base.css";
import "../styles/controls.css";
import "../styles/shell.css";
import "./playground.css";

import { createGraphiQLFetcher, type Fetcher } from "@graphiql/toolkit";
import { Session } from "@memberstaff/client";
import { GraphiQL } from "graphiql";
import { type DocumentNode, Kind, parse } from "graphql";
import { createClient } from "graphql-ws";
import { useMemo } from "react";
import { createRoot } from "react-dom/client";

import { useReason, useSession } from "../app/context";
import { Login } from "../app/Login";
import { isServed } from "../app/served";
import { EXAMPLES } from "./examples";

const session = new Session(location.origin, { cookie: true });
/** The token of whoever is logged in; nothing when nobody is any more, which the server then says. */
const token = () => session.token().catch(() => "");

function Playground() {
  const state = useSession(session);
  const reason = useReason(state);
  if (state.status === "starting") return null;
  if (state.status === "out" || !state.viewer) return <Login session={session} reason={reason} />;
  return <Editor key={state.viewer.id} today={state.viewer.today} />;
}

function Editor({ today }: { today: string }) {
  const fetcher = useMemo(() => createFetcher(), []);
  const tabs = EXAMPLES.map(({ query, variables }) => ({
    query,
    variables: variables === "today" ? JSON.stringify({ date: today, after: null }, null, 2) : (variables ?? null),
  }));
  return (
    <GraphiQL fetcher={fetcher} defaultTabs={tabs} defaultEditorToolsVisibility="variables" shouldPersistHeaders={false}>
      <GraphiQL.Logo>
        <nav className="links">
          <a href="/">memberstaff</a>
          {isServed("reference") && <a href="/reference">Reference</a>}
        </nav>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

/** Runs operations as the logged-in account, unless the headers name another. */
function createFetcher(): Fetcher {
  const wsClient = createClient({
    url: session.url.replace(/^http/, "ws"),
    connectionParams: async () => ({ authorization: `Bearer ${await token()}` }),
  });
  const fetcher = createGraphiQLFetcher({
    url: session.url,
    wsClient,
    fetch: async (input: RequestInfo | URL, init?: RequestInit) => {
      const headers = new Headers(init?.headers);
      if (!headers.has("authorization")) headers.set("authorization", `Bearer ${await token()}`);
      return fetch(input, { ...init, headers });
    },
  });
  return (params, options) => {
    const document = parsed(params.query);
    if (document === null) return fetcher(params, options);
    // Just after a change of tabs, GraphiQL still names the other tab's operation.
    const names = document.definitions.flatMap((each) => (each.kind === Kind.OPERATION_DEFINITION ? [each.name?.value] : []));
    const operationName = names.find((name) => name === params.operationName) ?? names[0] ?? null;
    return fetcher({ ...params, operationName }, { ...options, documentAST: document });
  };
}

function parsed(query: string): DocumentNode | null {
  try {
    return parse(query);
  } catch {
    return null; // the server will report what is wrong
  }
}

const root = document.getElementById("root");
if (root) createRoot(root).render(<Playground />);
