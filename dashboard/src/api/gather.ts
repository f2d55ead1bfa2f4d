/** How much longer than a hand-over took, the pause behind it is. */
const REST = 3;

/**
 * Hands events on together when they come in bursts: five hundred people marked at once are five hundred events,
 * and each one by itself would have the cache read the whole board again. The first after a pause waits for nothing.
 * Where handing on takes long, the pause is longer: on a board of 20,000 people too, a click finds the page free.
 */
export class Gather {
  #waiting: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `pause`: milliseconds from one hand-over to the next, at least. */
  constructor(private readonly pause = 50) {}

  add(deliver: () => void): void {
    this.#waiting.push(deliver);
    if (this.#timer === undefined) this.flush();
  }

  flush(): void {
    clearTimeout(this.#timer);
    const waiting = this.#waiting;
    this.#waiting = [];
    const began = performance.now();
    // What it costs is known when the page is at rest again: the cache and React go on in microtasks.
    this.#timer = setTimeout(() => this.#pause(performance.now() - began));
    for (const deliver of waiting) deliver();
  }

  #pause(took: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#waiting.length > 0) this.flush();
    }, Math.max(this.pause, REST * took));
  }
}
