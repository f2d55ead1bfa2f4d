/** A login: its access token, which lives for minutes, and the refresh token with which it is renewed. */
import { codeOf, hasCode, NoAnswer, OperationFailed, retryAfter, type GraphQLErrors } from "./errors.ts";
import { resultOf } from "./transport.ts";
import { wait } from "./waiting.ts";

const FIELDS = "accessToken expiresAt refreshToken viewer { accountId } errors { message }";
const LOGIN = `mutation Login($input: LoginInput!) { login(input: $input) { ${FIELDS} } }`;
const REFRESH = `mutation RefreshSession($input: RefreshSessionInput!) { refreshSession(input: $input) { ${FIELDS} } }`;
const LOGOUT = "mutation Logout { logout { errors { message } } }";

/**
 * How long before its end a token is renewed, in milliseconds; halfway, if it lives for less than twice this. One of
 * somebody else's is asked for that often.
 */
const AHEAD = 60_000;

/** How long an answer about tokens may take, in milliseconds. */
const PATIENCE = 20_000;

/** Errors of a login or a refresh after which it is tried again. */
const PASSING = ["RATE_LIMITED", "UNAVAILABLE", "INTERNAL"];

/**
 * How a session begins: with a password, with the one that is in the storage, with a refresh token from elsewhere, or with
 * the cookie of an earlier login. `cookie` keeps the refresh token in an HttpOnly cookie, for pages of the server itself.
 * `token` is for access tokens that somebody else renews: it is asked once a minute, and when one was refused; it may throw
 * SessionEnded, and after other errors it is asked again.
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

interface Tokens {
  accessToken: string;
  refreshToken: string | null;
  /** By this machine's clock, in milliseconds since 1970: when to renew the access token. */
  renewAt: number;
}

interface Payload {
  accessToken: string | null;
  expiresAt: string | null;
  refreshToken: string | null;
  viewer?: { accountId: string } | null;
  errors: { message: string }[];
}

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
  readonly #storage: TokenStorage | undefined;
  /** In the storage. */
  readonly #key: string;
  readonly #given: (() => string | Promise<string>) | undefined;
  #tokens!: Promise<Tokens>;
  /** Whose session it is. */
  #account: string | undefined;
  /** Those who want to know when the server was asked for tokens in vain. */
  readonly #impatient = new Set<(failure: unknown) => void>();
  /** Whether memberstaff has answered, and not only what stands at its address or before it. */
  #isMet = false;

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
    if ("email" in credentials) this.#expect(this.#ask(LOGIN, () => credentials));
    else this.#expect(this.#refresh(refreshToken, "stored" in credentials));
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
      let token = await this.token();
      let answer = await this.#send(LOGOUT, undefined, token);
      if (hasCode(answer.errors, "UNAUTHENTICATED")) {
        await this.refused(token);
        token = await this.token();
        answer = await this.#send(LOGOUT, undefined, token);
      }
      if (!answer.data?.logout) throw new OperationFailed(answer.errors ?? []);
    } catch (error) {
      if (error instanceof SessionEnded) return; // it was over, and what is stored may be somebody else's
      throw error;
    }
    await this.#end(new SessionEnded("You have logged out."));
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
        return { accessToken: await given(), refreshToken: null, renewAt: Date.now() + AHEAD };
      } catch (failure) {
        if (failure instanceof SessionEnded) throw failure;
        await this.#pause(failures, failure);
      }
    }
  }

  #expect(tokens: Promise<Tokens>): void {
    this.#tokens = tokens;
    tokens.catch(() => {}); // whoever awaits the token is told
  }

  /** Ask until there is an answer: one that is lost is asked for again, with the same refresh token. */
  async #ask(query: string, input: () => object): Promise<Tokens> {
    for (let failures = 0; ; failures += 1) {
      let failure: unknown;
      const tokens = await this.#alone(async () => {
        const variables = { input: await input() };
        const answer = await this.#send(query, variables).catch((error: unknown) => void (failure = error));
        if (answer) failure = new OperationFailed(answer.errors ?? []);
        return this.#answered(query, answer, failure);
      });
      if (tokens) return tokens;
      await this.#pause(failures, failure);
    }
  }

  /** One tab at a time: of two, one would show a token that the other has had replaced. */
  #alone<T>(ask: () => Promise<T>): Promise<T> {
    const { locks } = globalThis.navigator ?? {};
    return this.#storage && locks ? locks.request(this.#key, ask) : ask();
  }

  /** The tokens in an answer; null if it is to be asked for again. Throws SessionEnded. */
  async #answered(query: string, answer: Answer | void, failure: unknown): Promise<Tokens | null> {
    this.#isMet ||= Boolean(answer);
    if (!this.#isMet && failure instanceof NoAnswer && failure.status < 500 && failure.status !== 429) {
      throw new SessionEnded(`${this.address} is not the address of memberstaff. ${failure.message}`, { cause: failure });
    }
    const [payload] = Object.values(answer?.data ?? {});
    if (payload?.accessToken && payload.expiresAt) return this.#keep(payload, payload.accessToken, payload.expiresAt);
    const code = codeOf(answer?.errors);
    if (!payload && (!code || PASSING.includes(code))) return null;
    const [error] = payload?.errors ?? answer?.errors ?? [];
    const over = new SessionEnded(error?.message ?? "The login has ended.");
    if (query === REFRESH) await this.#end(over);
    throw over;
  }

  async #pause(failures: number, failure: unknown): Promise<void> {
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

  async #keep({ refreshToken, viewer }: Payload, accessToken: string, expiresAt: string): Promise<Tokens> {
    if (refreshToken) await this.#stored((storage) => storage.setItem(this.#key, refreshToken));
    this.#account ??= viewer?.accountId;
    if (viewer && viewer.accountId !== this.#account) throw new SessionEnded("Somebody else has logged in here since.");
    const lifetime = lifetimeOf(accessToken, expiresAt);
    return { accessToken, refreshToken, renewAt: Date.now() + Math.max(lifetime - AHEAD, lifetime / 2) };
  }

  async #end(over: SessionEnded): Promise<void> {
    this.#expect(Promise.reject(over));
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

interface Answer {
  data?: Record<string, Payload | null> | null;
  errors?: GraphQLErrors;
}

/**
 * Milliseconds that a token lives from now on. This machine's clock may be wrong, as on many wall displays, so what
 * counts is what the token says of itself, if it is a JWT.
 */
function lifetimeOf(token: string, expiresAt: string): number {
  try {
    const claims = atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    const { iat, exp } = JSON.parse(claims) as { iat?: unknown; exp?: unknown };
    if (typeof iat === "number" && typeof exp === "number") return (exp - iat) * 1_000;
  } catch {
    // no JWT
  }
  return Date.parse(expiresAt) - Date.now();
}
