import { vi } from "vitest";

const turn = globalThis.setImmediate;

/** Time stands still until a test moves it on. Sockets and promises go on by themselves. */
export function stopClock(now = "2026-11-23T08:00:00Z"): void {
  vi.useFakeTimers({
    now: Date.parse(now),
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
  });
  vi.spyOn(Math, "random").mockReturnValue(0.5); // the jitter of retries
}

export function startClock(): void {
  vi.useRealTimers();
  vi.restoreAllMocks();
}

/** A turn of the event loop. What is due at once, at the stopped clock, is done. */
async function take(): Promise<void> {
  await new Promise((resolve) => turn(resolve));
  if (vi.isFakeTimers()) await vi.advanceTimersByTimeAsync(0);
}

/** Wait until a condition holds, without moving the clock. Fails after twenty seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const end = process.hrtime.bigint() + 20_000_000_000n;
  while (!condition()) {
    if (process.hrtime.bigint() > end) throw new Error(`It did not come to this: ${condition.toString()}`);
    await take();
  }
}

/** Let everything that is under way in this process come to its end. */
export async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await take();
}

/** Move the clock on, and let what that starts come to its end. */
export async function pass(milliseconds: number): Promise<void> {
  await settle();
  await vi.advanceTimersByTimeAsync(milliseconds);
  await settle();
}
