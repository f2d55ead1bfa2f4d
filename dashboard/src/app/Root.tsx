import { type Session, type Viewer, watchToday } from "@memberstaff/client";
import { useEffect, useMemo, useState } from "react";
import { Provider } from "urql";

import { createApi } from "../api/client";
import { Store } from "./store";
import { type ConnectionEvent, INITIAL, reduce } from "../live/connection";
import { onWake } from "../live/view";
import { Toasts } from "../ui/toasts";
import { type App, AppContext, useReason, useSession } from "./context";
import { Login } from "./Login";
import { Pages } from "./Pages";

/** The login, or the pages of whoever is logged in; neither until it is known which. */
export function Root({ session }: { session: Session }) {
  const state = useSession(session);
  const reason = useReason(state);
  return (
    <>
      {state.status === "starting" && <Starting unreachable={state.failure !== null} />}
      {state.status === "out" && <Login session={session} reason={reason} />}
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
  const [begun] = useState(() => begin(session, viewer));
  // Whoever is renamed goes on with what has been read.
  const app = useMemo((): App => ({ ...begun, viewer }), [begun, viewer]);
  useEffect(() => {
    const stopToday = watchToday(session, begun.today.set);
    const stopWake = onWake(() => begun.api.connection.check());
    const online = () => begun.dispatch("online");
    const offline = () => begun.dispatch("offline");
    if (!navigator.onLine) offline();
    window.addEventListener("online", online);
    window.addEventListener("offline", offline);
    return () => {
      stopToday();
      stopWake();
      window.removeEventListener("online", online);
      window.removeEventListener("offline", offline);
    };
  }, [begun, session]);
  return (
    <AppContext value={app}>
      <Provider value={app.api.client}>
        <Pages />
      </Provider>
    </AppContext>
  );
}

function begin(session: Session, viewer: Viewer): Omit<App, "viewer"> {
  const connection = new Store(INITIAL);
  const dispatch = (event: ConnectionEvent) => connection.set(reduce(connection.get(), event));
  const api = createApi(session, viewer, { onState: dispatch });
  return {
    api,
    session,
    connection,
    dispatch,
    today: new Store(viewer.today),
    mayMark: viewer.role !== "VIEWER",
    isAdmin: viewer.role === "ADMIN",
  };
}
