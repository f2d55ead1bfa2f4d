// #region page
import { ApolloProvider } from "@apollo/client/react";
import { Session } from "@memberstaff/client";
import { connect } from "@memberstaff/client/ws";
import { createRoot } from "react-dom/client";
import { createApollo } from "./apollo.ts";
import { Today } from "./today.tsx";

const session = new Session(prompt("Server", "http://127.0.0.1:8000")!, {
  email: prompt("Email")!,
  password: prompt("Password")!,
});
const client = createApollo(session, connect(session));
createRoot(document.body).render(<ApolloProvider client={client}><Today session={session} /></ApolloProvider>);
// #endregion
