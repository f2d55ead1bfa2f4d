import { Component, type ReactNode, useEffect } from "react";

import { PageLoadError, reloadLater } from "./reload";
import { usePath } from "./router";

interface Props {
  /** Whether the children fill the screen, without navigation around them. */
  fullScreen?: boolean;
  children: ReactNode;
}

interface State {
  /** In an object: anything can be thrown, null too. */
  failure: { error: unknown } | null;
}

/** Shows a message in place of children that throw. A new `key` resets it. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { failure: null };

  static getDerivedStateFromError(error: unknown): State {
    return { failure: { error } };
  }

  override render() {
    const { failure } = this.state;
    const { fullScreen = false, children } = this.props;
    if (failure === null) return children;
    const message = <Failure error={failure.error} fullScreen={fullScreen} />;
    return fullScreen ? <main className="starting">{message}</main> : message;
  }
}

function Failure({ error, fullScreen }: { error: unknown; fullScreen: boolean }) {
  const unattended = usePath() === "/wall";
  useEffect(() => (unattended ? reloadLater() : undefined), [unattended]);
  const notLoaded = error instanceof PageLoadError;
  return (
    <div className="empty failure" role="alert">
      <h1>{notLoaded ? "This page could not be loaded" : "Something went wrong"}</h1>
      <p>
        {notLoaded ? "The server may be restarting or out of reach." : "An unexpected error stopped this page."}{" "}
        {unattended
          ? "This display will reload automatically."
          : fullScreen
            ? "Reload to try again."
            : "Reload to try again, or go to another page."}
      </p>
      <button type="button" className="button primary" onClick={() => location.reload()}>
        Reload
      </button>
    </div>
  );
}
