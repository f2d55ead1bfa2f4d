import { type Counts, type Status, STATUSES } from "../live/statuses";
import { StatusIcon } from "../ui/Icon";

interface Props {
  counts: Counts;
  chosen: ReadonlySet<Status>;
  toggle: (status: Status) => void;
}

/** The number of people with each status; a press filters by it. */
export function Chips({ counts, chosen, toggle }: Props) {
  return (
    <div className="chips" role="group" aria-label="Filter by status">
      {STATUSES.map(({ status, label }) => (
        <button
          key={status}
          type="button"
          className="chip"
          data-status={status}
          aria-pressed={chosen.has(status)}
          onClick={() => toggle(status)}
        >
          <span className="dot">
            <StatusIcon status={status} size={14} />
          </span>
          <span className="label">{label}</span>
          <span className="count numbers">{counts[status]}</span>
        </button>
      ))}
    </div>
  );
}
