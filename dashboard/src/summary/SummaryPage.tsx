import "../styles/summary.css";

import { useQuery } from "urql";

import { explain } from "../api/client";
import { useToday } from "../app/context";
import { useParameters } from "../app/router";
import { plusDays } from "../live/dates";
import { STATUSES } from "../live/statuses";
import { StatusIcon } from "../ui/Icon";
import { Chart, Figures } from "./Chart";
import { Report } from "./operations";
import { type Category, everybody, percent, rateOf, worthShowing } from "./report";

const SPANS = [2, 4, 8, 13];

/** Attendance over the last weeks, by category. */
export function SummaryPage() {
  const today = useToday();
  const [parameters, setParameters] = useParameters();
  const asked = Number(parameters.get("weeks"));
  const weeks = SPANS.includes(asked) ? asked : 4;
  const [{ data, error }] = useQuery({
    query: Report,
    variables: { from: plusDays(today, 1 - 7 * weeks), to: today },
    requestPolicy: "cache-and-network",
  });
  const categories = data?.attendanceReport?.categories;
  return (
    <div className="summary">
      <div className="pagehead">
        <h1>Summary</h1>
        <select
          className="input"
          aria-label="Period"
          value={weeks}
          onChange={({ target }) => setParameters({ weeks: target.value })}
        >
          {SPANS.map((each) => (
            <option key={each} value={each}>
              Last {each} weeks
            </option>
          ))}
        </select>
      </div>
      <ul className="legend" aria-label="Legend">
        {STATUSES.map(({ status, label }) => (
          <li key={status} data-status={status}>
            <span className="swatch" aria-hidden="true" />
            <StatusIcon status={status} size={14} />
            {label}
          </li>
        ))}
      </ul>
      {error && !categories && (
        <p className="banner error" role="alert">
          {explain(error)}
        </p>
      )}
      {categories?.length === 0 && <p className="empty">Nobody is on the roster yet.</p>}
      {categories && categories.length > 0 && (
        <div className="charts">
          {[everybody(categories), ...categories].map((category, index) => (
            <CategoryCard key={index === 0 ? "" : category.category} category={category} today={today} />
          ))}
        </div>
      )}
    </div>
  );
}

function CategoryCard({ category: { category, days }, today }: { category: Category; today: string }) {
  const shown = worthShowing(days);
  return (
    <section className="card" aria-label={category}>
      <header>
        <h2>{category}</h2>
        <p>
          <strong className="numbers">{percent(rateOf(shown))}</strong> at work
        </p>
      </header>
      <Chart title={category} days={shown} />
      <details>
        <summary>Show as table</summary>
        <Figures title={category} days={shown} today={today} />
      </details>
    </section>
  );
}
