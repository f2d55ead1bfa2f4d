import { createApollo } from "../examples/apollo.ts";
import { Board, Mark, Watch } from "../examples/documents.ts";
import { type Play, change, screen } from "./player.ts";

export const apollo =
  (subscriptions: "websocket" | "multipart"): Play =>
  (session, date, say) => {
    const client = createApollo(session, subscriptions);
    let after = "";
    return {
      async show() {
        const { data } = await client.query({ query: Board, variables: { date } });
        after = data!.attendanceDay!.records.feedCursor;
        client.watchQuery({ query: Board, variables: { date } }).subscribe(({ data, dataState }) => {
          if (dataState === "complete" && data.attendanceDay) say("board", screen(data.attendanceDay));
        });
      },
      watch() {
        client.subscribe({ query: Watch, variables: { date, after } }).subscribe(({ data, error }) => {
          if (error) throw error;
          say("change", change(data!.attendanceUpdated));
        });
      },
      async mark({ input }) {
        const { data } = await client.mutate({ mutation: Mark, variables: { input } });
        say("marked", data!.updateAttendance.errors);
      },
    };
  };
