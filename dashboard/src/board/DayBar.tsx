import { type Counts, STATUSES } from "../live/statuses";

/** The day in one bar: how many of its people have which status. The numbers stand beside it, in words. */
export function DayBar({ counts }: { counts: Counts }) {
  const shown = STATUSES.filter(({ status }) => counts[status] > 0);
  const text = shown.map(({ status, label }) => `${counts[status]} ${label.toLowerCase()}`).join(", ");
  return (
    <div className="daybar" role="img" aria-label={text || "Nobody on the roster"}>
      {shown.map(({ status }) => (
        <span key={status} data-status={status} style={{ flexGrow: counts[status] }} />
      ))}
    </div>
  );
}
