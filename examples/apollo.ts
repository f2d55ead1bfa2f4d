// #region page
import { ApolloClient, InMemoryCache } from "@apollo/client";
import type { Session, Subscriptions } from "@memberstaff/client";
import { createLink, possibleTypes, typePolicies } from "@memberstaff/client/apollo";

export function createApollo(session: Session, subscriptions: Subscriptions): ApolloClient {
  const cache = new InMemoryCache({ possibleTypes, typePolicies });
  return new ApolloClient({ link: createLink(session, subscriptions), cache });
}
// #endregion
