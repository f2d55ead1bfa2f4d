/** The pause after a delivery, as a multiple of the time that the delivery took. */
const REST = 3;

/**
 * Batches bursts of events. Marking five hundred people at once sends five hundred events, and each by itself would
 * make the cache read the whole board again. The first event after a pause is delivered immediately. A slow delivery
 * makes the next pause longer, so that even a board of 20,000 people responds to a click.
 */
export class Gather {
  #waiting: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `pause`: minimum milliseconds between deliveries. */
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
    // Measured in a new task, because the cache and React continue in microtasks.
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
