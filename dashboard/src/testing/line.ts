import { batched, Session, SessionEnded } from "@memberstaff/client";
import { connect } from "@memberstaff/client/ws";
import { print } from "graphql";
import { vi } from "vitest";

import { AttendanceUpdated } from "../live/operations";
import { settle, startClock, stopClock, until } from "./clock";
import { House, TODAY } from "./house";
import { Sockets } from "./sockets";

const open: Sockets[] = [];

/** The clock stands still, and each wait is the longest possible. */
export function setUp(): void {
  stopClock();
  vi.spyOn(Math, "random").mockReturnValue(1);
}

export async function tearDown(): Promise<void> {
  for (const server of open.splice(0)) server.close();
  await settle(); // or the timers of what closes would count in the next test
  startClock();
}

export interface Following {
  events: string[];
  ends: string[];
  stop: () => void;
}

/** A browser's socket to a house behind real WebSockets, with a login whose tokens are T1, T2 and so on. */
export async function line() {
  const house = new House("Ada", "Ben", "Cleo");
  const server = await new Sockets(house).open();
  open.push(server);
  const login = { serial: 1, over: false, unreachable: false };
  const session = new Session(`http://${server.address}`, {
    token: () => {
      if (login.over) throw new SessionEnded("It is over.");
      if (login.unreachable) throw new Error("It cannot be reached.");
      return `T${login.serial}`;
    },
  });
  const told: string[] = [];
  const connection = connect(session, { onState: (state) => told.push(state) });
  const subscriptions = batched(connection);
  const follow = (document = AttendanceUpdated as unknown as Parameters<typeof print>[0]): Following => {
    const events: string[] = [];
    const ends: string[] = [];
    const stop = subscriptions.subscribe(
      { query: print(document), variables: { date: TODAY } },
      {
        next: ({ data, errors }) => {
          const change = (data as { attendanceUpdated?: { staffName: string; status: string } } | undefined)?.attendanceUpdated;
          if (errors) ends.push("refused");
          else events.push(change ? `${change.staffName} ${change.status}` : "the day");
        },
        error: ({ name }) => ends.push(name),
        complete: () => ends.push("complete"),
      },
    );
    return { events, ends, stop };
  };
  /** A subscription to the changes that the server has begun to serve. */
  const followed = async (): Promise<Following> => {
    const before = house.listeners;
    const it = follow();
    await until(() => house.listeners > before && told.at(-1) === "connected");
    return it;
  };
  const count = (event: string) => told.filter((each) => each === event).length;
  return { house, server, login, connection, told, count, follow, followed };
}
