/** A calendar day, YYYY-MM-DD. It has no time and no zone. */
export type Day = string;

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Whether a string is a valid calendar date. */
export function isDay(text: string): boolean {
  const parsed = Date.parse(`${text}T00:00Z`);
  return DAY.test(text) && !Number.isNaN(parsed) && new Date(parsed).toISOString().startsWith(text);
}

/** The day that many days later, or earlier. */
export function plusDays(day: Day, days: number): Day {
  const moved = new Date(`${day}T00:00Z`);
  moved.setUTCDate(moved.getUTCDate() + days);
  return moved.toISOString().slice(0, 10);
}

/** Such as "Monday 23 November"; with the year when it is not this one. */
export function longDay(day: Day, today: Day): string {
  const year = day.slice(0, 4) === today.slice(0, 4) ? {} : { year: "numeric" as const };
  return show(day, { weekday: "long", day: "numeric", month: "long", ...year });
}

/** Such as "23 Nov". */
export function shortDay(day: Day): string {
  return show(day, { day: "numeric", month: "short" });
}

/** Such as "Mon". */
export function weekday(day: Day): string {
  return show(day, { weekday: "short" });
}

/** The time of an instant in a zone, such as "08:41". */
export function timeOf(instant: string | number | Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit" }).format(new Date(instant));
}

/** Day and time of an instant in a zone, such as "23 Nov 2026, 08:41". */
export function momentOf(instant: string, timeZone: string): string {
  const form = { timeZone, day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" } as const;
  return new Intl.DateTimeFormat("en-GB", form).format(new Date(instant));
}

function show(day: Day, form: Intl.DateTimeFormatOptions): string {
  const shown = new Intl.DateTimeFormat("en-GB", { ...form, timeZone: "UTC" }).format(new Date(`${day}T00:00Z`));
  return shown.replace(",", ""); // which some browsers put after the weekday
}
