import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from "react";

import type { Attendance } from "../live/day";
import { MARKS, type Status } from "../live/statuses";
import { Row, type RowActions } from "./Row";

interface Props {
  records: readonly Attendance[];
  actions: RowActions;
  allowed: ReadonlySet<Status>;
  marks: boolean;
  timeZone: string;
  /** When each record was last changed by somebody else, if recently. */
  changed: ReadonlyMap<string, number>;
}

/** Height in pixels of the sticky toolbar above the list. */
const STICKY = 130;

/**
 * The people as a virtualised list: only the rows in view are in the document.
 *
 * A roving tabindex: Tab reaches one row and its buttons, the arrow keys move from row to row.
 */
export function People({ records, actions, allowed, marks, timeZone, changed }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const [current, setCurrent] = useState({ id: "", index: 0 });
  const [top, setTop] = useState(0);
  const wanted = useRef<string | null>(null);

  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const measure = () => setTop(element.getBoundingClientRect().top + window.scrollY);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);

  const virtual = useWindowVirtualizer({
    count: records.length,
    estimateSize: () => 64,
    getItemKey: (index) => records[index]?.id ?? index,
    overscan: 6,
    scrollMargin: top,
    scrollPaddingStart: STICKY,
    scrollPaddingEnd: 16,
  });

  // The row that Tab reaches: the last one used, or the one that took its place if it was filtered out.
  const found = records[current.index]?.id === current.id ? current.index : records.findIndex(({ id }) => id === current.id);
  const active = found >= 0 ? found : Math.min(current.index, records.length - 1);
  const activeId = records[active]?.id;

  const go = useCallback(
    (index: number) => {
      const record = records[Math.max(0, Math.min(index, records.length - 1))];
      if (!record) return;
      wanted.current = record.id;
      setCurrent({ id: record.id, index: records.indexOf(record) });
      virtual.scrollToIndex(records.indexOf(record));
      focusRow(list.current, record.id, wanted);
    },
    [records, virtual],
  );

  const drawn = useCallback((element: HTMLDivElement | null) => {
    if (element === null || element.dataset.id !== wanted.current) return;
    wanted.current = null;
    element.focus({ preventScroll: true });
  }, []);

  // A row may leave a filtered list when it is marked: the focus then moves to the next one.
  const focused = useRef(false);
  useEffect(() => {
    if (focused.current && document.activeElement === document.body && activeId !== undefined) go(active);
  }, [active, activeId, go]);

  const onKeyDown = (event: KeyboardEvent) => {
    const record = records[active];
    if (!record || event.metaKey || event.ctrlKey || event.altKey) return;
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + 10,
      PageUp: active - 10,
      Home: 0,
      End: records.length - 1,
    };
    const move = moves[event.key];
    const status = MARKS.find(({ key }) => key === event.key)?.status ?? (event.key === "0" ? "UNMARKED" : null);
    if (move !== undefined) go(move);
    else if (status !== null && marks && allowed.has(status)) actions.mark(record, status);
    else if (event.key === "n" && marks && allowed.size > 0) actions.note(record);
    else if (event.key === "h") actions.history(record);
    else return;
    event.preventDefault();
  };

  const rows = virtual.getVirtualItems();
  return (
    <ul
      ref={list}
      className="people"
      aria-label="People"
      style={{ height: virtual.getTotalSize() }}
      onKeyDown={onKeyDown}
      onFocus={(event) => {
        focused.current = true;
        const id = (event.target as HTMLElement).closest<HTMLElement>("[data-id]")?.dataset.id;
        if (id !== undefined) setCurrent({ id, index: records.findIndex((record) => record.id === id) });
      }}
      onBlur={(event) => {
        // Without a relatedTarget, the row left the document; the user did not move the focus elsewhere.
        if (event.relatedTarget !== null) focused.current = false;
      }}
    >
      {rows.map(({ index, key, start }) => {
        const record = records[index];
        return (
          record && (
            <li
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              aria-setsize={records.length}
              aria-posinset={index + 1}
              style={{ transform: `translateY(${start - top}px)` }}
            >
              <Row
                record={record}
                actions={actions}
                allowed={allowed}
                marks={marks}
                timeZone={timeZone}
                current={index === active}
                changed={changed.get(record.id)}
                focus={drawn}
              />
            </li>
          )
        );
      })}
    </ul>
  );
}

function focusRow(list: HTMLElement | null, id: string, wanted: { current: string | null }): void {
  const row = list?.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`);
  if (!row) return; // not rendered yet; focused once it is
  wanted.current = null;
  row.focus({ preventScroll: true });
}
