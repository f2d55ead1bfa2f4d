import { Component, type ReactNode, useEffect } from "react";

import { reloadLater } from "./reload";
import { usePath } from "./router";

interface Props {
  /** Whether nothing stands around the children that could be used instead. */
  fullScreen?: boolean;
  children: ReactNode;
}

interface State {
  failed: boolean;
}

/** Shows a message in place of children that throw. Give it a `key`: another key is a fresh start. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { failed: false };

  static getDerivedStateFromError(): State {
    return { failed: true };
  }

  override render() {
    const { fullScreen = false, children } = this.props;
    if (!this.state.failed) return children;
    const message = <Failure fullScreen={fullScreen} />;
    return fullScreen ? <main className="starting">{message}</main> : message;
  }
}

function Failure({ fullScreen }: { fullScreen: boolean }) {
  const unattended = usePath() === "/wall";
  useEffect(() => (unattended ? reloadLater() : undefined), [unattended]);
  return (
    <div className="empty failure" role="alert">
      <h1>Something went wrong</h1>
      <p>
        An unexpected error stopped this page.{" "}
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
