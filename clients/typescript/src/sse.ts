/** Subscriptions as server-sent events, where WebSockets do not get through. Each has a connection of its own. */
import { hasCode, retryAfter, SessionEnded, tell } from "./errors.ts";
import type { Session } from "./session.ts";
import { resultOf, type Request, type Result, type Sink, type Subscriptions } from "./transport.ts";
import { wait } from "./waiting.ts";

/** Milliseconds without a byte after which a stream is given up; the server sends some every fifteen seconds. */
const SILENCE = 40_000;

/** A browser opens six connections to a server without HTTP/2, so six subscriptions leave none for a query. */
export function connect(session: Session): Subscriptions {
  return {
    subscribe(request, sink) {
      const over = new AbortController();
      void follow(session, request, sink, over.signal);
      return () => over.abort();
    },
  };
}

/** One subscription, over as many connections as it takes. */
async function follow(session: Session, request: Request, sink: Sink, over: AbortSignal): Promise<void> {
  let cursor: string | undefined; // the id of the last event
  for (let failures = 0; !over.aborted; failures += 1) {
    let pause = 0;
    try {
      const token = await session.token();
      for await (const event of stream(session, request, token, cursor, over)) {
        if (over.aborted) return;
        if (event.type === "complete") return sink.complete();
        if (event.id) cursor = event.id;
        if (event.type !== "next") continue;
        const { result } = event;
        if (hasCode(result.errors, "UNAUTHENTICATED")) {
          await session.refused(token);
          break;
        }
        if (result.data) failures = 0;
        tell(() => sink.next(result));
      }
    } catch (error) {
      if (over.aborted) return;
      if (error instanceof SessionEnded) return sink.error(error);
      pause = error instanceof Busy ? error.seconds : retryAfter(error);
    }
    await wait(failures, pause, over);
  }
}

interface Event {
  type: string;
  id: string;
  result: Result;
}

/** The server has no room for the stream now. */
class Busy extends Error {
  constructor(readonly seconds: number) {
    super();
  }
}

/** The events of one connection. Throws when it is refused for now or breaks off. */
async function* stream(
  session: Session,
  request: Request,
  token: string,
  cursor: string | undefined,
  over: AbortSignal,
): AsyncGenerator<Event> {
  const silent = new AbortController();
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(silence);
    silence = setTimeout(() => silent.abort(), SILENCE);
  };
  try {
    heard();
    const response = await session.fetch(session.url, {
      method: "POST",
      headers: {
        accept: "text/event-stream",
        "content-type": "application/json",
        authorization: `Bearer ${token}`,
        ...(cursor && { "last-event-id": cursor }),
      },
      body: JSON.stringify(request),
      signal: AbortSignal.any([over, silent.signal]),
    });
    const complete = { type: "complete", id: "", result: {} };
    if (response.status === 204) return yield complete;
    if (response.status === 429 || response.status >= 500) {
      throw new Busy(retryAfter((await resultOf(response)).errors));
    }
    if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
      yield { type: "next", id: "", result: await resultOf(response) };
      return yield complete;
    }
    yield* eventsIn(response.body, heard);
  } finally {
    clearTimeout(silence);
    silent.abort(); // whoever breaks off no longer reads
  }
}

/** The events in a stream's bytes, as the standard of server-sent events has them. */
async function* eventsIn(body: ReadableStream<Uint8Array>, heard: () => void): AsyncGenerator<Event> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let [type, id, data] = ["", "", ""];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines.map((each) => each.replace(/\r$/, ""))) {
      const [, name, text = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
      if (name === "event") type = text;
      else if (name === "id") id = text;
      else if (name === "data") data += (data && "\n") + text;
      else if (line === "" && (type || id || data)) {
        yield { type, id, result: data ? (JSON.parse(data) as Result) : {} };
        [type, id, data] = ["", "", ""];
      }
    }
  }
}
