import { memo, type Ref } from "react";

import type { Attendance } from "../live/day";
import { timeOf } from "../live/dates";
import { infoOf, MARKS, type Status } from "../live/statuses";
import { Avatar } from "../ui/Avatar";
import { Icon, StatusIcon } from "../ui/Icon";
import { Pill } from "../ui/Pill";

export interface RowActions {
  mark: (record: Attendance, status: Status) => void;
  note: (record: Attendance) => void;
  history: (record: Attendance) => void;
}

interface Props {
  record: Attendance;
  actions: RowActions;
  allowed: ReadonlySet<Status>;
  /** Whether the user's role may mark attendance and write notes. */
  marks: boolean;
  timeZone: string;
  /** Whether it is the row that Tab reaches. */
  current: boolean;
  /** When it was last changed by somebody else, if recently: the row then flashes. */
  changed: number | undefined;
  focus: Ref<HTMLDivElement>;
}

/** One person on the board. */
export const Row = memo(function Row(props: Props) {
  const { record, actions, allowed, marks, timeZone, current, changed, focus } = props;
  const tab = current ? 0 : -1;
  return (
    <div ref={focus} className="row" tabIndex={tab} data-id={record.id} aria-label={spoken(record)} role="group">
      {changed !== undefined && <span key={changed} className="flash" aria-hidden="true" />}
      <Avatar name={record.staffName} url={record.photoUrl ?? record.staffPhotoUrl} />
      <div className="who">
        <strong>{record.staffName}</strong>
        <span>{record.staffCategory}</span>
      </div>
      <div className="status">
        <Pill status={record.status} />
      </div>
      <div className="remark">
        {record.note && <p title={record.note}>{record.note}</p>}
        {record.updatedAt && (
          <p className="by">
            <time className="numbers" dateTime={record.updatedAt}>
              {timeOf(record.updatedAt, timeZone)}
            </time>
            {record.updatedBy && ` · ${record.updatedBy}`}
          </p>
        )}
      </div>
      {marks && (
        <div className="marks">
          {MARKS.map(({ status, label, short, key }) => {
            const chosen = record.status === status;
            return (
              <button
                key={status}
                type="button"
                className="mark"
                data-status={status}
                tabIndex={tab}
                aria-pressed={chosen}
                aria-label={chosen ? `${label}, unmark ${record.staffName}` : `${label}: ${record.staffName}`}
                title={chosen ? "Unmark (0)" : `${label} (${key})`}
                disabled={!allowed.has(chosen ? "UNMARKED" : status)}
                onClick={() => actions.mark(record, chosen ? "UNMARKED" : status)}
              >
                <StatusIcon status={status} size={18} />
                <span className="word" aria-hidden="true">
                  {short}
                </span>
              </button>
            );
          })}
        </div>
      )}
      <div className="more">
        {marks && (
          <button
            type="button"
            className="button quiet icon"
            tabIndex={tab}
            aria-label={`Note for ${record.staffName}`}
            title="Note (N)"
            disabled={allowed.size === 0}
            onClick={() => actions.note(record)}
          >
            <Icon name="note" />
          </button>
        )}
        <button
          type="button"
          className="button quiet icon"
          tabIndex={tab}
          aria-label={`History for ${record.staffName}`}
          title="History (H)"
          onClick={() => actions.history(record)}
        >
          <Icon name="history" />
        </button>
      </div>
    </div>
  );
});

function spoken(record: Attendance): string {
  const parts = [record.staffName, record.staffCategory, infoOf(record.status).label];
  if (record.note) parts.push(`note: ${record.note}`);
  return parts.join(", ");
}
