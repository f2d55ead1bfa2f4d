import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { useApp, useStore, useToday } from "../app/context";
import { useParameters } from "../app/router";
import type { Day } from "../live/dates";
import { countsOf } from "../live/statuses";
import { useDay } from "../live/useDay";
import { Icon } from "../ui/Icon";
import { Chips } from "./Chips";
import { DayBar } from "./DayBar";
import { DayHeader } from "./DayHeader";
import { ConflictDialog, DayDialog, FillDialog, HelpDialog, NoteDialog, setLock } from "./dialogs";
import { categoriesOf, filterOf, inScope, toggled, withStatus } from "./filter";
import { History } from "./History";
import { Marker } from "./marking";
import { People } from "./People";
import { allowed as allowedOn } from "./rights";
import type { RowActions } from "./Row";
import { useChanges } from "./useChanges";

type Open = { what: "note" | "history"; id: string } | { what: "fill" | "help" | "day" } | null;

export function BoardPage({ date }: { date: Day }) {
  const { api, viewer, mayMark, isAdmin } = useApp();
  const today = useToday();
  const marker = useMemo(() => new Marker(api), [api]);
  const { onChange, changed, spoken } = useChanges(marker);
  const { day, records, complete, problem } = useDay(date, onChange);
  const conflict = useStore(marker.conflict);
  const [parameters, setParameters] = useParameters();
  const [open, setOpen] = useState<Open>(null);
  const search = useRef<HTMLInputElement>(null);

  const filter = filterOf(parameters);
  const { category, statuses } = filter;
  const scope = inScope(records, filter);
  const shown = withStatus(scope, statuses);
  const counts = countsOf(scope);
  const allowed = useMemo(() => allowedOn(viewer.role, day, today), [viewer.role, day, today]);
  const canFill = allowed.has("PRESENT");
  const unmarked = records.filter(
    ({ status, staffCategory }) => status === "UNMARKED" && (category === "" || staffCategory === category),
  ).length;

  const close = useCallback(() => setOpen(null), []);
  const actions = useMemo<RowActions>(
    () => ({
      mark: (record, status) => {
        if (record.status !== status) void marker.mark(record, { status });
      },
      note: ({ id }) => setOpen({ what: "note", id }),
      history: ({ id }) => setOpen({ what: "history", id }),
    }),
    [marker],
  );

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, dialog");
      if (typing) return;
      if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z" && mayMark) marker.undo();
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if (event.key === "/") search.current?.focus();
      else if (event.key === "?") setOpen({ what: "help" });
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [marker, mayMark]);

  const record = open && "id" in open ? records.find(({ id }) => id === open.id) : undefined;
  return (
    <div className="board">
      <DayHeader date={date} day={day} onDescribe={() => setOpen({ what: "day" })} />
      {day?.state === "LOCKED" && (
        <div className="banner" role="status">
          <Icon name="lock" />
          <p className="grow">
            <strong>This day is locked.</strong> Attendance cannot be changed until{" "}
            {isAdmin ? "it is unlocked." : "an administrator unlocks it."}
          </p>
          {isAdmin && (
            <button type="button" className="button outline" onClick={() => void setLock(api, date, false, null)}>
              <Icon name="unlock" size={16} /> Unlock
            </button>
          )}
        </div>
      )}
      {day?.state === "OPEN" && viewer.role === "MARKER" && date !== today && (
        <div className="banner" role="status">
          <p className="grow">You can only mark attendance for today. Ask an administrator to change other days.</p>
        </div>
      )}
      {problem !== null && (
        <div className="banner error" role="alert">
          <p className="grow">{problem}</p>
        </div>
      )}
      <section className="card overview" aria-label="Overview">
        <DayBar counts={counts} />
        <Chips
          counts={counts}
          chosen={statuses}
          toggle={(status) => setParameters({ status: toggled(statuses, status) })}
        />
      </section>
      <div className="toolbar" role="search">
        <div className="find">
          <Icon name="search" size={16} />
          <input
            ref={search}
            type="search"
            className="input"
            aria-label="Search people"
            placeholder="Search people"
            value={filter.search}
            onChange={({ target }) => setParameters({ q: target.value })}
          />
        </div>
        <select
          className="input"
          aria-label="Category"
          value={category}
          onChange={({ target }) => setParameters({ category: target.value })}
        >
          <option value="">All categories</option>
          {categoriesOf(records).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        {mayMark && (
          <button
            type="button"
            className="button primary"
            disabled={!canFill || unmarked === 0}
            onClick={() => setOpen({ what: "fill" })}
          >
            <Icon name="check" size={16} />
            Mark the rest present
          </button>
        )}
        <button
          type="button"
          className="button quiet icon help"
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
          onClick={() => setOpen({ what: "help" })}
        >
          <Icon name="help" />
        </button>
      </div>
      <p className="hidden" role="status" aria-live="polite">
        {spoken}
      </p>
      {shown.length > 0 && (
        <People
          records={shown}
          actions={actions}
          allowed={allowed}
          marks={mayMark}
          timeZone={viewer.timeZone}
          changed={changed}
        />
      )}
      {day && shown.length === 0 && (
        <div className="empty">
          <p>{records.length === 0 ? "Nobody is on the roster for this day." : "No matches."}</p>
          {records.length > 0 && (
            <button
              type="button"
              className="button outline"
              onClick={() => setParameters({ q: "", category: "", status: "" })}
            >
              Clear filters
            </button>
          )}
        </div>
      )}
      {(!day || !complete) && problem === null && <Skeleton rows={day ? 2 : 8} />}

      {open?.what === "note" && record && <NoteDialog record={record} marker={marker} onClose={close} />}
      {open?.what === "history" && record && <History record={record} onClose={close} />}
      {open?.what === "fill" && (
        <FillDialog date={date} unmarked={unmarked} category={category} marker={marker} onClose={close} />
      )}
      {open?.what === "day" && day && <DayDialog day={day} onClose={close} />}
      {open?.what === "help" && <HelpDialog marks={mayMark} onClose={close} />}
      {conflict && <ConflictDialog conflict={conflict} marker={marker} />}
    </div>
  );
}

function Skeleton({ rows }: { rows: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading the board">
      {Array.from({ length: rows }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}

