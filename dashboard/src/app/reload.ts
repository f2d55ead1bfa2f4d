/** Automatic reloads: once after a page's code failed to load, and with a back-off on a wall display that failed. */

import { type ComponentType, lazy } from "react";

/** A page's code could not be loaded, and a reload did not or would not help. */
export class PageLoadError extends Error {}

/** The parts of a browser that this module uses. */
export interface Browser {
  /** sessionStorage: reading the property itself throws where storage is blocked. */
  storage: () => Pick<Storage, "getItem" | "setItem" | "removeItem">;
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

/** React's `lazy`, with one reload after a failed import: an upgrade of the server removes the old build's files. */
export function lazyWithReload(name: string, load: () => Promise<ComponentType>) {
  return lazy(async () => ({ default: await loadOrReload(name, load, browser) }));
}

/**
 * Load a page's code. If that fails, reload the browser once; throw PageLoadError if it fails again.
 *
 * The reload is remembered until the page has loaded, so that the next upgrade has its own. Where it cannot be
 * remembered, there is none: it could repeat for ever. Vite's `vite:preloadError` event is not needed: the import also
 * rejects.
 */
export async function loadOrReload<T>(name: string, load: () => Promise<T>, browser: Browser): Promise<T> {
  const key = `memberstaff-reloaded-${name}`;
  let loaded: T;
  try {
    loaded = await load();
  } catch (cause) {
    if ((await browser.isServerUp()) && rememberOnce(key, browser)) {
      browser.reload();
      return await new Promise<never>(() => undefined); // the browser is about to leave this document
    }
    throw new PageLoadError(`The page “${name}” could not be loaded.`, { cause });
  }
  forget(key, browser);
  return loaded;
}

/** Store a key; false if it was there already or cannot be stored. */
function rememberOnce(key: string, { storage }: Browser): boolean {
  try {
    if (storage().getItem(key) !== null) return false;
    storage().setItem(key, "1");
    return storage().getItem(key) !== null;
  } catch {
    return false;
  }
}

function forget(key: string, { storage }: Browser): void {
  try {
    storage().removeItem(key);
  } catch {
    // Where nothing can be removed, nothing was stored.
  }
}

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
