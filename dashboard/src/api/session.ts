import { Client, fetchExchange } from "@urql/core";

import { graphql } from "../gql";
import type { ViewerFieldsFragment } from "../gql/graphql";
import { explain } from "./client";
import { Store } from "./store";

export type Viewer = ViewerFieldsFragment;

export type SessionState =
  /** Not known yet: the session is being refreshed, or the server cannot be reached. */
  | { status: "starting"; unreachable: boolean }
  | { status: "out" }
  | { status: "in"; viewer: Viewer };

interface Access {
  token: string;
  /** Milliseconds since 1970, by this machine's clock. */
  expiresAt: number;
  viewer: Viewer;
}

const Login = graphql(`
  mutation Login($email: String!, $password: String!) {
    login(input: { email: $email, password: $password, cookie: true }) {
      accessToken
      expiresAt
      viewer {
        ...ViewerFields
      }
      errors {
        code
        message
      }
    }
  }
`);

const Refresh = graphql(`
  mutation Refresh {
    refreshSession(input: {}) {
      accessToken
      expiresAt
      viewer {
        ...ViewerFields
      }
      errors {
        code
        message
      }
    }
  }
`);

const ChangePassword = graphql(`
  mutation ChangePassword($input: ChangePasswordInput!) {
    changePassword(input: $input) {
      accessToken
      expiresAt
      errors {
        message
      }
    }
  }
`);

const Logout = graphql(`
  mutation Logout {
    logout {
      errors {
        code
      }
    }
  }
`);

/** A token is renewed this long before it expires. */
const AHEAD = 60_000;

/** Request timeout: other tabs wait for the lock meanwhile. */
const PATIENCE = 20_000;

const hurried: typeof fetch = (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(PATIENCE) });

type Message = { access: Access } | { access: null };

/** The server could not be reached; the session may still be valid. */
export class Unreachable extends Error {}

/**
 * One login, shared by all tabs of this browser.
 *
 * The refresh token lives in an HttpOnly cookie that no script can read; the access token, valid for minutes, lives in
 * memory. Whatever sets or clears the cookie runs in one tab at a time, under a Web Lock: the response to a refresh of
 * an expired session could otherwise clear the cookie that a login has just set. Tabs broadcast the result.
 */
export class Session {
  readonly state = new Store<SessionState>({ status: "starting", unreachable: false });
  /** Called with each new access token, to pass it on to an open socket. */
  onToken: ((token: string) => void) | null = null;

  #access: Access | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refreshing: Promise<string | null> | null = null;
  /** How often this session has changed, here or in another tab. */
  #changes = 0;
  #onChange: (() => void) | null = null;
  readonly #channel = new BroadcastChannel("memberstaff-session");
  // A separate client: a refresh cannot go through the auth exchange, which waits for the refresh.
  readonly #client: Client;

  constructor(url: string) {
    this.#client = new Client({ url, exchanges: [fetchExchange], preferGetMethod: false, fetch: hurried });
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#accept(data.access);
  }

  /** The access token, if it is still valid. */
  get token(): string | null {
    return this.#access !== null && this.#access.expiresAt > Date.now() ? this.#access.token : null;
  }

  /** Find out whether this browser is logged in, retrying while the server cannot be reached. */
  async start(): Promise<void> {
    for (let tries = 0; this.state.get().status === "starting"; tries++) {
      try {
        await this.refresh();
      } catch {
        this.state.set({ status: "starting", unreachable: true });
        await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** tries, 10_000)));
      }
    }
  }

  /** A valid token, refreshed if necessary; null when the login has ended. Throws Unreachable. */
  async fresh(): Promise<string | null> {
    // During a refresh, the current token has been refused or soon will be.
    return this.#refreshing ?? this.token ?? (await this.refresh());
  }

  /** Refresh the session with its cookie; null when it has ended. Throws Unreachable. */
  refresh(): Promise<string | null> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  /** Log in; returns why it was refused, or null. */
  async login(email: string, password: string): Promise<string | null> {
    return await alone(async () => {
      const result = await this.#client.mutation(Login, { email, password }).toPromise();
      if (!result.data?.login) return explain(result.error);
      const { accessToken, expiresAt, viewer, errors } = result.data.login;
      if (!accessToken || !expiresAt || !viewer) return errors[0]?.message ?? "Login failed.";
      this.#share({ token: accessToken, expiresAt: expiry(accessToken, expiresAt), viewer });
      return null;
    });
  }

  /** Change the password; returns why it was refused, or null. The login goes on in a new session. */
  async changePassword(currentPassword: string, newPassword: string): Promise<string | null> {
    await this.fresh().catch(() => undefined);
    const changing = alone(async () => {
      const state = this.state.get();
      const input = { currentPassword, newPassword };
      const { data, error } = await this.#client.mutation(ChangePassword, { input }, this.#authorized()).toPromise();
      if (!data?.changePassword) return explain(error);
      const { accessToken, expiresAt, errors } = data.changePassword;
      if (!accessToken || !expiresAt || state.status !== "in") return errors[0]?.message ?? "Log in again.";
      this.#share({ token: accessToken, expiresAt: expiry(accessToken, expiresAt), viewer: state.viewer });
      return null;
    });
    // The old token is refused before the new one is here: whoever then asks for a fresh one waits.
    this.#refreshing ??= changing.then(
      () => this.token,
      () => this.token,
    ).finally(() => (this.#refreshing = null));
    return await changing;
  }

  /** End the session here, in the other tabs and on the server. Throws Unreachable: then it has not ended. */
  async logout(): Promise<void> {
    await alone(async () => {
      const { data, error } = await this.#client.mutation(Logout, {}, this.#authorized()).toPromise();
      if (!data && error?.networkError) throw new Unreachable(error.message);
      this.#share(null);
    });
  }

  #authorized(): { fetchOptions: RequestInit } {
    const token = this.token;
    return { fetchOptions: token ? { headers: { authorization: `Bearer ${token}` } } : {} };
  }

  async #refresh(): Promise<string | null> {
    const before = this.#changes;
    return await alone(async (waited) => {
      // The tab that held the lock has just refreshed, and broadcasts the result unless it could not reach the server.
      // The message may arrive after the lock is released.
      if (this.#changes === before) await this.#change(waited ? 1_000 : 0);
      if (this.#changes !== before) return this.token;
      const result = await this.#client.mutation(Refresh, {}).toPromise();
      if (!result.data?.refreshSession) throw new Unreachable(result.error?.message);
      const { accessToken, expiresAt, viewer } = result.data.refreshSession;
      const good = accessToken && expiresAt && viewer;
      this.#share(good ? { token: accessToken, expiresAt: expiry(accessToken, expiresAt), viewer } : null);
      return accessToken ?? null;
    });
  }

  /** Wait for the session to change, for up to `most` milliseconds. */
  async #change(most: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onChange = resolve;
      setTimeout(resolve, most);
    });
    this.#onChange = null;
  }

  #share(access: Access | null): void {
    this.#channel.postMessage({ access } satisfies Message);
    this.#accept(access);
  }

  #accept(access: Access | null): void {
    this.#access = access;
    this.#changes++;
    this.#onChange?.();
    clearTimeout(this.#timer);
    if (access === null) {
      this.state.set({ status: "out" });
      return;
    }
    const wait = Math.max(access.expiresAt - Date.now() - AHEAD, (access.expiresAt - Date.now()) / 2);
    this.#timer = setTimeout(() => void this.refresh().catch(() => undefined), wait);
    this.onToken?.(access.token);
    const state = this.state.get();
    if (state.status !== "in" || !same(state.viewer, access.viewer)) {
      this.state.set({ status: "in", viewer: access.viewer });
    }
  }
}

/** Equal but for `today`, which live/today.ts follows without starting a new session. */
function same(one: Viewer, other: Viewer): boolean {
  return (Object.keys(one) as (keyof Viewer)[]).every((key) => key === "today" || one[key] === other[key]);
}

/**
 * When a token expires, by this machine's clock. The clock may be wrong, as on many wall displays, so what counts is
 * the lifetime stated in the token, if it is a JWT of the server's own.
 */
export function expiry(token: string, expiresAt: string): number {
  try {
    const claims = atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    const { iat, exp } = JSON.parse(claims) as { iat?: unknown; exp?: unknown };
    if (typeof iat === "number" && typeof exp === "number") return Date.now() + (exp - iat) * 1_000;
  } catch {
    // Not a JWT: trust the clock.
  }
  return Date.parse(expiresAt);
}

/**
 * Run `work` while no other tab changes the session; it is told whether it had to wait. Pages without TLS have no Web
 * Locks; the server tolerates the race.
 */
async function alone<T>(work: (waited: boolean) => Promise<T>): Promise<T> {
  const name = "memberstaff-session";
  // Absent outside a secure context, whatever its type says.
  const locks = navigator.locks as LockManager | undefined;
  if (!locks) return await work(false);
  const free = await locks.request(name, { ifAvailable: true }, async (lock) => lock && { result: await work(false) });
  return free ? free.result : await locks.request(name, () => work(true));
}
