import { useId } from "react";

import { boardOf } from "../board/DayHeader";
import { shortDay, weekday } from "../live/dates";
import { STATUSES } from "../live/statuses";
import { percent, type ReportDay } from "./report";

const HEIGHT = 96;
const WIDTH = 600;
const GAP = 0.25;

interface Props {
  title: string;
  days: readonly ReportDay[];
}

/** One bar per day, stacked by status. `Figures` shows the same as a table. */
export function Chart({ title, days }: Props) {
  const label = useId();
  const most = Math.max(1, ...days.map(({ total }) => total));
  const step = WIDTH / Math.max(days.length, 1);
  const first = days[0];
  const last = days.at(-1);
  return (
    <figure className="chart" aria-labelledby={label}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-labelledby={label}>
        <title id={label}>{`${title}: attendance by day, ${days.length} days`}</title>
        {days.map((day, index) => (
          <Bar key={day.date} day={day} x={step * (index + GAP / 2)} width={step * (1 - GAP)} scale={HEIGHT / most} />
        ))}
      </svg>
      <figcaption className="numbers">
        {first && <span>{shortDay(first.date)}</span>}
        {last && <span>{shortDay(last.date)}</span>}
      </figcaption>
    </figure>
  );
}

function Bar({ day, x, width, scale }: { day: ReportDay; x: number; width: number; scale: number }) {
  const heights = STATUSES.map(({ count }) => day[count] * scale);
  return (
    <g>
      <title>{`${weekday(day.date)} ${shortDay(day.date)}: ${percent(day.presentRate)} at work`}</title>
      {STATUSES.map(({ status }, index) => {
        const top = HEIGHT - heights.slice(0, index + 1).reduce((sum, each) => sum + each, 0);
        return <rect key={status} data-status={status} x={x} y={top} width={width} height={heights[index]} />;
      })}
    </g>
  );
}

/** The chart's data as a table. */
export function Figures({ title, days, today }: Props & { today: string }) {
  return (
    <div className="scroller" tabIndex={0} role="region" aria-label={`${title}, as a table`}>
      <table className="table numbers">
        <thead>
          <tr>
            <th scope="col">Day</th>
            {STATUSES.map(({ status, label }) => (
              <th key={status} scope="col" className="end">
                {label}
              </th>
            ))}
            <th scope="col" className="end">
              At work
            </th>
          </tr>
        </thead>
        <tbody>
          {[...days].reverse().map((day) => (
            <tr key={day.date}>
              <td>
                <a href={boardOf(day.date, today)}>
                  {weekday(day.date)} {shortDay(day.date)}
                </a>
              </td>
              {STATUSES.map(({ status, count }) => (
                <td key={status} className="end">
                  {day[count]}
                </td>
              ))}
              <td className="end">{percent(day.presentRate)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
