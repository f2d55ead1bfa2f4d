// #region page
import type { Session, Subscriptions } from "@memberstaff/client";
import { exchanges } from "@memberstaff/client/urql";
import { Client } from "@urql/core";

export function createUrql(session: Session, subscriptions: Subscriptions): Client {
  return new Client({ url: session.url, exchanges: exchanges(session, subscriptions) });
}
// #endregion
