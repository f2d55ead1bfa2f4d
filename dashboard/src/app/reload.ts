/** When a wall display reloads by itself after a failure. */

/** What the functions here need of a browser. */
export interface Browser {
  /** sessionStorage: reading the property itself throws where storage is blocked. */
  storage: () => Pick<Storage, "getItem" | "setItem">;
  /** Whether the server serves the dashboard now. Without it, a reload would show the browser's own error page. */
  isServerUp: () => Promise<boolean>;
  reload: () => void;
}

const PROBE_TIMEOUT = 5_000;

const browser: Browser = {
  storage: () => sessionStorage,
  isServerUp: () =>
    fetch("/", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PROBE_TIMEOUT) }).then(
      ({ ok }) => ok,
      () => false,
    ),
  reload: () => location.reload(),
};

const FAILURES = "memberstaff-failures";
const FIRST_WAIT = 10_000;
const LONGEST_WAIT = 600_000;
/** After so long without a failure the back-off starts again; longer than LONGEST_WAIT, or it would never get there. */
const FORGET_AFTER = 3_600_000;

/** Record a failure, and return how long to wait before the reload: longer after each failure in a row. */
export function backOff(now: number, { storage }: Browser): number {
  try {
    const last = JSON.parse(storage().getItem(FAILURES) ?? "null") as { count: number; at: number } | null;
    const count = last && now - last.at < FORGET_AFTER ? last.count : 0;
    storage().setItem(FAILURES, JSON.stringify({ count: count + 1, at: now }));
    return Math.min(FIRST_WAIT * 2 ** count, LONGEST_WAIT);
  } catch {
    return LONGEST_WAIT;
  }
}

/** Reload after the back-off, once the server answers. Returns a function that cancels it. */
export function reloadLater(): () => void {
  const jitter = 1 + Math.random() / 2; // what broke one display may have broken all of them
  const timer = setInterval(
    () => void browser.isServerUp().then((up) => up && browser.reload()),
    backOff(Date.now(), browser) * jitter,
  );
  return () => clearInterval(timer);
}
