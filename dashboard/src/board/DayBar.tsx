import { type Counts, STATUSES } from "../live/statuses";

/** The statuses of a day as one stacked bar. The numbers are shown next to it. */
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
