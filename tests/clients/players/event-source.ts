import { EventSource } from "eventsource";
import { print } from "graphql";
import { Board, Watch } from "../examples/documents.ts";
import type { BoardQuery, WatchSubscription } from "../examples/gql/graphql.ts";
import { hasCode, type Session } from "../examples/session.ts";
import { type Play, change, screen } from "./player.ts";

interface Result<Data> {
  data?: Data | null;
  errors?: { extensions?: unknown }[];
}

/** Whatever sends HTTP requests, and an EventSource, which comes back by itself with the last event's id. */
export const eventSource: Play = (session, date, say) => {
  let after = "";
  return {
    async show() {
      const response = await ask(session, `${session.address}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query: print(Board), variables: { date } }),
      });
      const day = ((await response.json()) as Result<BoardQuery>).data!.attendanceDay!;
      after = day.records.feedCursor;
      say("board", screen(day));
    },
    watch() {
      const parameters = new URLSearchParams({ query: print(Watch), variables: JSON.stringify({ date, after }) });
      const events = new EventSource(`${session.address}/graphql?${parameters}`, {
        fetch: (address, options) => ask(session, address, options as RequestInit),
      });
      events.addEventListener("next", (event) => {
        const { data, errors } = JSON.parse(event.data) as Result<WatchSubscription>;
        if (hasCode(errors, "UNAUTHENTICATED")) session.refused(); // it comes back with another token
        if (data) say("change", change(data.attendanceUpdated));
      });
    },
    async mark() {
      throw new Error("Changes are made with whatever sends HTTP requests.");
    },
  };
};

/** Send a request with a token; once more, with another, if the server refuses it. */
async function ask(session: Session, address: string | URL, options: RequestInit): Promise<Response> {
  const send = async () => {
    const headers = { ...(options.headers as object), authorization: `Bearer ${await session.token()}` };
    return fetch(address, { ...options, headers });
  };
  const response = await send();
  if (response.status !== 401) return response;
  session.refused();
  return send();
}
