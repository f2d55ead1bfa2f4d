import { useApp, useToday } from "../app/context";
import { Link } from "../app/Link";
import { navigate } from "../app/router";
import type { DayState } from "../live/day";
import { type Day, isDay, longDay, plusDays } from "../live/dates";
import { Icon } from "../ui/Icon";

/** The path of a day's board. Today's has no date in it, so that it moves on at midnight. */
export function boardOf(day: Day, today: Day): string {
  return day === today ? "/" : `/day/${day}`;
}

/** The title of a day, and navigation to other days. */
export function DayHeader({ date, day, onDescribe }: { date: Day; day: DayState | null; onDescribe: () => void }) {
  const today = useToday();
  const { isAdmin } = useApp();
  const keep = location.search;
  return (
    <header className="dayhead">
      <div className="title">
        <h1>{longDay(date, today)}</h1>
        {date === today && <span className="badge accent">Today</span>}
        {day?.label && <span className="badge">{day.label}</span>}
        {day && !day.isWorkingDay && <span className="badge">Non-working day</span>}
        {day?.state === "LOCKED" && (
          <span className="badge">
            <Icon name="lock" size={12} /> Locked
          </span>
        )}
      </div>
      <nav className="days" aria-label="Change day">
        {isAdmin && (
          <button type="button" className="button quiet icon" aria-label="Day settings" onClick={onDescribe}>
            <Icon name="settings" />
          </button>
        )}
        <Link className="button outline icon" href={boardOf(plusDays(date, -1), today) + keep} aria-label="Previous day">
          <Icon name="left" />
        </Link>
        <input
          type="date"
          className="input"
          aria-label="Date"
          required
          value={date}
          onChange={({ target }) => {
            if (isDay(target.value)) navigate(boardOf(target.value, today) + keep);
          }}
        />
        <Link className="button outline icon" href={boardOf(plusDays(date, 1), today) + keep} aria-label="Next day">
          <Icon name="right" />
        </Link>
        {date !== today && (
          <Link className="button outline" href={"/" + keep}>
            Today
          </Link>
        )}
      </nav>
    </header>
  );
}
