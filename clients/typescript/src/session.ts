/** A login: its access token, which lives for minutes, and the refresh token with which it is renewed. */
import { codeOf, hasCode, NoAnswer, OperationFailed, retryAfter } from "./errors.ts";
import { Tabs } from "./tabs.ts";
import { CHANGE, granted, isGranted, isSame, lifetimeOf, LOGIN, LOGOUT, REFRESH } from "./tokens.ts";
import type { Answer, Granted, Tokens, Viewer } from "./tokens.ts";
import { resultOf } from "./transport.ts";
import { wait } from "./waiting.ts";

/**
 * How long before its end a token is renewed, in milliseconds; halfway, if it lives for less than twice this. One of
 * somebody else's is asked for that often.
 */
const AHEAD = 60_000;

/** How long an answer about tokens may take, in milliseconds. */
const PATIENCE = 20_000;

const LOGGED_OUT = "You have logged out.";

/** Errors of a login or a refresh after which it is tried again. */
const PASSING = ["RATE_LIMITED", "UNAVAILABLE", "INTERNAL"];

/**
 * How a session begins: with a password, with the one that is in the storage, with a refresh token from elsewhere, or with
 * the cookie of an earlier login. `cookie` keeps the refresh token in an HttpOnly cookie, for pages of the server itself: all
 * their tabs share the login, also one that begins or ends in another tab. `token` is for access tokens that somebody else
 * renews: it is asked once a minute, and when one was refused; it may throw SessionEnded, and after other errors it is asked
 * again.
 */
export type Credentials =
  | { email: string; password: string; cookie?: boolean }
  | { stored: true }
  | { refreshToken: string }
  | { cookie: true }
  | { token: () => string | Promise<string> };

/** `localStorage`, or what has its methods and may answer later. */
export interface TokenStorage {
  getItem: (key: string) => string | null | Promise<string | null>;
  setItem: (key: string, value: string) => unknown;
  removeItem: (key: string) => unknown;
}

export interface SessionOptions {
  /** Keeps the refresh token, for the next start and for other tabs: all that share a storage share the session. */
  storage?: TokenStorage;
  /** In place of the global `fetch`, for all requests: to add headers, or to trace them. */
  fetch?: typeof fetch;
}

export type SessionState =
  /** It is not known yet whether somebody is logged in; `failure` is why the server was asked in vain. */
  | { status: "starting"; failure: Error | null }
  /** `viewer.today` is that of the login. Of whoever has a `token` from elsewhere it is not known who they are: null. */
  | { status: "in"; viewer: Viewer | null }
  | { status: "out"; reason: SessionEnded };

/**
 * The login is over, or cannot begin: wrong password, logged out, disabled, too long away; a storage that fails, or an
 * address at which something else answers. The message is for people.
 */
export class SessionEnded extends Error {
  override readonly name = "SessionEnded";
}

export class Session {
  /** The server's, without a slash at the end. */
  readonly address: string;
  /** Where it answers GraphQL. */
  readonly url: string;
  readonly fetch: typeof fetch;
  /** The organisation's date when the server gave tokens last; empty while it has given none. Set by the session alone. */
  today = "";
  readonly #storage: TokenStorage | undefined;
  /** In the storage. */
  readonly #key: string;
  readonly #given: (() => string | Promise<string>) | undefined;
  readonly #cookie: boolean;
  readonly #tabs: Tabs<Tokens>;
  #tokens!: Promise<Tokens>;
  #state: SessionState = { status: "starting", failure: null };
  readonly #listeners = new Set<() => void>();
  /** Whose session it is. */
  #account: string | undefined;
  /** Those who want to know when the server was asked for tokens in vain. */
  readonly #impatient = new Set<(failure: unknown) => void>();
  /** Whether memberstaff has answered, or sent the page, and not only what stands at its address or before it. */
  #isMet: boolean;

  /**
   * `address` is the server's, such as https://attendance.school.example, with or without `/graphql`. Logs in at once;
   * `token` says how it went.
   */
  constructor(address: string, credentials: Credentials, { storage, fetch: own }: SessionOptions = {}) {
    this.address = address.replace(/(\/graphql)?\/*$/, "");
    this.url = `${this.address}/graphql`;
    this.fetch = own ?? ((input, init) => fetch(input, init));
    this.#storage = storage;
    this.#key = `memberstaff ${this.address}`;
    const { refreshToken = null, token } = credentials as { refreshToken?: string; token?: () => string | Promise<string> };
    this.#given = token;
    this.#isMet = this.#cookie = "cookie" in credentials && credentials.cookie === true;
    const sharing = this.#cookie ? "cookie" : storage ? "storage" : null;
    this.#tabs = new Tabs(this.#key, sharing, (tokens) => this.#hear(tokens));
    if ("email" in credentials) this.#expect(this.#ask(LOGIN, () => credentials));
    else this.#expect(this.#refresh(refreshToken, "stored" in credentials));
  }

  /** Whether somebody is logged in, and who: another object whenever that changes. */
  get state(): SessionState {
    return this.#state;
  }

  /** Be called when the state has changed; answers how to be called no more. What React's `useSyncExternalStore` takes. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /**
   * Log in after the session has ended, or as somebody else. A client's cache is that of whoever was logged in: make another.
   * Throws OperationFailed, whose message says why not; NoAnswer, and what `fetch` throws.
   */
  async login(email: string, password: string): Promise<void> {
    await this.#tabs.alone(async () => {
      const input = { email, password, ...(this.#cookie && { cookie: true }) };
      const { data, errors } = await this.#send(LOGIN, { input });
      const payload = granted(data?.login, errors);
      this.#account = undefined;
      this.#expect(this.#keep(payload));
      await this.#tokens;
    });
  }

  /**
   * Change the password. Every other session of the account ends, and this one goes on. Throws OperationFailed, whose message
   * says why the password was not changed; NoAnswer, SessionEnded, and what `fetch` throws.
   */
  async changePassword(currentPassword: string, newPassword: string): Promise<void> {
    await this.#authorized(async (token) => {
      const before = await this.#tokens;
      const changed = this.#tabs.alone(async () => {
        const { data, errors } = await this.#send(CHANGE, { input: { currentPassword, newPassword } }, token);
        this.#expect(this.#keep({ ...granted(data?.changePassword, errors), viewer: before.viewer }));
        return this.#tokens; // in place of those that another tab may have told of meanwhile
      });
      this.#expect(changed.catch(() => before)); // the old token ends before the new one is here: whoever wants one waits
      await changed;
    });
  }

  /**
   * A good access token, renewed before it expires. Waits while the server cannot be reached; `now` waits for one try,
   * and throws why it has failed. Throws SessionEnded.
   */
  async token({ now = false } = {}): Promise<string> {
    const token = this.#token();
    if (!now) return token;
    let failed!: (failure: unknown) => void;
    const failure = new Promise<never>((_, reject) => this.#impatient.add((failed = reject)));
    return Promise.race([token, failure]).finally(() => this.#impatient.delete(failed));
  }

  async #token(): Promise<string> {
    const asked = this.#tokens;
    const tokens = await asked;
    if (Date.now() >= tokens.renewAt) this.#renew(asked, tokens);
    return (await this.#tokens).accessToken;
  }

  /** The server has refused this token: the next one is another. Throws SessionEnded. */
  async refused(token: string): Promise<void> {
    const asked = this.#tokens;
    const tokens = await asked;
    if (tokens.accessToken === token) this.#renew(asked, tokens);
  }

  /** Milliseconds until the token is to be renewed. Throws SessionEnded. */
  async remaining(): Promise<number> {
    return Math.max(0, (await this.#tokens).renewAt - Date.now());
  }

  /** End the session, here and on the server. Throws when the server does not say that it has: then it has not ended. */
  async logout(): Promise<void> {
    try {
      await this.#authorized((token) =>
        this.#tabs.alone(async () => {
          const { data, errors } = await this.#send(LOGOUT, undefined, token);
          if (!data?.logout) throw new OperationFailed(errors ?? []);
          await this.#end(new SessionEnded(LOGGED_OUT));
        }),
      );
    } catch (error) {
      if (!(error instanceof SessionEnded)) throw error; // else it was over, and what is stored may be somebody else's
    }
  }

  /** Do something that needs a token; once more, if that was refused. */
  async #authorized(use: (token: string) => Promise<void>): Promise<void> {
    for (let renewed = false; ; renewed = true) {
      const token = await this.token({ now: true });
      try {
        return await use(token);
      } catch (error) {
        if (renewed || !hasCode(error, "UNAUTHENTICATED")) throw error;
        await this.refused(token);
      }
    }
  }

  /** Renew these tokens, unless somebody has begun to. */
  #renew(asked: Promise<Tokens>, { refreshToken }: Tokens): void {
    if (this.#tokens === asked) this.#expect(this.#refresh(refreshToken));
  }

  /**
   * New tokens for the newest refresh token: another tab may have renewed the stored one, and one that was replaced ends the
   * session.
   */
  #refresh(own: string | null, stored = false): Promise<Tokens> {
    if (this.#given) return this.#borrow(this.#given);
    return this.#ask(REFRESH, async () => {
      const refreshToken = (await this.#stored((storage) => storage.getItem(this.#key))) ?? own;
      if (!refreshToken && stored) throw new SessionEnded("Nobody is logged in.");
      return refreshToken ? { refreshToken } : {};
    });
  }

  /** Somebody else's token. */
  async #borrow(given: () => string | Promise<string>): Promise<Tokens> {
    for (let failures = 0; ; failures += 1) {
      try {
        return { accessToken: await given(), refreshToken: null, renewAt: Date.now() + AHEAD, viewer: null };
      } catch (failure) {
        if (failure instanceof SessionEnded) throw failure;
        await this.#pause(failures, failure);
      }
    }
  }

  #expect(tokens: Promise<Tokens>): void {
    this.#tokens = tokens;
    tokens.then(
      ({ viewer }) => this.#tokens === tokens && this.#show({ status: "in", viewer }),
      (reason: SessionEnded) => this.#tokens === tokens && this.#show({ status: "out", reason }),
    );
  }

  #show(state: SessionState): void {
    const { status, viewer } = { viewer: null, ...this.#state };
    if (state.status === "in") this.today = state.viewer?.today ?? this.today;
    if (status === "in" && state.status === "in" && isSame(viewer, state.viewer)) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Another tab has logged in, out, or renewed the login. */
  #hear(tokens: Tokens | null): void {
    const isOut = this.#state.status === "out";
    if (isOut) this.#account = undefined;
    if (tokens) this.#expect((async () => this.#own(tokens))());
    else if (!isOut) this.#expect(Promise.reject(new SessionEnded(LOGGED_OUT)));
  }

  /** These tokens, if they are not somebody else's. Throws SessionEnded. */
  #own(tokens: Tokens): Tokens {
    this.#account ??= tokens.viewer?.accountId;
    if (tokens.viewer && tokens.viewer.accountId !== this.#account) {
      throw new SessionEnded("Somebody else has logged in here since.");
    }
    return tokens;
  }

  /** Ask until there is an answer: one that is lost is asked for again, with the same refresh token. */
  async #ask(query: string, input: () => object): Promise<Tokens> {
    const { heard } = this.#tabs;
    for (let failures = 0; ; failures += 1) {
      let failure: unknown;
      const tokens = await this.#tabs.alone(async (waited) => {
        // One that was renewed in another tab is renewed: with the token that this replaced it would end.
        const news = query === REFRESH ? await this.#tabs.news(heard, waited) : undefined;
        if (news === null) throw new SessionEnded(LOGGED_OUT);
        if (news) return this.#own(news);
        const variables = { input: await input() };
        const answer = await this.#send(query, variables).catch((error: unknown) => void (failure = error));
        if (answer) failure = new OperationFailed(answer.errors ?? []);
        return this.#answered(query, answer, failure);
      });
      if (tokens) return tokens;
      await this.#pause(failures, failure);
    }
  }

  /** The tokens in an answer; null if it is to be asked for again. Throws SessionEnded. */
  async #answered(query: string, answer: Answer | void, failure: unknown): Promise<Tokens | null> {
    this.#isMet ||= Boolean(answer);
    if (!this.#isMet && failure instanceof NoAnswer && failure.status < 500 && failure.status !== 429) {
      throw new SessionEnded(`${this.address} is not the address of memberstaff. ${failure.message}`, { cause: failure });
    }
    const [payload] = Object.values(answer?.data ?? {});
    if (isGranted(payload)) return this.#keep(payload);
    const code = codeOf(answer?.errors);
    if (!payload && (!code || PASSING.includes(code))) return null;
    const [error] = payload?.errors ?? answer?.errors ?? [];
    const over = new SessionEnded(error?.message ?? "The login has ended.");
    if (query === REFRESH) await this.#end(over);
    throw over;
  }

  async #pause(failures: number, failure: unknown): Promise<void> {
    if (this.#state.status === "starting") this.#show({ status: "starting", failure: failure as Error });
    for (const tell of this.#impatient) tell(failure);
    await wait(failures, retryAfter(failure));
  }

  async #send(query: string, variables?: object, token?: string): Promise<Answer> {
    const response = await this.fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(PATIENCE),
    });
    return resultOf(response);
  }

  async #keep({ accessToken, expiresAt, refreshToken, viewer = null }: Granted): Promise<Tokens> {
    if (refreshToken) await this.#stored((storage) => storage.setItem(this.#key, refreshToken));
    const lifetime = lifetimeOf(accessToken, expiresAt);
    const renewAt = Date.now() + Math.max(lifetime - AHEAD, lifetime / 2);
    const tokens = this.#own({ accessToken, refreshToken, renewAt, viewer });
    this.#tabs.tell(tokens);
    return tokens;
  }

  async #end(over: SessionEnded): Promise<void> {
    this.#expect(Promise.reject(over));
    this.#tabs.tell(null);
    await this.#stored((storage) => storage.removeItem(this.#key));
  }

  /** What the storage answers. Throws SessionEnded when it throws: whoever went on would lose the session later. */
  async #stored<T>(use: (storage: TokenStorage) => T): Promise<Awaited<T> | undefined> {
    try {
      return this.#storage && (await use(this.#storage));
    } catch (cause) {
      throw new SessionEnded(`The storage of the session has failed: ${(cause as Error).message}`, { cause });
    }
  }
}
