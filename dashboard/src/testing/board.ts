import { LiveDay } from "../live/day";
import { settle, until } from "./clock";
import { House, refusal, TODAY } from "./house";
import { Network } from "./network";

export const RESTART = refusal("RESTART_REQUIRED", "The cursor cannot be resumed from. Start again.");

/** A board of a house, not yet open. */
export function board(...names: string[]) {
  const house = new House(...(names.length > 0 ? names : ["Ada", "Ben", "Cleo"]));
  const network = new Network(house);
  const api = network.api();
  return { house, network, api, ...watch(api) };
}

/** A day in that browser, with what it tells: each event, and each change of the connection. */
export function watch(api: ReturnType<Network["api"]>, date = TODAY) {
  const day = new LiveDay(api, date);
  const events: string[] = [];
  const connection: string[] = [];
  day.onChange = ({ staffName, status, version }) => events.push(`${staffName} ${status} v${version}`);
  day.onConnection = (event) => connection.push(event);
  const shown = () => day.board.get().records.map(({ staffName, status }) => `${staffName} ${status}`);
  return { day, events, connection, shown };
}

export async function opened(...names: string[]) {
  const it = board(...names);
  it.day.open();
  await until(() => it.connection.includes("current") && it.network.following.size === 2);
  await settle();
  return it;
}

/** Where the last subscription to the changes began. */
export function cursorOf({ sent }: Network): unknown {
  return sent.findLast(({ operationName }) => operationName === "AttendanceUpdated")?.variables.after;
}
