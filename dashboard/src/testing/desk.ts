import { Marker } from "../board/marking";
import { type Attendance, LiveDay } from "../live/day";
import { toasts } from "../ui/toasts";
import { settle, until } from "./clock";
import { House, TODAY } from "./house";
import { Network } from "./network";

/** A board in a browser, live, with its marker; Grace marks there. */
export async function desk(...names: string[]) {
  const house = new House(...(names.length > 0 ? names : ["Ada", "Ben", "Cleo"]));
  const network = new Network(house);
  const api = network.api();
  const day = new LiveDay(api, TODAY);
  const marker = new Marker(api);
  const news: string[] = [];
  day.onChange = (record) => {
    if (!marker.isOurs(record)) news.push(`${record.staffName} ${record.status}`);
  };
  day.open();
  await until(() => day.board.get().complete && network.following.size === 2);
  await settle();
  const row = (name: string): Attendance => {
    const record = day.board.get().records.find(({ staffName }) => staffName === name);
    if (!record) throw new Error(`${name} is not on the board.`);
    return record;
  };
  const shown = (name: string) => `${row(name).status} v${row(name).version}`;
  return { house, network, marker, news, row, shown };
}

export function said(): string[] {
  return toasts.get().map(({ text }) => text);
}
