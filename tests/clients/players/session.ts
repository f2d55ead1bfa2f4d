/**
 * Runs sessions. Says what happens to them as lines of JSON, and does what it is told to by lines on its standard input:
 * node session.ts ADDRESS
 */
import { createInterface } from "node:readline";
import { Session, type Credentials } from "@memberstaff/client";

const [address] = process.argv.slice(2) as [string];
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

const does = {
  async begin({ credentials }: { credentials: Credentials }) {
    session = new Session(address, credentials, { storage });
    await does.token();
  },
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

process.stdin.on("end", () => process.exit(0));
for await (const line of createInterface(process.stdin)) {
  const { command, ...values } = JSON.parse(line) as { command: keyof typeof does };
  await does[command](values as never);
  say("done", command);
}
