import { type SubmitEvent, useState } from "react";

import { useApp, useToday } from "../app/context";
import { refusalOf } from "../api/client";
import type { Attendance, DayState } from "../live/day";
import { type Day, longDay, momentOf } from "../live/dates";
import { MARKS } from "../live/statuses";
import { Dialog } from "../ui/Dialog";
import { Pill } from "../ui/Pill";
import { complain, say } from "../ui/toasts";
import type { Conflict, Marker } from "./marking";
import { people } from "./marking";
import { DescribeDay, SetDayState } from "./operations";

const LONGEST_NOTE = 2_000;

export function NoteDialog({ record, marker, onClose }: { record: Attendance; marker: Marker; onClose: () => void }) {
  const [note, setNote] = useState(record.note ?? "");
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    onClose();
    const after = note.trim() || null;
    if (after !== (record.note ?? null)) void marker.mark(record, { note: after });
  };
  return (
    <Dialog title={`Note for ${record.staffName}`} onClose={onClose}>
      <form onSubmit={save}>
        <label className="field">
          <span>Note</span>
          <textarea
            className="input"
            value={note}
            maxLength={LONGEST_NOTE}
            data-focus
            onChange={({ target }) => setNote(target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit();
            }}
          />
          <small>Only administrators and markers can see notes.</small>
        </label>
        <div className="actions">
          <button type="button" className="button quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary">
            Save note
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function ConflictDialog({ conflict, marker }: { conflict: Conflict; marker: Marker }) {
  const { viewer } = useApp();
  const { current, wanted } = conflict;
  return (
    <Dialog title={`Somebody else has changed ${current.staffName}`} onClose={() => marker.resolve(false)}>
      <div className="versus">
        <div>
          <h3>Theirs</h3>
          <Pill status={current.status} />
          {current.note && <p>{current.note}</p>}
          <p className="by">
            {current.updatedBy ?? "Import"}
            {current.updatedAt && `, ${momentOf(current.updatedAt, viewer.timeZone)}`}
          </p>
        </div>
        <div>
          <h3>Yours</h3>
          <Pill status={wanted.status ?? current.status} />
          {"note" in wanted && <p>{wanted.note ?? "No note"}</p>}
        </div>
      </div>
      <div className="actions">
        <button type="button" className="button outline" data-focus onClick={() => marker.resolve(false)}>
          Keep theirs
        </button>
        <button type="button" className="button primary" onClick={() => marker.resolve(true)}>
          Use mine
        </button>
      </div>
    </Dialog>
  );
}

interface FillProps {
  date: Day;
  unmarked: number;
  category: string;
  marker: Marker;
  onClose: () => void;
}

export function FillDialog({ date, unmarked, category, marker, onClose }: FillProps) {
  const today = useToday();
  return (
    <Dialog title={`Mark ${people(unmarked)} present?`} onClose={onClose}>
      <p>
        Everybody {category === "" ? "" : `in ${category} `}who is still unmarked on {longDay(date, today)} will be
        marked <Pill status="PRESENT" />. Existing marks are not changed. You can undo this.
      </p>
      <div className="actions">
        <button type="button" className="button quiet" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          className="button primary"
          data-focus
          onClick={() => {
            onClose();
            void marker.fill(date, "PRESENT", category === "" ? null : [category]);
          }}
        >
          Mark present
        </button>
      </div>
    </Dialog>
  );
}

export function DayDialog({ day, onClose }: { day: DayState; onClose: () => void }) {
  const { api } = useApp();
  const today = useToday();
  const [label, setLabel] = useState(day.label ?? "");
  const [working, setWorking] = useState(day.isWorkingDay);
  const [reason, setReason] = useState("");
  const locked = day.state === "LOCKED";

  const describe = async (event: SubmitEvent) => {
    event.preventDefault();
    const input = { date: day.date, label: label.trim() || null, isWorkingDay: working };
    const { data, error } = await api.client.mutation(DescribeDay, { input }).toPromise();
    const refused = refusalOf(data?.updateAttendanceDay, error);
    if (refused !== undefined) complain(refused);
    else {
      say("Saved.");
      onClose();
    }
  };
  const lock = async () => {
    if (await setLock(api, day.date, !locked, reason.trim() || null)) onClose();
  };
  return (
    <Dialog title={longDay(day.date, today)} onClose={onClose}>
      <form onSubmit={(event) => void describe(event)}>
        <label className="field">
          <span>Label</span>
          <input
            className="input"
            value={label}
            maxLength={100}
            placeholder="Sports day"
            onChange={({ target }) => setLabel(target.value)}
          />
        </label>
        <label className="check">
          <input type="checkbox" checked={working} onChange={({ target }) => setWorking(target.checked)} />
          Working day (people are expected)
        </label>
        <div className="actions">
          <button type="submit" className="button primary">
            Save
          </button>
        </div>
      </form>
      <hr />
      <label className="field">
        <span>Reason for {locked ? "unlocking" : "locking"} (optional)</span>
        <input className="input" value={reason} maxLength={200} onChange={({ target }) => setReason(target.value)} />
        <small>Attendance on a locked day cannot be changed. The reason is kept in the audit trail.</small>
      </label>
      <div className="actions">
        <button type="button" className="button outline" onClick={() => void lock()}>
          {locked ? "Unlock this day" : "Lock this day"}
        </button>
      </div>
    </Dialog>
  );
}

/** Lock or unlock a day; returns whether it succeeded. */
export async function setLock(
  api: ReturnType<typeof useApp>["api"],
  date: Day,
  locked: boolean,
  reason: string | null,
): Promise<boolean> {
  const input = { date, state: locked ? ("LOCKED" as const) : ("OPEN" as const), reason };
  const { data, error } = await api.client.mutation(SetDayState, { input }).toPromise();
  const refused = refusalOf(data?.setAttendanceDayState, error);
  if (refused !== undefined) complain(refused);
  else say(locked ? "Day locked." : "Day unlocked.");
  return refused === undefined;
}

export function HelpDialog({ marks, onClose }: { marks: boolean; onClose: () => void }) {
  const keys: [string, string][] = [
    ["↑ ↓", "previous or next person"],
    ["Page ↑ ↓", "10 people up or down"],
    ["Home, End", "first or last person"],
    ...(marks
      ? [
          ...MARKS.map(({ key, label }): [string, string] => [key, `mark ${label.toLowerCase()}`]),
          ["0", "unmark"] as [string, string],
          ["N", "edit the note"] as [string, string],
          ["Ctrl or ⌘ Z", "undo"] as [string, string],
        ]
      : []),
    ["H", "show the history"],
    ["/", "search"],
    ["?", "show keyboard shortcuts"],
  ];
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
