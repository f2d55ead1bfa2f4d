import { Store } from "../api/store";
import { type Day, dayAt } from "./dates";

const TICK = 1_000;

/**
 * The organisation's current date.
 *
 * This machine's clock only decides when to ask the server: with a wrong clock it asks often, but never shows a wrong
 * date.
 */
export class Today {
  readonly day: Store<Day>;
  #asking = false;
  #askedAt = -Infinity;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    day: Day,
    private readonly timeZone: string,
    private readonly ask: () => Promise<Day | null>,
    private readonly patience = 30_000,
  ) {
    this.day = new Store(day);
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), TICK);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Ask the server if the clock says that the day has changed. */
  async check(): Promise<void> {
    const now = Date.now();
    const changed = dayAt(this.timeZone, now) !== this.day.get();
    if (!changed || this.#asking || Math.abs(now - this.#askedAt) < this.patience) return;
    this.#asking = true;
    this.#askedAt = now;
    const day = await this.ask().finally(() => (this.#asking = false));
    if (day === null) this.#askedAt = -Infinity; // the server was unreachable: ask again at the next tick
    else if (day !== this.day.get()) {
      this.#askedAt = -Infinity;
      this.day.set(day);
    }
  }
}
