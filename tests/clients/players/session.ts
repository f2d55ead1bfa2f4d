/**
 * Runs sessions. Says what happens to them as lines of JSON, and does what it is told to by lines on its standard input:
 * node session.ts ADDRESS [without-locks]
 */
import { createInterface } from "node:readline";
import { codeOf, Session, type Credentials, type Viewer } from "@memberstaff/client";

const [address, ...options] = process.argv.slice(2) as [string, ...string[]];
// As on a page without TLS.
if (options.length > 0) Object.defineProperty(globalThis.navigator, "locks", { value: undefined });
const say = (what: string, value: unknown) => console.log(JSON.stringify(["session", what, value]));
let session: Session;
let tabs: Session[];
const values = new Map<string, string>();
/** That of a browser, which tabs share. */
const storage = {
  getItem: async (key: string) => values.get(key) ?? null,
  async setItem(key: string, value: string) {
    values.set(key, value);
    say("stored", value);
  },
  async removeItem(key: string) {
    values.delete(key);
    say("stored", null);
  },
};

/** As a browser's, which its tabs share: `fetch` of Node keeps no cookies. */
const cookies = new Map<string, string>();
const withCookies: typeof fetch = async (input, init) => {
  const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
  const response = await fetch(input, { ...init, headers: { ...(init?.headers as Record<string, string>), cookie } });
  for (const [, name, value] of response.headers.getSetCookie().map((each) => /^([^=]+)=([^;]*)/.exec(each)!)) {
    cookies.set(name!, value!);
  }
  return response;
};

/** Say what a session tells of itself. */
function telling(told: Session, name: string): Session {
  const tell = ({ status, ...rest }: Session["state"]) =>
    say(name, [status, (rest as { viewer?: Viewer }).viewer?.displayName ?? (rest as { reason?: Error }).reason?.message ?? null]);
  tell(told.state);
  told.subscribe(() => tell(told.state));
  return told;
}

const does = {
  async begin({ credentials }: { credentials: Credentials }) {
    session = telling(new Session(address, credentials, { storage }), "state");
    await does.token();
  },
  /** Two tabs of the server's own page, where nobody is logged in. */
  async visit() {
    tabs = ["one", "two"].map((name) => telling(new Session(address, { cookie: true }, { fetch: withCookies }), name));
    [session] = tabs as [Session];
    await Promise.allSettled(tabs.map((tab) => tab.token()));
  },
  login: ({ email, password }: { email: string; password: string }) => answered(session.login(email, password)),
  change: ({ from, to }: { from: string; to: string }) => answered(session.changePassword(from, to)),
  /** Other tabs go on with the stored session. */
  async open() {
    tabs = [session, ...[1, 2, 3].map(() => new Session(address, { stored: true }, { storage }))];
    await Promise.all(tabs.map((tab) => tab.token()));
  },
  /** Somebody else logs in, in another tab; then every tab renews its token. */
  async replace({ credentials }: { credentials: Credentials }) {
    const other = new Session(address, credentials, { storage });
    const first = session;
    await other.token();
    for (session of [first, other, other]) {
      await session.refused(await session.token());
      await does.token();
    }
  },
  /** All tabs renew their tokens, at once. */
  async renew() {
    await Promise.all(tabs.map(async (tab) => tab.refused(await tab.token())));
    say("tabs", (await Promise.all(tabs.map((tab) => tab.token()))).length);
  },
  async token() {
    try {
      await session.token();
      say("in", true);
    } catch (error) {
      const { name, message } = error as Error;
      say("over", [name, message]);
    }
  },
  /** Several requests hear at once that the token is no good. */
  async refused() {
    const token = await session.token();
    await Promise.all([1, 2, 3].map(() => session.refused(token)));
    await does.token();
  },
  logout: () => session.logout(),
};

async function answered(done: Promise<void>): Promise<void> {
  await done.then(
    () => say("answer", null),
    (error: Error) => say("answer", [codeOf(error) ?? error.name, error.message]),
  );
}

process.stdin.on("end", () => process.exit(0));
for await (const line of createInterface(process.stdin)) {
  const { command, ...values } = JSON.parse(line) as { command: keyof typeof does };
  await does[command](values as never);
  say("done", command);
}
