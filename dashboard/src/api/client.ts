import { batched, errorsIn, type Session, SessionEnded, type Subscriptions, type Viewer } from "@memberstaff/client";
import { exchanges } from "@memberstaff/client/urql";
import { connect, type Connection, type ConnectionOptions } from "@memberstaff/client/ws";
import { Client } from "@urql/core";
import type { OptimisticMutationConfig } from "@urql/exchange-graphcache";

import type { AttendanceFieldsFragment, UpdateAttendanceInput } from "../gql/graphql";
import { isOnSite } from "../live/statuses";
import { AttendanceFields } from "./fragments";

/** What one login uses to talk to the server. */
export interface Api {
  client: Client;
  connection: Connection;
  readonly viewer: Viewer;
}

/** A client for one login. Each login has its own, because its cache holds what that login may see. */
export function createApi(session: Session, viewer: Viewer, options?: ConnectionOptions): Api {
  const connection = connect(session, options);
  /** Under the name that they have now. */
  const whoever = () => (session.state.status === "in" && session.state.viewer) || viewer;
  return {
    client: createClient(session, batched(connection), whoever),
    connection,
    get viewer() {
      return whoever();
    },
  };
}

export function createClient(session: Session, subscriptions: Subscriptions, viewer: () => Viewer): Client {
  const optimistic = shownAtOnce(viewer);
  return new Client({ url: session.url, exchanges: exchanges(session, subscriptions, { optimistic }) });
}

/** A mark is shown before the server has answered, and taken back if it is refused. */
function shownAtOnce(viewer: () => Viewer): OptimisticMutationConfig {
  return {
    updateAttendance: (variables, store) => {
      const input = variables.input as UpdateAttendanceInput;
      const id = input.target.id;
      const before = id == null ? null : store.readFragment(AttendanceFields, { __typename: "Attendance", id: String(id) });
      if (!before) return null;
      return {
        __typename: "UpdateAttendancePayload",
        attendance: {
          ...before,
          __typename: "Attendance",
          ...timesAfter(before, input),
          status: input.status ?? before.status,
          note: input.note === undefined ? before.note : input.note,
          updatedBy: viewer().displayName,
          updatedAt: new Date().toISOString(),
        },
        errors: [],
      };
    },
  };
}

/** When somebody came and left, as the server will say it; when they come with this mark, only its clock can tell. */
function timesAfter(before: AttendanceFieldsFragment, input: UpdateAttendanceInput) {
  const stay = isOnSite(before.status) && isOnSite(input.status ?? before.status);
  return {
    arrivedAt: input.arrivedAt === undefined && stay ? before.arrivedAt : (input.arrivedAt ?? null),
    leftAt: input.leftAt === undefined && stay ? before.leftAt : (input.leftAt ?? null),
  };
}

/** Why a mutation was refused, in its payload or with no payload at all; undefined if it succeeded. */
export function refusalOf(
  payload: { errors: readonly { message: string }[] } | null | undefined,
  error: unknown,
): string | undefined {
  return payload ? payload.errors[0]?.message : explain(error);
}

/** Reasons of errors whose message is for programs: it speaks of tokens. */
const OF_TOKENS: unknown[] = [undefined, "TOKEN_EXPIRED", "TOKEN_INVALID"];

/** The message to show for what has failed. */
export function explain(error: unknown): string {
  const [told] = errorsIn(error);
  const { code, reason } = told?.extensions ?? {};
  if (code === "UNAUTHENTICATED" && OF_TOKENS.includes(reason)) return "The session has ended. Log in again.";
  const message = told?.message ?? (error instanceof SessionEnded ? error.message : undefined);
  return message ?? "The server cannot be reached. Check your connection and try again.";
}
