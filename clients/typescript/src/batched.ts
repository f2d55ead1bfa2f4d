/** Events that come in bursts, handed on together. */
import { tell } from "./errors.ts";
import type { Subscriptions } from "./transport.ts";

/** How long to rest after a delivery, as a multiple of the time that it took. */
const REST = 3;

/**
 * Hands on the events of a burst together: marking five hundred people at once sends five hundred events, and a cache would
 * read the whole board again after each. The first event after a pause is handed on at once; others wait for `pause`
 * milliseconds, or longer when that took long, so that even a board of 20,000 people responds to a click.
 */
export function batched(subscriptions: Subscriptions, pause = 50): Subscriptions {
  let waiting: (() => void)[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    const delivered = waiting;
    waiting = [];
    const began = performance.now();
    // Measured in another task: caches and React go on in microtasks.
    timer = setTimeout(() => rest(performance.now() - began), 0);
    for (const deliver of delivered) tell(deliver);
  };
  const rest = (took: number): void => {
    timer = setTimeout(() => {
      timer = undefined;
      if (waiting.length > 0) flush();
    }, Math.max(pause, REST * took));
  };

  return {
    subscribe(request, sink) {
      let over = false;
      const stop = subscriptions.subscribe(request, {
        next(result) {
          waiting.push(() => over || sink.next(result));
          if (timer === undefined) flush();
        },
        error(error) {
          flush();
          if (!over) sink.error(error);
        },
        complete() {
          flush();
          if (!over) sink.complete();
        },
      });
      return () => {
        over = true;
        stop();
      };
    },
  };
}
