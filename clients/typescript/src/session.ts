/** A login: its access token, which lives for minutes, and the refresh token with which it is renewed. */
import { codeOf, hasCode, NoAnswer, OperationFailed, retryAfter, SessionEnded, tell } from "./errors.ts";
import { StoredToken, type TokenStorage } from "./stored.ts";
import { Tabs } from "./tabs.ts";
import { CHANGE, granted, isGranted, isSame, lifetimeOf, LOGIN, LOGOUT, REFRESH } from "./tokens.ts";
import type { Answer, Granted, Tokens, Viewer } from "./tokens.ts";
import { resultOf } from "./transport.ts";
import { aborted, wait } from "./waiting.ts";

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

export class Session {
  /** The server's, without a slash at the end. */
  readonly address: string;
  /** Where it answers GraphQL. */
  readonly url: string;
  readonly fetch: typeof fetch;
  /** The organisation's date when the server gave tokens last; empty while it has given none. Set by the session alone. */
  today = "";
  readonly #stored: StoredToken;
  #given: (() => string | Promise<string>) | undefined;
  readonly #cookie: boolean;
  /** Begins with a password. */
  readonly #logsIn: boolean;
  readonly #tabs: Tabs<Tokens>;
  #tokens!: Promise<Tokens>;
  /** Of what `#tokens` waits for. */
  #expected = new AbortController();
  #state: SessionState = { status: "starting", failure: null };
  readonly #listeners = new Set<() => void>();
  /** Whose session it is: another object for each login, with the account as soon as it is known. */
  #owner: { account?: string | undefined } = {};
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
    const key = `memberstaff ${this.address}`;
    this.#stored = new StoredToken(key, storage);
    const { refreshToken = null, token } = credentials as { refreshToken?: string; token?: () => string | Promise<string> };
    this.#given = token;
    this.#logsIn = "email" in credentials;
    this.#isMet = this.#cookie = "cookie" in credentials && credentials.cookie === true;
    const sharing = this.#cookie ? "cookie" : storage ? "storage" : null;
    this.#tabs = new Tabs(key, sharing, (tokens) => this.#hear(tokens));
    if ("email" in credentials) this.#expect((over) => this.#ask(LOGIN, over, () => credentials));
    else this.#expect((over) => this.#refresh(refreshToken, over, "stored" in credentials));
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
   * Whatever else was under way changes nothing any more. Throws OperationFailed, whose message says why not; NoAnswer, and what `fetch` throws.
   */
  async login(email: string, password: string): Promise<void> {
    await this.#tabs.alone(async () => {
      const input = { email, password, ...(this.#cookie && { cookie: true }) };
      const { data, errors } = await this.#send(LOGIN, { input });
      const payload = granted(data?.login, errors);
      this.#owner = {};
      this.#given = undefined;
      this.#expect((over) => this.#keep(payload, over));
      await this.#tokens;
    });
  }

  /**
   * Change the password. Every other session of the account ends, and this one goes on. Throws OperationFailed, whose message
   * says why the password was not changed; NoAnswer, SessionEnded, and what `fetch` throws.
   */
  async changePassword(currentPassword: string, newPassword: string): Promise<void> {
    await this.#authorized(async (token) => {
      const owner = this.#owner;
      const before = await this.#tokens;
      const changed = this.#tabs.alone(async () => {
        const { data, errors } = await this.#send(CHANGE, { input: { currentPassword, newPassword } }, token);
        const payload = { ...granted(data?.changePassword, errors), viewer: before.viewer };
        // In place of those that another tab may have told of meanwhile, but not of another login.
        if (owner === this.#owner) this.#expect((over) => this.#keep(payload, over));
        return this.#tokens;
      });
      this.#expect(() => changed.catch(() => before)); // the old token ends before the new one is here: whoever wants one waits
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
    const owner = this.#owner;
    try {
      await this.#authorized((token) =>
        this.#tabs.alone(async () => {
          const { data, errors } = await this.#send(LOGOUT, undefined, token);
          if (!data?.logout) throw new OperationFailed(errors ?? []);
          if (owner === this.#owner) await this.#end(new SessionEnded(LOGGED_OUT));
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
    if (this.#tokens === asked) this.#expect((over) => this.#refresh(refreshToken, over));
  }

  /**
   * New tokens for the newest refresh token: another tab may have renewed the stored one, and one that was replaced ends the
   * session.
   */
  #refresh(own: string | null, over: AbortSignal, isStored = false): Promise<Tokens> {
    if (this.#given) return this.#borrow(this.#given, over);
    return this.#ask(REFRESH, over, (stored) => {
      const refreshToken = stored ?? own;
      if (!refreshToken && isStored) throw new SessionEnded("Nobody is logged in.");
      return refreshToken ? { refreshToken } : {};
    });
  }

  /** Somebody else's token. */
  async #borrow(given: () => string | Promise<string>, over: AbortSignal): Promise<Tokens> {
    for (let failures = 0; !over.aborted; failures += 1) {
      try {
        return { accessToken: await given(), refreshToken: null, renewAt: Date.now() + AHEAD, viewer: null };
      } catch (failure) {
        if (over.aborted) break;
        if (failure instanceof SessionEnded) throw failure;
        await this.#pause(failures, failure, over);
      }
    }
    return this.#tokens;
  }

  /**
   * These are the tokens from now on. What was asked for before is over: it changes nothing any more, whatever the answer,
   * and whoever waits for it gets these, without waiting for that answer.
   */
  #expect(ask: (over: AbortSignal) => Promise<Tokens>): void {
    this.#expected.abort();
    const { signal: over } = (this.#expected = new AbortController());
    const tokens = (this.#tokens = Promise.race([ask(over), aborted(over).then(() => this.#tokens)]));
    tokens.then(
      ({ viewer }) => over.aborted || this.#show({ status: "in", viewer }),
      (reason: SessionEnded) => over.aborted || this.#show({ status: "out", reason }),
    );
  }

  #show(state: SessionState): void {
    const { status, viewer } = { viewer: null, ...this.#state };
    if (state.status === "in") this.today = state.viewer?.today ?? this.today;
    if (status === "in" && state.status === "in" && isSame(viewer, state.viewer)) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) tell(listener);
  }

  /** Another tab has logged in, out, or renewed the login. */
  #hear(tokens: Tokens | null): void {
    const { status } = this.#state;
    if (status === "starting" && this.#logsIn) return; // what it hears is of the login before
    if (status === "out") this.#owner = {};
    if (tokens) this.#expect(async () => this.#own(tokens));
    else if (status !== "out") this.#expect(() => Promise.reject(new SessionEnded(LOGGED_OUT)));
  }

  /** These tokens, if they are not somebody else's. Throws SessionEnded. */
  #own(tokens: Tokens): Tokens {
    this.#owner.account ??= tokens.viewer?.accountId;
    if (tokens.viewer && tokens.viewer.accountId !== this.#owner.account) {
      throw new SessionEnded("Somebody else has logged in here since.");
    }
    return tokens;
  }

  /** Ask until there is an answer: one that is lost is asked for again, with the refresh token that is stored by then. */
  async #ask(query: string, over: AbortSignal, inputWith: (stored: string | null) => object): Promise<Tokens> {
    for (let failures = 0; !over.aborted; failures += 1) {
      let failure: unknown;
      const tokens = await this.#tabs.alone(async (waited) => {
        // One that was renewed in another tab is renewed: with the token that this replaced it would end.
        if (query === REFRESH && waited && !over.aborted) await this.#tabs.news();
        const stored = await this.#stored.read();
        if (over.aborted) return null;
        const answer = await this.#send(query, { input: inputWith(stored) }).catch((error: unknown) => void (failure = error));
        if (answer) failure = new OperationFailed(answer.errors ?? []);
        const now = answer && query === REFRESH ? await this.#stored.read() : stored;
        const [payload] = Object.values(answer?.data ?? {});
        if (now === stored || now === payload?.refreshToken) return this.#answered(query, answer, failure, over);
        failure = undefined; // without Web Locks, another tab has renewed the login or begun one: this answer is of the last
        return null;
      });
      if (tokens) return tokens;
      if (failure && !over.aborted) await this.#pause(failures, failure, over);
    }
    return this.#tokens;
  }

  /** The tokens in an answer; null if it is to be asked for again. Throws SessionEnded. */
  async #answered(query: string, answer: Answer | void, failure: unknown, over: AbortSignal): Promise<Tokens | null> {
    if (over.aborted) return null;
    this.#isMet ||= Boolean(answer);
    if (!this.#isMet && failure instanceof NoAnswer && failure.status < 500 && failure.status !== 429) {
      throw new SessionEnded(`${this.address} is not the address of memberstaff. ${failure.message}`, { cause: failure });
    }
    const [payload] = Object.values(answer?.data ?? {});
    if (isGranted(payload)) return this.#keep(payload, over);
    const code = codeOf(answer?.errors);
    if (!payload && (!code || PASSING.includes(code))) return null;
    const [error] = payload?.errors ?? answer?.errors ?? [];
    const reason = new SessionEnded(error?.message ?? "The login has ended.");
    if (query === REFRESH) await this.#end(reason);
    throw reason;
  }

  async #pause(failures: number, failure: unknown, over: AbortSignal): Promise<void> {
    if (this.#state.status === "starting") this.#show({ status: "starting", failure: failure as Error });
    for (const told of this.#impatient) told(failure);
    await wait(failures, retryAfter(failure), over);
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

  async #keep({ accessToken, expiresAt, refreshToken, viewer = null }: Granted, over: AbortSignal): Promise<Tokens> {
    if (refreshToken) await this.#stored.write(refreshToken);
    if (over.aborted) return this.#tokens;
    const lifetime = lifetimeOf(accessToken, expiresAt);
    const renewAt = Date.now() + Math.max(lifetime - AHEAD, lifetime / 2);
    const tokens = this.#own({ accessToken, refreshToken, renewAt, viewer });
    this.#tabs.tell(tokens);
    return tokens;
  }

  async #end(reason: SessionEnded): Promise<void> {
    this.#expect(() => Promise.reject(reason));
    this.#tabs.tell(null);
    await this.#stored.remove();
  }
}
