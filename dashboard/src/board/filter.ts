import type { Attendance } from "../live/day";
import { type Status, STATUSES } from "../live/statuses";

/** The board's filter, stored in the query string. */
export interface Filter {
  search: string;
  /** "" for all. */
  category: string;
  /** Empty for all. */
  statuses: ReadonlySet<Status>;
}

export function filterOf(parameters: URLSearchParams): Filter {
  const named = (parameters.get("status") ?? "").split(",");
  return {
    search: parameters.get("q") ?? "",
    category: parameters.get("category") ?? "",
    statuses: new Set(STATUSES.map(({ status }) => status).filter((status) => named.includes(status))),
  };
}

/** The `status` parameter after one status is toggled. */
export function toggled(statuses: ReadonlySet<Status>, status: Status): string {
  return STATUSES.map((info) => info.status)
    .filter((each) => statuses.has(each) !== (each === status))
    .join(",");
}

/** The people of a category whose name or category contains the search words, whatever their status. */
export function inScope(records: readonly Attendance[], { search, category }: Filter): readonly Attendance[] {
  const words = plain(search).split(/\s+/).filter(Boolean);
  if (words.length === 0 && category === "") return records;
  return records.filter((record) => {
    if (category !== "" && record.staffCategory !== category) return false;
    const text = plain(`${record.staffName} ${record.staffCategory}`);
    return words.every((word) => text.includes(word));
  });
}

export function withStatus(records: readonly Attendance[], statuses: ReadonlySet<Status>): readonly Attendance[] {
  return statuses.size === 0 ? records : records.filter(({ status }) => statuses.has(status));
}

export function categoriesOf(records: readonly Attendance[]): string[] {
  return [...new Set(records.map(({ staffCategory }) => staffCategory))].sort((a, b) => a.localeCompare(b));
}

/** Lower case, without accents. */
function plain(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
