import { Suspense, useEffect } from "react";

import { BoardPage } from "../board/BoardPage";
import { isDay, longDay } from "../live/dates";
import { useApp, useToday } from "./context";
import { ErrorBoundary } from "./ErrorBoundary";
import { lazyWithReload } from "./reload";
import { navigate, usePath } from "./router";
import { Shell } from "./Shell";

const SummaryPage = lazyWithReload("summary", async () => (await import("../summary/SummaryPage")).SummaryPage);
const WallPage = lazyWithReload("wall", async () => (await import("../wall/WallPage")).WallPage);
const StaffPage = lazyWithReload("staff", async () => (await import("../admin/StaffPage")).StaffPage);
const AccountsPage = lazyWithReload("accounts", async () => (await import("../admin/AccountsPage")).AccountsPage);
const ImportPage = lazyWithReload("import", async () => (await import("../admin/ImportPage")).ImportPage);

const TITLES: Record<string, string> = {
  "/summary": "Summary",
  "/wall": "Wall",
  "/staff": "Staff",
  "/accounts": "Accounts",
  "/import": "Import",
};

/** The page for the current path. */
export function Pages() {
  const path = usePath();
  const { viewer, isAdmin } = useApp();
  const today = useToday();
  const date = dayOf(path, today);

  useEffect(() => {
    const title = date === null ? TITLES[path] : longDay(date, today);
    document.title = [title ?? "Page not found", viewer.organisation].join(" · ");
  }, [path, date, today, viewer.organisation]);
  useEffect(() => {
    if (path === "/login") navigate("/", { replace: true });
  }, [path]);

  if (path === "/wall") {
    return (
      <ErrorBoundary key={path} fullScreen>
        <Suspense>
          <WallPage />
        </Suspense>
      </ErrorBoundary>
    );
  }
  const administration = path === "/staff" || path === "/accounts" || path === "/import";
  return (
    <Shell>
      <ErrorBoundary key={path}>
        <Suspense>
          {date !== null ? (
            <BoardPage key={date} date={date} />
          ) : path === "/summary" ? (
            <SummaryPage />
          ) : administration && !isAdmin ? (
            <Message title="Administrators only" text="Your account does not have access to this page." />
          ) : path === "/staff" ? (
            <StaffPage />
          ) : path === "/accounts" ? (
            <AccountsPage />
          ) : path === "/import" ? (
            <ImportPage />
          ) : (
            <Message title="Page not found" text="There is no page at this address. Choose one above." />
          )}
        </Suspense>
      </ErrorBoundary>
    </Shell>
  );
}

function dayOf(path: string, today: string): string | null {
  if (path === "/" || path === "/login") return today;
  const [, day] = /^\/day\/([^/]+)\/?$/.exec(path) ?? [];
  return day !== undefined && isDay(day) ? day : null;
}

function Message({ title, text }: { title: string; text: string }) {
  return (
    <div className="empty">
      <h1>{title}</h1>
      <p>{text}</p>
    </div>
  );
}
