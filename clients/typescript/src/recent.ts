/** What is remembered of answers. */

/** Milliseconds in which no answer is still under way: a request is given up after a minute, a silent connection sooner. */
const HOUR = 3_600_000;

interface Entry<T> {
  value: T;
  /** By a clock that nobody sets. */
  usedAt: number;
}

/** A map that forgets what has not been set for an hour, the oldest first, once it has more entries than `most`. */
export class Recent<T> {
  readonly #most: number;
  readonly #entries = new Map<string, Entry<T>>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: string, value: T): void {
    const now = performance.now();
    this.#entries.delete(key); // last again
    this.#entries.set(key, { value, usedAt: now });
    for (const [oldest, { usedAt }] of this.#entries) {
      if (this.#entries.size <= this.#most || now - usedAt < HOUR) return;
      this.#entries.delete(oldest);
    }
  }
}
