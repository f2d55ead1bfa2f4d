import { type Session, type Viewer, watchToday } from "@memberstaff/client";
import { useEffect, useMemo } from "react";
import { Provider } from "urql";

import { createApi } from "../api/client";
import { Store } from "./store";
import { type ConnectionEvent, INITIAL, reduce } from "../live/connection";
import { onWake } from "../live/view";
import { Toasts } from "../ui/toasts";
import { type App, AppContext, useSession } from "./context";
import { Login } from "./Login";
import { Pages } from "./Pages";

/** The login, or the pages of whoever is logged in; neither until it is known which. */
export function Root({ session }: { session: Session }) {
  const state = useSession(session);
  return (
    <>
      {state.status === "starting" && <Starting unreachable={state.failure !== null} />}
      {state.status === "out" && <Login session={session} />}
      {state.status === "in" && state.viewer && (
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
    const stopToday = watchToday(session, app.today.set);
    const stopWake = onWake(() => app.api.connection.check());
    const online = () => app.dispatch("online");
    const offline = () => app.dispatch("offline");
    if (!navigator.onLine) offline();
    window.addEventListener("online", online);
    window.addEventListener("offline", offline);
    return () => {
      stopToday();
      stopWake();
      window.removeEventListener("online", online);
      window.removeEventListener("offline", offline);
    };
  }, [app, session]);
  return (
    <AppContext value={app}>
      <Provider value={app.api.client}>
        <Pages />
      </Provider>
    </AppContext>
  );
}

function begin(session: Session, viewer: Viewer): App {
  const connection = new Store(INITIAL);
  const dispatch = (event: ConnectionEvent) => connection.set(reduce(connection.get(), event));
  const api = createApi(session, viewer, { onState: dispatch });
  return {
    api,
    session,
    viewer,
    connection,
    dispatch,
    today: new Store(viewer.today),
    mayMark: viewer.role !== "VIEWER",
    isAdmin: viewer.role === "ADMIN",
  };
}
