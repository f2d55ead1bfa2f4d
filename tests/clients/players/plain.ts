import { watchDay } from "@memberstaff/client/plain";
import { change, type Play, screen, telling } from "./player.ts";

/** A front end without a cache: it shows what it is told, and so follows the day from the first. */
export const plain: Play = (session, subscriptions, date, say) => {
  let stop = () => {};
  return {
    show: () =>
      new Promise((read) => {
        stop = watchDay(session, subscriptions, date, {
          ...telling(say),
          onDay(day) {
            say("board", screen(day));
            read();
          },
          onChange: (row) => say("change", change(row)),
        });
      }),
    watch() {},
    unwatch: () => stop(),
    async refetch() {
      throw new Error("It reads the day by itself.");
    },
    async mark() {
      throw new Error("Changes are made with `execute`.");
    },
  };
};
