import "../styles/wall.css";

import { useEffect, useRef, useState } from "react";

import { ConnectionLight } from "../app/ConnectionLight";
import { useApp, useToday } from "../app/context";
import { DayBar } from "../board/DayBar";
import { longDay, timeOf } from "../live/dates";
import { countsOf, infoOf, type Status, STATUSES } from "../live/statuses";
import { useDay } from "../live/useDay";
import { Avatar } from "../ui/Avatar";
import { StatusIcon } from "../ui/Icon";
import { Pill } from "../ui/Pill";

/** The statuses shown by name, in this order: all but PRESENT. */
const NAMED: readonly Status[] = ["LATE", "ABSENT", "HALF_DAY", "REMOTE", "ON_LEAVE", "UNMARKED"];

/** The wall display: today, in large type, without controls. */
export function WallPage() {
  const { viewer } = useApp();
  const today = useToday();
  const { day, records } = useDay(today);
  const counts = countsOf(records);
  const named = NAMED.flatMap((status) => records.filter((record) => record.status === status));
  const [room, tiles] = useRoom(named.length);
  const shown = named.length > room ? named.slice(0, Math.max(room - 1, 0)) : named;
  return (
    <main className="wall">
      <header>
        <div>
          <p className="organisation">{viewer.organisation}</p>
          <h1>{longDay(today, today)}</h1>
          {day?.label && <p className="badge">{day.label}</p>}
        </div>
        <div className="clock">
          <Clock timeZone={viewer.timeZone} />
          <ConnectionLight />
        </div>
      </header>
      <DayBar counts={counts} />
      <ul className="figures" aria-label="Counts by status">
        {STATUSES.map(({ status, label }) => (
          <li key={status} data-status={status} data-none={counts[status] === 0}>
            <strong className="numbers">{counts[status]}</strong>
            <span>
              <StatusIcon status={status} size={20} />
              {label}
            </span>
          </li>
        ))}
      </ul>
      <ul ref={tiles} className="tiles" aria-label="People">
        {shown.map((record) => (
          <li key={record.id} className="tile" data-status={record.status} data-id={record.id}>
            <Avatar name={record.staffName} url={record.photoUrl ?? record.staffPhotoUrl} />
            <div>
              <strong>{record.staffName}</strong>
              <span>{record.staffCategory}</span>
            </div>
            <Pill status={record.status} />
          </li>
        ))}
        {shown.length < named.length && <li className="tile rest">and {named.length - shown.length} more</li>}
        {day && named.length === 0 && records.length > 0 && (
          <li className="tile rest">Everybody is {infoOf("PRESENT").label.toLowerCase()}.</li>
        )}
      </ul>
    </main>
  );
}

function Clock({ timeZone }: { timeZone: string }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return <time className="numbers">{timeOf(now, timeZone)}</time>;
}

/** How many tiles fit: nobody scrolls a wall display. */
function useRoom(count: number): [number, React.RefObject<HTMLUListElement | null>] {
  const list = useRef<HTMLUListElement>(null);
  const [room, setRoom] = useState(0);
  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const measure = () => {
      const { gridTemplateColumns, rowGap, gridAutoRows } = getComputedStyle(element);
      const rows = Math.floor((element.clientHeight + parseFloat(rowGap)) / (parseFloat(gridAutoRows) + parseFloat(rowGap)));
      setRoom(rows * gridTemplateColumns.split(" ").length);
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [count]);
  return [room, list];
}
