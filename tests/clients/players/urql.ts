import { pipe, subscribe } from "wonka";
import { Board, Mark, Watch } from "../examples/documents.ts";
import { createUrql } from "../examples/urql.ts";
import { type Play, change, screen } from "./player.ts";

export const urql =
  (subscriptions: "websocket" | "events"): Play =>
  (session, date, say) => {
    const client = createUrql(session, subscriptions);
    let after = "";
    return {
      async show() {
        const board = client.query(Board, { date });
        after = (await board.toPromise()).data!.attendanceDay!.records.feedCursor;
        pipe(
          board,
          subscribe(({ data, error }) => {
            if (error) throw error;
            if (data?.attendanceDay) say("board", screen(data.attendanceDay));
          }),
        );
      },
      watch() {
        pipe(
          client.subscription(Watch, { date, after }),
          subscribe(({ data, error }) => {
            if (error) throw error;
            say("change", change(data!.attendanceUpdated));
          }),
        );
      },
      async mark({ input }) {
        const { data } = await client.mutation(Mark, { input }).toPromise();
        say("marked", data!.updateAttendance.errors);
      },
    };
  };
