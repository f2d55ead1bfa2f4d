/**
 * Runs sessions. Says what happens to them as lines of JSON, and does what it is told to by lines on its standard input:
 * node session.ts ADDRESS
 */
import { createInterface } from "node:readline";
import { Session, type Credentials } from "@memberstaff/client";

const [address] = process.argv.slice(2) as [string];
const say = (what: string, value: unknown) => console.log(JSON.stringify(["session", what, value]));
let session: Session;

const does = {
  async begin({ credentials }: { credentials: Credentials }) {
    session = new Session(address, credentials, { store: (token) => say("stored", token) });
    await does.token();
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
