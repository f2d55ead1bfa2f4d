/** What day it is: a date in the organisation's time zone, wherever the browser is. */
import { retryAfter, SessionEnded, tell } from "./errors.ts";
import type { Session } from "./session.ts";
import { execute } from "./transport.ts";
import { wait } from "./waiting.ts";

const TODAY = "query Today { viewer { today timeZone } }";

/** Milliseconds between looks at the clock. */
const TICK = 1_000;

/** Milliseconds between questions while the clock and the server do not agree. */
const PATIENCE = 30_000;

/**
 * Tell the organisation's date, YYYY-MM-DD, at first and after each midnight there, also one that the machine slept through.
 * Answers how to stop. The clock only says when to ask the server: with one that is ahead it is asked often, with one that is
 * behind the day moves on when the login is renewed, and no wrong date is told. It rests while nobody is logged in, and goes on
 * with the next login of the session.
 */
export function watchToday(session: Session, onToday: (date: string) => void): () => void {
  const over = new AbortController();
  let [today, timeZone, renewed] = ["", "", ""];
  let asking = false;
  let askedAt = -Infinity;
  let timer: ReturnType<typeof setInterval> | undefined;

  const look = (): void => {
    const now = Date.now();
    if (session.today !== renewed) {
      renewed = session.today;
      if (renewed > today) take({ today: renewed, timeZone });
    }
    if (timeZone && dayAt(timeZone, now) === today) return;
    if (asking || Math.abs(now - askedAt) < PATIENCE) return;
    askedAt = now;
    asking = true;
    void ask().finally(() => (asking = false));
  };

  const ask = async (): Promise<void> => {
    for (let failures = 0; !over.signal.aborted; failures += 1) {
      const before = renewed;
      try {
        const { data, errors } = await execute(session, { query: TODAY }, over.signal);
        const viewer = (data as { viewer?: { today: string; timeZone: string } | null } | null | undefined)?.viewer;
        if (over.signal.aborted) return;
        if (viewer) return before === session.today || viewer.today > today ? take(viewer) : undefined;
        await wait(failures, retryAfter(errors), over.signal);
      } catch (error) {
        if (error instanceof SessionEnded) return;
        await wait(failures, retryAfter(error), over.signal);
      }
    }
  };

  const take = (viewer: { today: string; timeZone: string }): void => {
    timeZone = viewer.timeZone;
    if (viewer.today === today) return;
    today = viewer.today;
    askedAt = -Infinity; // the next midnight may be near
    tell(() => onToday(today));
  };

  /** The clock runs while somebody is logged in. */
  const run = (): void => {
    clearInterval(timer);
    const { state } = session;
    if (state.status !== "in") return;
    timeZone = state.viewer?.timeZone ?? timeZone;
    askedAt = -Infinity;
    timer = setInterval(look, TICK);
    look();
  };

  const unsubscribe = session.subscribe(run);
  queueMicrotask(() => over.signal.aborted || run()); // whoever is told has been answered how to stop
  return () => {
    over.abort();
    unsubscribe();
    clearInterval(timer);
  };
}

/** The date in a time zone at an instant, in milliseconds since 1970. */
function dayAt(timeZone: string, instant: number): string {
  const format = new Intl.DateTimeFormat("en", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  const { year = "", month, day } = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
  return `${year.padStart(4, "0")}-${month}-${day}`;
}
