import { createApollo, watchDay } from "../examples/apollo.ts";
import { Board, Mark } from "../examples/documents.ts";
import { type Play, change, screen } from "./player.ts";

export const apollo =
  (subscriptions: "websocket" | "multipart"): Play =>
  (session, date, say) => {
    const client = createApollo(session, subscriptions);
    return {
      async show() {
        await client.query({ query: Board, variables: { date } });
        client.watchQuery({ query: Board, variables: { date } }).subscribe(({ data, dataState }) => {
          if (dataState === "complete" && data.attendanceDay) say("board", screen(data.attendanceDay));
        });
      },
      watch: () => watchDay(client, date, (row) => say("change", change(row))),
      async mark({ input }) {
        const { data } = await client.mutate({ mutation: Mark, variables: { input } });
        say("marked", data!.updateAttendance!.errors);
      },
    };
  };
