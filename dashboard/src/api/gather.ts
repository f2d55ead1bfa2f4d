/**
 * Hands events on together when they come in bursts: five hundred people marked at once are five hundred events,
 * and each one by itself would have the cache read the whole board again. The first after a pause waits for nothing.
 */
export class Gather {
  #waiting: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = -Infinity;

  /** `pause`: milliseconds from one hand-over to the next. */
  constructor(private readonly pause = 50) {}

  add(deliver: () => void): void {
    this.#waiting.push(deliver);
    if (this.#timer !== undefined) return;
    const wait = this.#last + this.pause - performance.now();
    if (wait <= 0) this.flush();
    else this.#timer = setTimeout(() => this.flush(), wait);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#last = performance.now();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const deliver of waiting) deliver();
  }
}
