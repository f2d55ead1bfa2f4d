import { useState } from "react";

import { explain } from "../api/client";
import { useApp } from "../app/context";
import { people } from "../board/marking";
import type { ImportStaffMutation } from "../gql/graphql";
import { Icon } from "../ui/Icon";
import { complain, say } from "../ui/toasts";
import { ImportStaff } from "./operations";
import { InvalidRoster, readRoster, type Roster } from "./roster";

type Outcome = NonNullable<ImportStaffMutation["importStaff"]>;

interface Preview {
  name: string;
  roster: Roster;
  outcome: Outcome;
}

const ACTIONS = { CREATED: "New", UPDATED: "Changed", UNCHANGED: "Unchanged" } as const;
const SHOWN = 1_000;

/** Imports a roster from a file, after a preview of the changes. */
export function ImportPage() {
  const { api } = useApp();
  const [preview, setPreview] = useState<Preview | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  const send = async (roster: Roster, dryRun: boolean): Promise<Outcome | null> => {
    setBusy(true);
    const { data, error } = await api.client.mutation(ImportStaff, { input: { rows: roster.rows, dryRun } }).toPromise();
    setBusy(false);
    const outcome = data?.importStaff ?? null;
    if (!outcome) setProblem(explain(error));
    return outcome;
  };
  const choose = async (file: File | undefined) => {
    setPreview(null);
    setProblem(null);
    if (!file) return;
    try {
      const roster = readRoster(new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()));
      const outcome = await send(roster, true);
      if (outcome) setPreview({ name: file.name, roster, outcome });
    } catch (error) {
      if (error instanceof InvalidRoster) setProblem(error.message);
      else if (error instanceof TypeError) setProblem("The file is not UTF-8. Save it as “CSV UTF-8” and try again.");
      else throw error;
    }
  };
  const confirm = async ({ roster }: Preview) => {
    const outcome = await send(roster, false);
    if (!outcome) return;
    const refused = outcome.errors[0];
    if (refused) complain(refused.message);
    else {
      say(`Import complete: ${people(outcome.created)} added, ${people(outcome.updated)} updated.`);
      setPreview(null);
    }
  };
  return (
    <div className="form">
      <div className="pagehead">
        <h1>Import a roster</h1>
      </div>
      <label className="card drop">
        <Icon name="upload" size={24} />
        <strong>Choose a CSV file</strong>
        <span>
          The first line must name the columns: name, category, external_ref, starts_on, ends_on, photo_url. You will
          see a preview before anything is changed.
        </span>
        <input
          type="file"
          accept=".csv,.tsv,.txt,text/csv"
          disabled={busy}
          onChange={({ target }) => {
            void choose(target.files?.[0]);
            target.value = ""; // so that the same file can be chosen again once corrected
          }}
        />
      </label>
      {problem !== null && (
        <p className="banner error" role="alert">
          {problem}
        </p>
      )}
      {busy && <p role="status">Processing…</p>}
      {preview && <Changes preview={preview} busy={busy} onConfirm={() => void confirm(preview)} />}
    </div>
  );
}

function Changes({ preview, busy, onConfirm }: { preview: Preview; busy: boolean; onConfirm: () => void }) {
  const { name, roster, outcome } = preview;
  const { created, updated, unchanged, changes, errors } = outcome;
  const lineOf = (row: number | undefined) => (row === undefined ? undefined : roster.lines[row]);
  return (
    <section className="card preview" aria-label={`Preview of ${name}`}>
      <header>
        <h2>{name}</h2>
        <p role="status">
          {errors.length > 0
            ? `${errors.length} ${errors.length === 1 ? "error" : "errors"} found. Correct the file and choose it again.`
            : `${created} new, ${updated} changed, ${unchanged} unchanged.`}
        </p>
        <button
          type="button"
          className="button primary"
          disabled={busy || errors.length > 0 || created + updated === 0}
          onClick={onConfirm}
        >
          Import
        </button>
      </header>
      {errors.length > 0 && (
        <ul className="wrong">
          {errors.slice(0, SHOWN).map(({ path, message }, index) => (
            <li key={index}>
              <strong>Line {lineOf(rowOf(path)) ?? "?"}</strong> {message}
            </li>
          ))}
        </ul>
      )}
      {changes.length > 0 && (
        <div className="scroller" tabIndex={0} role="region" aria-label="Changes">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Line</th>
                <th scope="col">Action</th>
                <th scope="col">Name</th>
                <th scope="col">Fields</th>
              </tr>
            </thead>
            <tbody>
              {changes.map(({ row, action, name: person, fields }) => (
                <tr key={row}>
                  <td className="numbers">{lineOf(row)}</td>
                  <td>
                    <span className={action === "CREATED" ? "badge accent" : "badge"}>{ACTIONS[action]}</span>
                  </td>
                  <td>{person}</td>
                  <td>{fields.join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {created + updated > changes.length && errors.length === 0 && (
        <p>Showing the first {changes.length.toLocaleString("en")} changes.</p>
      )}
    </section>
  );
}

/** The row of an error, whose path is rows, index, field. */
function rowOf(path: readonly string[]): number | undefined {
  const at = path.indexOf("rows");
  const row = Number(path[at + 1]);
  return at >= 0 && Number.isInteger(row) ? row : undefined;
}
