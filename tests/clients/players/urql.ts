import { BoardDocument, MarkDocument, watchDay } from "@memberstaff/client/urql";
import { pipe, subscribe } from "wonka";
import { createUrql } from "../examples/urql.ts";
import { type Play, shown, telling } from "./player.ts";

/** With the documents of the package. */
export const urql: Play = (session, subscriptions, date, say) => {
  const client = createUrql(session, subscriptions);
  let stop = () => {};
  return {
    async show() {
      const show = shown(say);
      const board = client.query(BoardDocument, { date });
      await board.toPromise();
      pipe(
        board,
        subscribe(({ data, error }) => {
          if (error) throw error;
          if (data?.attendanceDay) show(data.attendanceDay);
        }),
      );
    },
    watch() {
      stop = watchDay(client, date, telling(say));
    },
    unwatch: () => stop(),
    async refetch() {
      await client.query(BoardDocument, { date }, { requestPolicy: "network-only" }).toPromise();
    },
    async mark({ input }) {
      const { data } = await client.mutation(MarkDocument, { input }).toPromise();
      say("marked", data!.updateAttendance!.errors);
    },
  };
};
