import "./styles/base.css";
import "./styles/controls.css";
import "./styles/shell.css";
import "./styles/board.css";
import "./styles/admin.css";

import { Session } from "@memberstaff/client";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { ErrorBoundary } from "./app/ErrorBoundary";
import { Root } from "./app/Root";

const session = new Session(location.origin, { cookie: true });

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <ErrorBoundary fullScreen>
        <Root session={session} />
      </ErrorBoundary>
    </StrictMode>,
  );
}
