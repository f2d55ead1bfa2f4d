/** The tabs of a browser that share a login: one at a time changes it, and tells the others. */

/** Milliseconds that news may take: a message can arrive after the lock under which it was sent. */
const NEWS = 1_000;

/** How the tabs share it: by a storage alone, which each reads; by a cookie, so that each has to be told; or not at all. */
export type Sharing = "storage" | "cookie" | null;

export class Tabs<T> {
  readonly #name: string;
  readonly #sharing: Sharing;
  readonly #channel: BroadcastChannel | undefined;
  #wake = (): void => {};

  /** `hear` is told what another tab tells; null when the login is over. */
  constructor(name: string, sharing: Sharing, hear: (news: T | null) => void) {
    this.#name = name;
    this.#sharing = sharing;
    if (sharing !== "cookie" || !globalThis.BroadcastChannel) return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<T | null>) => {
      hear(data);
      this.#wake();
    };
    (this.#channel as { unref?: () => void }).unref?.(); // or it would keep a program of Node running
  }

  /**
   * Work while no other tab does; `waited` says whether another did just before. Pages without TLS have no Web Locks: there
   * tabs may renew a login at once, which the server bears for half a minute, and a session looks whether it was overtaken.
   */
  async alone<R>(work: (waited: boolean) => Promise<R>): Promise<R> {
    const { locks } = globalThis.navigator ?? {};
    if (!this.#sharing || !locks) return work(false);
    const free = await locks.request(this.#name, { ifAvailable: true }, async (lock) => lock && { result: await work(false) });
    return free ? free.result : locks.request(this.#name, () => work(true));
  }

  /** Wait for what another tab has to tell, if it tells anything. */
  async news(): Promise<void> {
    if (!this.#channel) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, NEWS);
    });
    clearTimeout(timer);
  }

  tell(news: T | null): void {
    this.#channel?.postMessage(news);
  }
}
