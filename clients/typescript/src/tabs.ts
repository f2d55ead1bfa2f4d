/** The tabs of a browser that share a login: one at a time changes it, and tells the others. */

/** Milliseconds that news may take: a message can arrive after the lock under which it was sent. */
const NEWS = 1_000;

/** How the tabs share it: by a storage alone, which each reads; by a cookie, so that each has to be told; or not at all. */
export type Sharing = "storage" | "cookie" | null;

export class Tabs<T> {
  readonly #name: string;
  readonly #sharing: Sharing;
  readonly #channel: BroadcastChannel | undefined;
  #heard = 0;
  #latest: T | null = null;
  #wake = (): void => {};

  /** `hear` is told what another tab tells; null when the login is over. */
  constructor(name: string, sharing: Sharing, hear: (news: T | null) => void) {
    this.#name = name;
    this.#sharing = sharing;
    if (sharing !== "cookie" || !globalThis.BroadcastChannel) return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<T | null>) => {
      this.#heard += 1;
      this.#latest = data;
      hear(data);
      this.#wake();
    };
    (this.#channel as { unref?: () => void }).unref?.(); // or it would keep a program of Node running
  }

  /** How often another tab has told something. */
  get heard(): number {
    return this.#heard;
  }

  /**
   * Work while no other tab does; `waited` says whether another did just before. Pages without TLS have no Web Locks: there
   * the server has to bear that two tabs renew a login at once.
   */
  async alone<R>(work: (waited: boolean) => Promise<R>): Promise<R> {
    const { locks } = globalThis.navigator ?? {};
    if (!this.#sharing || !locks) return work(false);
    const free = await locks.request(this.#name, { ifAvailable: true }, async (lock) => lock && { result: await work(false) });
    return free ? free.result : locks.request(this.#name, () => work(true));
  }

  /** What another tab has told since then; undefined if nothing, also after waiting for it. */
  async news(since: number, waited: boolean): Promise<T | null | undefined> {
    if (this.#heard === since && this.#channel && waited) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, NEWS);
      });
      clearTimeout(timer);
    }
    return this.#heard === since ? undefined : this.#latest;
  }

  tell(news: T | null): void {
    this.#channel?.postMessage(news);
  }
}
