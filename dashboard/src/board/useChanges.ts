import { useCallback, useEffect, useRef, useState } from "react";

import type { Attendance } from "../live/day";
import { infoOf } from "../live/statuses";
import type { Marker } from "./marking";

/** How long a change by somebody else is highlighted, in milliseconds. */
const FRESH = 4_000;
/** Changes within this many milliseconds are announced together. */
const TOGETHER = 1_000;

interface Changes {
  onChange: (record: Attendance) => void;
  /** When each record was last changed by somebody else, if recently. */
  changed: ReadonlyMap<string, number>;
  /** The announcement for screen readers. */
  spoken: string;
}

/** Changes by others: highlighted on the board, and announced to screen readers. */
export function useChanges(marker: Marker): Changes {
  const [changed, setChanged] = useState<ReadonlyMap<string, number>>(new Map());
  const [spoken, setSpoken] = useState("");
  const news = useRef<Attendance[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  const onChange = useCallback(
    (record: Attendance) => {
      if (marker.isOurs(record)) return;
      const now = performance.now();
      setChanged((before) => new Map([...before].filter(([, at]) => now - at < FRESH)).set(record.id, now));
      news.current.push(record);
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        setSpoken(told(news.current));
        news.current = [];
      }, TOGETHER);
    },
    [marker],
  );

  useEffect(() => {
    if (changed.size === 0) return;
    const forget = setTimeout(() => setChanged(new Map()), FRESH);
    return () => clearTimeout(forget);
  }, [changed]);
  useEffect(() => () => clearTimeout(timer.current), []);

  return { onChange, changed, spoken };
}

function told(records: readonly Attendance[]): string {
  const latest = [...new Map(records.map((record) => [record.id, record])).values()];
  if (latest.length > 3) return `Attendance changed for ${latest.length} people.`;
  return latest
    .map(({ staffName, status, updatedBy }) => `${staffName}: ${infoOf(status).label}${updatedBy ? `, by ${updatedBy}` : ""}.`)
    .join(" ");
}
