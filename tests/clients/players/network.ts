/** Stands between the clients and the network: what the server answers and sends can be held back, for a while. */

interface Held {
  /** What a request contains whose answer is held back; or `events`: what comes over sockets. */
  text: string;
}

const waiting = new Map<string, (() => void)[]>();
let boards = 0;

export function hold({ text }: Held): void {
  waiting.set(text, []);
}

export function release({ text }: Held): void {
  const held = waiting.get(text) ?? [];
  waiting.delete(text);
  for (const pass of held) pass();
}

/** How often a client has asked for the board. */
export function boardsRead(): number {
  return boards;
}

const { fetch, WebSocket } = globalThis;

globalThis.fetch = async (address, options) => {
  const body = typeof options?.body === "string" ? options.body : "";
  if (body.includes("attendanceDay(date")) boards += 1;
  const response = await fetch(address, options);
  for (const [text, held] of waiting) {
    if (text !== "events" && body.includes(text)) {
      await new Promise<void>((pass) => {
        held.push(pass);
        say("held", held.length);
      });
    }
  }
  return response;
};

let sockets = 0;

globalThis.WebSocket = class extends WebSocket {
  constructor(...words: ConstructorParameters<typeof WebSocket>) {
    super(...words);
    say("sockets", (sockets += 1));
  }

  override set onmessage(listener: ((event: MessageEvent) => void) | null) {
    super.onmessage = (event) => {
      const text = event.data as string;
      const held = waiting.get("events");
      if (held && text.includes('"next"')) held.push(() => listener?.(event));
      else listener?.(event);
      if (text.includes('"pong"') && this.#renewing) say("renewal", "acknowledged");
      if (text.includes('"pong"')) this.#renewing = false;
    };
  }

  #renewing = false;

  override send(data: string): void {
    if (data.includes('"ping"') && data.includes("authorization")) this.#renewing = true;
    super.send(data);
  }
};

function say(what: string, value: unknown): void {
  console.log(JSON.stringify(["network", what, value]));
}
