import type { CreateStaffInput } from "../gql/graphql";
import { isDay } from "../live/dates";

/** A roster read from a file. */
export interface Roster {
  rows: CreateStaffInput[];
  /** The line of the file on which each row starts. */
  lines: number[];
}

/** The file is not a valid roster; the message says what to correct. */
export class InvalidRoster extends Error {}

const COLUMNS: Record<string, keyof CreateStaffInput | undefined> = {
  name: "name",
  category: "category",
  photourl: "photoUrl",
  photo: "photoUrl",
  externalref: "externalRef",
  reference: "externalRef",
  ref: "externalRef",
  startson: "startsOn",
  endson: "endsOn",
};

/** Parse a CSV file with commas, semicolons or tabs, and headers in any spelling. Throws InvalidRoster. */
export function readRoster(text: string): Roster {
  const table = cellsOf(text.replace(/^\uFEFF/, ""));
  const header = (table[0]?.cells ?? []).map((cell) => COLUMNS[cell.toLowerCase().replace(/[^a-z]/g, "")]);
  if (!header.includes("name")) {
    throw new InvalidRoster(
      "The first line must name the columns: name (required), category, external_ref, starts_on, ends_on, photo_url.",
    );
  }
  const named = header.filter((column) => column !== undefined);
  if (new Set(named).size < named.length) throw new InvalidRoster("The same column appears twice.");
  const roster: Roster = { rows: [], lines: [] };
  for (const { line, cells } of table.slice(1)) {
    const entries = header.flatMap((column, index) => {
      const cell = cells[index]?.trim() ?? "";
      return column !== undefined && cell !== "" ? [[column, cell] as const] : [];
    });
    if (entries.length === 0) continue;
    for (const [column, cell] of entries) {
      const isDate = column === "startsOn" || column === "endsOn";
      if (isDate && !isDay(cell)) {
        throw new InvalidRoster(`Line ${line}: “${cell}” is not a valid date; use YYYY-MM-DD, such as 2026-11-23.`);
      }
    }
    roster.rows.push({ name: "", ...Object.fromEntries(entries) });
    roster.lines.push(line);
  }
  return roster;
}

interface Line {
  line: number;
  cells: string[];
}

function cellsOf(text: string): Line[] {
  const first = text.slice(0, text.search(/[\r\n]|$/));
  const separator = [",", ";", "\t"].reduce((best, each) => (count(first, each) > count(first, best) ? each : best));
  const table: Line[] = [];
  let current: Line = { line: 1, cells: [] };
  let cell = "";
  let quoted = false;
  let line = 1;
  const endLine = () => {
    current.cells.push(cell);
    if (current.cells.length > 1 || cell !== "") table.push(current);
    cell = "";
  };
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at);
    const isBreak = letter === "\n" || (letter === "\r" && text.charAt(at + 1) !== "\n");
    if (isBreak) line++;
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text.charAt(at + 1) === '"') {
        cell += '"';
        at++;
      } else quoted = false;
    } else if (letter === '"' && cell.trim() === "") {
      cell = "";
      quoted = true;
    } else if (letter === separator) {
      current.cells.push(cell);
      cell = "";
    } else if (isBreak) {
      endLine();
      current = { line, cells: [] };
    } else if (letter !== "\r") cell += letter;
  }
  if (quoted) throw new InvalidRoster(`A quotation mark is not closed in the row that starts on line ${current.line}.`);
  endLine();
  return table;
}

function count(text: string, letter: string): number {
  return text.split(letter).length - 1;
}
