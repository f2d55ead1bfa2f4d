import { useEffect, useMemo } from "react";
import { Provider } from "urql";

import { createApi } from "../api/client";
import type { Session, Viewer } from "../api/session";
import { Store } from "../api/store";
import { type ConnectionEvent, INITIAL, reduce } from "../live/connection";
import { Today as TodayQuery } from "../live/operations";
import { Today } from "../live/today";
import { onWake } from "../live/view";
import { Toasts } from "../ui/toasts";
import { type App, AppContext, useStore } from "./context";
import { Login } from "./Login";
import { Pages } from "./Pages";

/** The login, or the pages of whoever is logged in; neither until it is known which. */
export function Root({ session }: { session: Session }) {
  const state = useStore(session.state);
  return (
    <>
      {state.status === "starting" && <Starting unreachable={state.unreachable} />}
      {state.status === "out" && <Login session={session} />}
      {state.status === "in" && (
        // Another account or role starts afresh: nothing read before may be shown.
        <LoggedIn key={`${state.viewer.id} ${state.viewer.role}`} session={session} viewer={state.viewer} />
      )}
      <Toasts />
    </>
  );
}

function Starting({ unreachable }: { unreachable: boolean }) {
  return (
    <main className="starting" role="status">
      {unreachable && <p>The server cannot be reached. Trying again…</p>}
    </main>
  );
}

function LoggedIn({ session, viewer }: { session: Session; viewer: Viewer }) {
  const app = useMemo(() => begin(session, viewer), [session, viewer]);
  useEffect(() => {
    app.today.start();
    const stopWake = onWake(() => {
      app.api.socket.check();
      void app.today.check();
    });
    const online = () => app.dispatch("online");
    const offline = () => app.dispatch("offline");
    if (!navigator.onLine) offline();
    window.addEventListener("online", online);
    window.addEventListener("offline", offline);
    return () => {
      app.today.stop();
      stopWake();
      window.removeEventListener("online", online);
      window.removeEventListener("offline", offline);
    };
  }, [app]);
  return (
    <AppContext value={app}>
      <Provider value={app.api.client}>
        <Pages />
      </Provider>
    </AppContext>
  );
}

function begin(session: Session, viewer: Viewer): App {
  const api = createApi(session, viewer);
  const connection = new Store(INITIAL);
  const dispatch = (event: ConnectionEvent) => connection.set(reduce(connection.get(), event));
  api.socket.onEvent = dispatch;
  const ask = async () => {
    const { data } = await api.client.query(TodayQuery, {}, { requestPolicy: "network-only" }).toPromise();
    return data?.viewer?.today ?? null;
  };
  return {
    api,
    session,
    viewer,
    connection,
    dispatch,
    today: new Today(viewer.today, viewer.timeZone, ask),
    mayMark: viewer.role !== "VIEWER",
    isAdmin: viewer.role === "ADMIN",
  };
}
