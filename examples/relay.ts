// #region page
import type { Session, Subscriptions } from "@memberstaff/client";
import { createEnvironment } from "@memberstaff/client/relay";
import type { Environment } from "relay-runtime";

export function createRelay(session: Session, subscriptions: Subscriptions): Environment {
  return createEnvironment(session, subscriptions);
}
// #endregion
