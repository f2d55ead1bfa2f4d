/** Says what an EventSource is told, and by which status it is stopped:   node stops.ts ADDRESS TOKEN QUERY [ID] */
import { EventSource } from "eventsource";

const [address, token, query, lastEventId] = process.argv.slice(2) as [string, string, string, string | undefined];
const say = (what: string, value: unknown) => console.log(JSON.stringify(["event-source", what, value]));

let connections = 0;
const events = new EventSource(`${address}/graphql?${new URLSearchParams({ query })}`, {
  fetch(url, options) {
    const headers: Record<string, string> = { ...options.headers, authorization: `Bearer ${token}` };
    if (lastEventId && !connections) headers["Last-Event-ID"] = lastEventId; // as if it had been here before
    connections += 1;
    return fetch(url, { ...(options as RequestInit), headers });
  },
});
events.addEventListener("next", ({ data }) => say("next", JSON.parse(data)));
events.addEventListener("complete", ({ lastEventId: id }) => say("complete", id));
events.addEventListener("error", ({ code }) => {
  if (events.readyState === EventSource.CLOSED) say("stopped", [code, connections]);
});

process.stdin.on("end", () => process.exit(0)).resume(); // its timers alone would not keep the program alive
