/** The refresh token of a session, in a storage, if it has one. */
import { SessionEnded } from "./errors.ts";

/** `localStorage`, or what has its methods and may answer later. */
export interface TokenStorage {
  getItem: (key: string) => string | null | Promise<string | null>;
  setItem: (key: string, value: string) => unknown;
  removeItem: (key: string) => unknown;
}

/** Each method throws SessionEnded when the storage throws: whoever went on would lose the session later. */
export class StoredToken {
  readonly #key: string;
  readonly #storage: TokenStorage | undefined;

  constructor(key: string, storage: TokenStorage | undefined) {
    this.#key = key;
    this.#storage = storage;
  }

  /** The newest, of whichever tab; null if there is none. */
  async read(): Promise<string | null> {
    return (await this.#use((storage) => storage.getItem(this.#key))) ?? null;
  }

  async write(refreshToken: string): Promise<void> {
    await this.#use((storage) => storage.setItem(this.#key, refreshToken));
  }

  async remove(): Promise<void> {
    await this.#use((storage) => storage.removeItem(this.#key));
  }

  async #use<T>(use: (storage: TokenStorage) => T): Promise<Awaited<T> | undefined> {
    try {
      return this.#storage && (await use(this.#storage));
    } catch (cause) {
      throw new SessionEnded(`The storage of the session has failed: ${(cause as Error).message}`, { cause });
    }
  }
}
