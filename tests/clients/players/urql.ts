import { pipe, subscribe } from "wonka";
import { Board, Mark } from "../examples/documents.ts";
import { createUrql, watchDay } from "../examples/urql.ts";
import { type Play, change, screen } from "./player.ts";

export const urql =
  (subscriptions: "websocket" | "events"): Play =>
  (session, date, say) => {
    const client = createUrql(session, subscriptions);
    return {
      async show() {
        const board = client.query(Board, { date });
        await board.toPromise();
        let shown = "";
        pipe(
          board,
          subscribe(({ data, error }) => {
            if (error) throw error;
            if (!data?.attendanceDay) return;
            const seen = screen(data.attendanceDay);
            if (JSON.stringify(seen) !== shown) say("board", seen); // urql tells the same again to whoever asks anew
            shown = JSON.stringify(seen);
          }),
        );
      },
      watch: () => watchDay(client, date, (row) => say("change", change(row))),
      async mark({ input }) {
        const { data } = await client.mutation(Mark, { input }).toPromise();
        say("marked", data!.updateAttendance!.errors);
      },
    };
  };
