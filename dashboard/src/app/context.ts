import { createContext, use, useSyncExternalStore } from "react";

import type { Api } from "../api/client";
import type { Session, Viewer } from "../api/session";
import type { Store } from "../api/store";
import type { Connection, ConnectionEvent } from "../live/connection";
import type { Day } from "../live/dates";
import type { Today } from "../live/today";

/** What every page can use once somebody is logged in. */
export interface App {
  api: Api;
  session: Session;
  viewer: Viewer;
  today: Today;
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

export function useToday(): Day {
  return useStore(useApp().today.day);
}
