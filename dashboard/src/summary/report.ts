import type { ReportQuery } from "../gql/graphql";
import { STATUSES } from "../live/statuses";

export type Category = NonNullable<ReportQuery["attendanceReport"]>["categories"][number];
export type ReportDay = Category["days"][number];

const COUNTED = [...STATUSES.map(({ count }) => count), "total"] as const;

/** The sum of all categories. */
export function everybody(categories: readonly Category[]): Category {
  const days = (categories[0]?.days ?? []).map((day, index) => {
    const sum = { ...day };
    for (const name of COUNTED) sum[name] = categories.reduce((total, { days }) => total + (days[index]?.[name] ?? 0), 0);
    return { ...sum, presentRate: rateOf([sum]) };
  });
  return { category: "Everybody", days };
}

/** Working days, and others on which somebody was marked. */
export function worthShowing(days: readonly ReportDay[]): ReportDay[] {
  return days.filter(({ isWorkingDay, total, unmarked }) => isWorkingDay || total > unmarked);
}

/** The share at work (a half day counts as half) of those marked and not on leave; null if there are none. */
export function rateOf(days: readonly ReportDay[]): number | null {
  let expected = 0;
  let there = 0;
  for (const day of days) {
    expected += day.total - day.unmarked - day.onLeave;
    there += day.present + day.late + day.remote + day.halfDay / 2;
  }
  return expected > 0 ? there / expected : null;
}

export function percent(rate: number | null): string {
  return rate === null ? "–" : `${Math.round(rate * 100)}%`;
}
