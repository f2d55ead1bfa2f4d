import { type ReactNode, useState } from "react";

import { Icon } from "../ui/Icon";
import { Logo } from "../ui/Logo";
import { complain } from "../ui/toasts";
import { PasswordDialog } from "./PasswordDialog";
import { ConnectionLight } from "./ConnectionLight";
import { useApp, useStore } from "./context";
import { Link } from "./Link";
import { usePath } from "./router";
import { isServed } from "./served";
import { nextTheme, theme } from "./theme";

/** Header, navigation and account menu, around every page but the wall display. */
export function Shell({ children }: { children: ReactNode }) {
  const { viewer, isAdmin } = useApp();
  const path = usePath();
  const onBoard = path === "/" || path.startsWith("/day/");
  const links = [
    ["/", "Board"],
    ["/summary", "Summary"],
    ...(isAdmin
      ? [
          ["/staff", "Staff"],
          ["/import", "Import"],
          ["/accounts", "Accounts"],
        ]
      : []),
  ] as [string, string][];
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="top">
        <Link href="/" className="brand">
          <Logo />
          <span>{viewer.organisation}</span>
        </Link>
        <nav aria-label="Pages">
          {links.map(([href, label]) => (
            <Link key={href} href={href} aria-current={(href === "/" ? onBoard : path === href) ? "page" : undefined}>
              {label}
            </Link>
          ))}
        </nav>
        <div className="end">
          {onBoard && <ConnectionLight />}
          <Account />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

const THEMES = { system: ["auto", "System theme"], light: ["sun", "Light theme"], dark: ["moon", "Dark theme"] } as const;

function Account() {
  const { viewer, session, isAdmin } = useApp();
  const [dialog, setDialog] = useState(false);
  const [icon, label] = THEMES[useStore(theme)];
  return (
    <details
      className="account"
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          event.currentTarget.open = false;
          event.currentTarget.querySelector("summary")?.focus();
        }
      }}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false;
      }}
    >
      <summary className="button quiet" aria-label={`Account: ${viewer.displayName}`}>
        <span className="name">{viewer.displayName}</span>
        <Icon name="menu" />
      </summary>
      <div className="menu card">
        <p>
          <strong>{viewer.displayName}</strong>
          <span>{ROLES[viewer.role]}</span>
        </p>
        <button type="button" className="button quiet" onClick={nextTheme}>
          <Icon name={icon} size={16} /> {label}
        </button>
        <Link className="button quiet" href="/wall">
          Wall display
        </Link>
        {isAdmin && isServed("playground") && (
          <a className="button quiet" href="/graphiql">
            API playground
          </a>
        )}
        <button type="button" className="button quiet" onClick={() => setDialog(true)}>
          Change password
        </button>
        <button
          type="button"
          className="button quiet"
          onClick={() =>
            session
              .logout()
              .catch(() => complain("You are still logged in, because the server cannot be reached."))
          }
        >
          Log out
        </button>
      </div>
      {dialog && <PasswordDialog onClose={() => setDialog(false)} />}
    </details>
  );
}

export const ROLES = { ADMIN: "Administrator", MARKER: "Marks attendance", VIEWER: "Views the board" } as const;
