import type { BoardQuery, WatchSubscription } from "../examples/gql/graphql.ts";
import * as events from "../examples/graphql-sse.ts";
import * as socket from "../examples/graphql-ws.ts";
import type { Session } from "../examples/session.ts";
import { type Play, change, screen } from "./player.ts";

type Following = AsyncGenerator<BoardQuery | WatchSubscription>;

export const graphqlWs = plain((session, date) => socket.watchDay(socket.connect(session), date));
export const graphqlSse = plain((session, date) => events.watchDay(events.connect(session), session, date));

/** A client without a cache: it shows what it is sent. */
function plain(follow: (session: Session, date: string) => Following): Play {
  return (session, date, say) => {
    const following = follow(session, date);
    const hear = async () => {
      const { value } = await following.next();
      if ("attendanceDay" in value) say("board", screen(value.attendanceDay!));
      else say("change", change(value.attendanceUpdated));
    };
    return {
      show: hear,
      async watch() {
        for (;;) await hear();
      },
      async mark() {
        throw new Error("Changes are made with whatever sends HTTP requests.");
      },
    };
  };
}
