/** A login, and its access token: minutes long, renewed when the server has refused the last one. */

const LOGIN = `mutation ($input: LoginInput!) {
  login(input: $input) { accessToken refreshToken errors { message } } }`;
const REFRESH = `mutation ($input: RefreshSessionInput!) {
  refreshSession(input: $input) { accessToken refreshToken errors { message } } }`;

interface Tokens {
  accessToken: string | null;
  refreshToken: string | null;
  errors: { message: string }[];
}

/** The login is over: wrong password, logged out, disabled, or too long away. */
export class SessionEnded extends Error {}

export class Session {
  readonly address: string;
  #tokens: Promise<Tokens>;
  #refused = false;

  /** `address` is the server's, such as https://attendance.school.example */
  constructor(address: string, email: string, password: string) {
    this.address = address;
    this.#tokens = this.#ask(LOGIN, { email, password });
    this.#tokens.catch(() => undefined); // whoever awaits the token is told
  }

  /** A good access token. Waits while the server cannot be reached; throws SessionEnded. */
  async token(): Promise<string> {
    if (this.#refused) {
      this.#refused = false;
      this.#tokens = this.#tokens.then(({ refreshToken }) => this.#ask(REFRESH, { refreshToken }));
    }
    return (await this.#tokens).accessToken!;
  }

  /** The server has refused the token: the next one is another. */
  refused(): void {
    this.#refused = true;
  }

  async #ask(query: string, input: object): Promise<Tokens> {
    for (let tries = 0; ; tries += 1) {
      try {
        const response = await fetch(`${this.address}/graphql`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ query, variables: { input } }),
        });
        const { data } = (await response.json()) as { data: Record<string, Tokens | null> | null };
        const [tokens] = Object.values(data ?? {});
        if (tokens?.accessToken) return tokens;
        if (tokens) throw new SessionEnded(tokens.errors[0]?.message);
      } catch (error) {
        if (error instanceof SessionEnded) throw error;
      }
      await wait(tries);
    }
  }
}

/** Longer after each failure, up to ten seconds, and each client another time: not all shall come back at once. */
export async function wait(failures: number): Promise<void> {
  const longest = Math.min(500 * 2 ** failures, 10_000);
  await new Promise((resolve) => setTimeout(resolve, longest * (0.5 + 0.5 * Math.random())));
}

/** Whether one of an operation's errors has this `extensions.code`. */
export function hasCode(errors: readonly { extensions?: unknown }[] | undefined, code: string): boolean {
  return errors?.some(({ extensions }) => (extensions as { code?: string } | undefined)?.code === code) ?? false;
}

/** The cursor in an event's data, from which a subscription goes on. */
export function cursorIn(data: unknown): string | undefined {
  return (data as { attendanceUpdated?: { feedCursor?: string } } | null)?.attendanceUpdated?.feedCursor;
}
