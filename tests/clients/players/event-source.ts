import { execute, hasCode } from "@memberstaff/client";
import { EventSource } from "eventsource";
import { print } from "graphql";
import { Board, Watch } from "../examples/documents.ts";
import type { BoardQuery, WatchSubscription } from "../examples/gql/graphql.ts";
import { type Play, change, screen } from "./player.ts";

interface Result<Data> {
  data?: Data | null;
  errors?: { extensions?: unknown }[];
}

/** Whatever sends HTTP requests, and an EventSource, which comes back by itself with the last event's id. */
export const eventSource: Play = (session, _, date, say) => {
  let after = "";
  let events: EventSource;
  return {
    async show() {
      const { data } = await execute(session, { query: print(Board), variables: { date } });
      const day = (data as BoardQuery).attendanceDay!;
      after = day.records.feedCursor;
      say("board", screen(day));
    },
    watch() {
      const parameters = new URLSearchParams({ query: print(Watch), variables: JSON.stringify({ date, after }) });
      let token = "";
      events = new EventSource(`${session.url}?${parameters}`, {
        async fetch(address, options) {
          token = await session.token();
          const headers = { ...options.headers, authorization: `Bearer ${token}` };
          const response = await fetch(address, { ...(options as RequestInit), headers });
          if (response.status !== 401) return response;
          await session.refused(token);
          token = await session.token();
          return fetch(address, { ...(options as RequestInit), headers: { ...headers, authorization: `Bearer ${token}` } });
        },
      });
      events.addEventListener("next", (event) => {
        const { data, errors } = JSON.parse(event.data) as Result<WatchSubscription>;
        if (hasCode(errors, "UNAUTHENTICATED")) void session.refused(token); // it comes back with another one
        if (data) say("change", change(data.attendanceUpdated));
      });
    },
    unwatch: () => events.close(),
    async refetch() {
      throw new Error("It shows what it is told.");
    },
    async mark() {
      throw new Error("Changes are made with `execute`.");
    },
  };
};
