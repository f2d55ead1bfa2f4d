import { watchDay } from "@memberstaff/client/apollo";
import { createApollo } from "../examples/apollo.ts";
import { Board, Mark, Watch } from "../examples/documents.ts";
import { type Play, shown, telling } from "./player.ts";

/** With documents of its own. */
export const apollo: Play = (session, subscriptions, date, say) => {
  const client = createApollo(session, subscriptions);
  let stop = () => {};
  return {
    async show() {
      const show = shown(say);
      await client.query({ query: Board, variables: { date } });
      client.watchQuery({ query: Board, variables: { date } }).subscribe(({ data, dataState }) => {
        if (dataState === "complete" && data.attendanceDay) show(data.attendanceDay);
      });
    },
    watch() {
      stop = watchDay(client, date, telling(say), { board: Board, changes: Watch });
    },
    unwatch: () => stop(),
    async refetch() {
      await client.query({ query: Board, variables: { date }, fetchPolicy: "network-only" });
    },
    async mark({ input }) {
      const { data } = await client.mutate({ mutation: Mark, variables: { input } });
      say("marked", data!.updateAttendance!.errors);
    },
  };
};
