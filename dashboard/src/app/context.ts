import type { Session, SessionState, Viewer } from "@memberstaff/client";
import { createContext, use, useState, useSyncExternalStore } from "react";

import type { Api } from "../api/client";
import type { Store } from "./store";
import type { Connection, ConnectionEvent } from "../live/connection";
import type { Day } from "../live/dates";

/** What every page can use once somebody is logged in. */
export interface App {
  api: Api;
  session: Session;
  viewer: Viewer;
  today: Store<Day>;
  connection: Store<Connection>;
  dispatch: (event: ConnectionEvent) => void;
  mayMark: boolean;
  isAdmin: boolean;
}

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = use(AppContext);
  if (app === null) throw new Error("useApp must be used inside <AppContext>");
  return app;
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}

export function useSession(session: Session): SessionState {
  return useSyncExternalStore(session.subscribe, () => session.state);
}

/** Why the login that was on this page has ended; null while there is one, and before the first. */
export function useReason(state: SessionState): string | null {
  const [hasBegun, setHasBegun] = useState(false);
  if (state.status === "in" && !hasBegun) setHasBegun(true);
  return hasBegun && state.status === "out" ? state.reason.message : null;
}

export function useToday(): Day {
  return useStore(useApp().today);
}
