/** Seconds that a server can ask for at most; timers take no more than 24 days. */
const MOST = 300;

/**
 * Longer after each failure, up to ten seconds, and each client another time: not all shall come back at once. At
 * least as many seconds as the server has asked for, up to five minutes. `signal` cuts it short.
 */
export async function wait(failures: number, atLeast = 0, signal?: AbortSignal): Promise<void> {
  const longest = Math.min(500 * 2 ** failures, 10_000);
  const pause = Math.min(atLeast, MOST) * 1_000 + longest * (0.5 + 0.5 * Math.random());
  if (signal?.aborted) return;
  await new Promise<void>((resolve) => {
    const over = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, pause);
    signal?.addEventListener("abort", over);
  });
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
