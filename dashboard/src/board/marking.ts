import type { OperationResult } from "@urql/core";

import { type Api, explain } from "../api/client";
import { Store } from "../app/store";
import type {
  BulkUpdateAttendanceInput,
  BulkUpdateAttendanceMutation,
  DayBoardQuery,
  StaffScope,
} from "../gql/graphql";
import type { Attendance } from "../live/day";
import type { Day } from "../live/dates";
import { DayBoard, pageOf } from "../live/operations";
import { infoOf, type Status } from "../live/statuses";
import { complain, say } from "../ui/toasts";
import { BulkUpdateAttendance, UpdateAttendance } from "./operations";

export interface Change {
  status?: Status;
  note?: string | null;
  arrivedAt?: string | null;
  leftAt?: string | null;
}

/** A version conflict: the record as somebody else has changed it, and our change that was refused. */
export interface Conflict {
  current: Attendance;
  wanted: Change;
}

type DayPage = NonNullable<DayBoardQuery["attendanceDay"]>["records"];

interface Undo {
  run: () => Promise<void>;
}

/** The most entries in one bulk request, whose body is limited. */
const ENTRIES = 500;
/** The most records that the answer to a bulk change lists, and people that a scope may name. */
const LISTED = 1_000;
/** The length of the undo history. */
const STEPS = 50;

/** Sends every change of a record, and can undo it. */
export class Marker {
  readonly conflict = new Store<Conflict | null>(null);
  /** The last pending mark of each record; marks of one record are sent one after the other. */
  readonly #underWay = new Map<string, Promise<unknown>>();
  /** What our own marks resulted in, by the record: it is no conflict. */
  readonly #ours = new Map<string, Attendance>();
  /** The bulk changes under way: their events may come before their results. */
  #bulks = 0;
  #undo: Undo[] = [];
  /** The version with which an undo brought back the values of an earlier one. */
  readonly #broughtBack = new Map<string, number>();

  constructor(private readonly api: Pick<Api, "client" | "viewer">) {}

  /** Whether a change is our own, and needs no announcement. */
  isOurs(record: Attendance): boolean {
    if (this.#underWay.has(record.id) || (this.#ours.get(record.id)?.version ?? -1) >= record.version) return true;
    return this.#bulks > 0 && record.updatedBy === this.api.viewer.displayName;
  }

  /** Change a record, from the version on the board. The cache shows it optimistically, and reverts a refusal. */
  mark(record: Attendance, change: Change): Promise<void> {
    let before = record;
    const sent = this.#inTurn(record.id, () => {
      before = this.#seen(record);
      return this.#send(record, change, before.version);
    });
    const step: Undo = {
      run: async () => {
        const stored = await sent; // it may still be pending
        if (stored === null) return;
        const back = await this.#inTurn(record.id, async () => {
          const undone = await this.#send(record, valuesOf(before, change), this.#latest(record.id, stored.version));
          if (undone !== null) this.#broughtBack.set(`${record.id} ${before.version}`, undone.version);
          return undone;
        });
        if (back !== null) say(`Undone: ${record.staffName}.`);
      },
    };
    this.#remember(step);
    return sent.then((stored) => {
      if (stored === null || stored.version === before.version) this.#undo = this.#undo.filter((each) => each !== step);
      else say(told(stored, change), { label: "Undo", run: () => this.undo() });
    });
  }

  /**
   * Give everybody who is still unmarked a status; `categories` limits it to some. An undo needs to know who was marked,
   * so more people than an answer lists are marked in several requests.
   */
  async fill(date: Day, status: Status, categories: string[] | null): Promise<void> {
    const marked: Attendance[] = [];
    let problem: string | null = null;
    for (const scope of await this.#scopes(date, categories)) {
      const { data, error } = await this.#bulk({
        date,
        change: { fill: { status, scope } },
        idempotencyKey: `fill-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`,
      });
      const payload = data?.bulkUpdateAttendance;
      if (!payload || payload.errors.length > 0) {
        const nobody = marked.length === 0 ? "Nobody was marked" : `Only ${people(marked.length)} marked`;
        problem = `${nobody}: ${payload?.errors[0]?.message ?? explain(error)}`;
        break;
      }
      if (!payload.attendances) {
        problem = `The marks are saved, but cannot be undone here: ${explain(error)}`;
        break;
      }
      marked.push(...payload.attendances);
    }
    if (marked.length > 0) this.#remember({ run: () => this.#unmark(date, marked) });
    const undo = { label: "Undo", run: () => this.undo() };
    if (problem !== null) complain(problem, marked.length > 0 ? undo : undefined);
    else if (marked.length === 0) say("Everybody was already marked.");
    else say(`${people(marked.length)} marked ${infoOf(status).label.toLowerCase()}.`, undo);
  }

  /** Undo the last step that has not been undone. */
  undo(): void {
    const step = this.#undo.pop();
    if (step) void step.run();
    else say("Nothing to undo.");
  }

  /** Resolve a conflict: keep the other change, or replace it with ours. */
  resolve(useMine: boolean): void {
    const conflict = this.conflict.get();
    this.conflict.set(null);
    if (conflict && useMine) void this.mark(conflict.current, conflict.wanted);
  }

  async #send(record: Attendance, change: Change, expectedVersion: number): Promise<Attendance | null> {
    const { data, error } = await this.api.client
      .mutation(UpdateAttendance, { input: { target: { id: record.id }, ...change, expectedVersion } })
      .toPromise();
    const payload = data?.updateAttendance;
    if (payload?.attendance) {
      this.#ours.set(record.id, payload.attendance);
      return payload.attendance;
    }
    const refused = payload?.errors[0];
    if (refused?.__typename === "VersionConflictError" && refused.current) {
      // Older than what we saw: a backup has been restored, and versions start over.
      if (refused.current.version < expectedVersion) this.#ours.delete(record.id);
      this.conflict.set({ current: refused.current, wanted: change });
    } else {
      const retry = payload ? undefined : { label: "Try again", run: () => void this.mark(record, change) };
      complain(`${record.staffName} was not marked: ${refused?.message ?? explain(error)}`, retry);
    }
    return null;
  }

  /** Whom to mark: everybody in these categories, or, of a large roster, so many of those who are unmarked at a time. */
  async #scopes(date: Day, categories: string[] | null): Promise<(StaffScope | null)[]> {
    const unmarked: string[] = [];
    for (let after: string | null = null; ; ) {
      const { data } = await this.api.client.query(DayBoard, pageOf(date, after)).toPromise(); // on the screen, so at hand
      const page: DayPage | undefined = data?.attendanceDay?.records;
      if (!page || page.totalCount <= LISTED) return [categories && { categories }];
      for (const { node } of page.edges) {
        const isMeant = categories === null || categories.includes(node.staffCategory);
        if (isMeant && node.status === "UNMARKED") unmarked.push(node.staffId);
      }
      if (!page.pageInfo.hasNextPage) break;
      after = page.pageInfo.endCursor ?? null;
    }
    if (unmarked.length <= LISTED) return [categories && { categories }];
    return Array.from({ length: Math.ceil(unmarked.length / LISTED) }, (_, index) => ({
      staffIds: unmarked.slice(index * LISTED, (index + 1) * LISTED),
    }));
  }

  /** The record that the user has seen: the board's, or what our own last mark resulted in. */
  #seen(record: Attendance): Attendance {
    const ours = this.#ours.get(record.id);
    return ours && ours.version > record.version ? ours : record;
  }

  /** The version that has the values of this one, after the undo of what we changed since. */
  #latest(id: string, version: number): number {
    const later = this.#broughtBack.get(`${id} ${version}`);
    return later === undefined ? version : this.#latest(id, later);
  }

  #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#underWay.get(id) ?? Promise.resolve();
    const turn = before.then(work).finally(() => {
      if (this.#underWay.get(id) === turn) this.#underWay.delete(id);
    });
    this.#underWay.set(id, turn);
    return turn;
  }

  async #unmark(date: Day, marked: readonly Attendance[]): Promise<void> {
    let done = 0;
    let problem: string | null = null;
    for (let start = 0; start < marked.length && problem === null; start += ENTRIES) {
      const entries = marked.slice(start, start + ENTRIES).map(({ staffId, version }) => ({
        staffId,
        status: "UNMARKED" as const,
        expectedVersion: version,
      }));
      const { data, error } = await this.#bulk({ date, change: { entries }, errorPolicy: "SKIP_FAILED" });
      const unmarked = data?.bulkUpdateAttendance?.attendances;
      if (!unmarked) problem = explain(error);
      done += unmarked?.length ?? 0;
    }
    const left = marked.length - done;
    if (problem !== null) complain(`Not everything could be undone: ${problem}`);
    else if (left > 0) complain(`${people(done)} unmarked. Later changes to ${people(left)} were kept.`);
    else say(`Undone: ${people(done)} unmarked.`);
  }

  async #bulk(input: BulkUpdateAttendanceInput): Promise<OperationResult<BulkUpdateAttendanceMutation>> {
    this.#bulks++;
    const result = await this.api.client.mutation(BulkUpdateAttendance, { input }).toPromise();
    this.#bulks--;
    for (const marked of result.data?.bulkUpdateAttendance?.attendances ?? []) this.#ours.set(marked.id, marked);
    return result;
  }

  #remember(step: Undo): void {
    this.#undo = [...this.#undo.slice(1 - STEPS), step];
  }
}

/** What a change replaces. With the status go the times: the server would take the moment of an undo for the arrival. */
function valuesOf({ status, note, arrivedAt, leftAt }: Attendance, change: Change): Change {
  if ("note" in change) return { note: note ?? null };
  return { status, arrivedAt: arrivedAt ?? null, leftAt: leftAt ?? null };
}

function told(record: Attendance, change: Change): string {
  if (change.status === undefined) return `${record.staffName}: note ${record.note ? "saved" : "removed"}.`;
  return `${record.staffName}: ${infoOf(record.status).label}.`;
}

export function people(count: number): string {
  return count === 1 ? "1 person" : `${count.toLocaleString("en")} people`;
}
