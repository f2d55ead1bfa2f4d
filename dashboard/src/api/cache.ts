import { cacheExchange, type Cache, type Entity, type KeyingConfig } from "@urql/exchange-graphcache";

import type { UpdateAttendanceInput } from "../gql/graphql";
import { AttendanceFields } from "./fragments";
import type { Viewer } from "./session";

/** Types without an ID, embedded in their parents. */
export const EMBEDDED = [
  "AccountConnection",
  "AccountEdge",
  "AccountPayload",
  "AttendanceConnection",
  "AttendanceDayPayload",
  "AttendanceEdge",
  "AttendanceReport",
  "AttendanceReportCategory",
  "AttendanceReportDay",
  "AttendanceRevisionConnection",
  "AttendanceRevisionEdge",
  "BulkUpdateAttendancePayload",
  "ImportStaffPayload",
  "InputError",
  "PageInfo",
  "StaffConnection",
  "StaffEdge",
  "StaffImportChange",
  "StaffPayload",
  "UpdateAttendancePayload",
  "VersionConflictError",
];

const keys: KeyingConfig = Object.fromEntries(EMBEDDED.map((type) => [type, () => null]));

/**
 * The normalised cache. Results and events update entities by ID, without code. Configured here is only what they
 * cannot say: which lists a mutation invalidates, and the optimistic result of a mark.
 */
export function cache(viewer: Viewer): ReturnType<typeof cacheExchange> {
  return cacheExchange({
    keys,
    possibleTypes: { UserError: ["InputError", "VersionConflictError"] }, // or it would guess whether a fragment fits
    updates: {
      Mutation: {
        createStaff: (_, __, store) => invalidate(store, "staff", "attendanceReport"),
        updateStaff: (_, __, store) => invalidate(store, "staff", "attendanceReport"),
        importStaff: (_, { input }, store) => {
          if (!(input as { dryRun?: boolean }).dryRun) invalidate(store, "staff", "attendanceReport");
        },
        createAccount: (_, __, store) => invalidate(store, "accounts"),
      },
    },
    optimistic: {
      updateAttendance: (variables, store) => {
        const input = variables.input as UpdateAttendanceInput;
        const id = input.target.id;
        const before = id == null ? null : store.readFragment(AttendanceFields, recordOf(id));
        if (!before) return null;
        return {
          __typename: "UpdateAttendancePayload",
          attendance: {
            ...before,
            __typename: "Attendance",
            status: input.status ?? before.status,
            note: input.note === undefined ? before.note : input.note,
            updatedBy: viewer.displayName,
            updatedAt: new Date().toISOString(),
          },
          errors: [],
        };
      },
    },
  });
}

function recordOf(id: string | number): Entity {
  return { __typename: "Attendance", id: String(id) };
}

function invalidate(store: Cache, ...fields: string[]): void {
  for (const field of store.inspectFields("Query")) {
    if (fields.includes(field.fieldName)) store.invalidate("Query", field.fieldName, field.arguments);
  }
}
