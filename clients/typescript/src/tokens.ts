/** The tokens of a login, and what the server answers about them. */
import { OperationFailed, type GraphQLErrors } from "./errors.ts";
import type { Viewer as SchemaViewer } from "./schema.ts";

const TOKENS = "accessToken expiresAt refreshToken errors { code message }";
const FIELDS = `${TOKENS} viewer { id accountId displayName role timeZone organisation today }`;
export const LOGIN = `mutation Login($input: LoginInput!) { login(input: $input) { ${FIELDS} } }`;
export const REFRESH = `mutation RefreshSession($input: RefreshSessionInput!) { refreshSession(input: $input) { ${FIELDS} } }`;
export const CHANGE = `mutation ChangePassword($input: ChangePasswordInput!) { changePassword(input: $input) { ${TOKENS} } }`;
export const LOGOUT = "mutation Logout { logout { errors { message } } }";

/** Who is logged in. */
export type Viewer = Pick<
  SchemaViewer,
  "id" | "accountId" | "displayName" | "role" | "timeZone" | "organisation" | "today"
>;

export interface Tokens {
  accessToken: string;
  refreshToken: string | null;
  /** By this machine's clock, in milliseconds since 1970: when to renew the access token. */
  renewAt: number;
  viewer: Viewer | null;
}

interface Payload {
  accessToken: string | null;
  expiresAt: string | null;
  refreshToken: string | null;
  viewer?: Viewer | null;
  errors: { code: string; message: string }[];
}

export interface Answer {
  data?: Record<string, Payload | null> | null;
  errors?: GraphQLErrors;
}

/** Tokens, and no refusal. */
export type Granted = Payload & { accessToken: string; expiresAt: string };

export function isGranted(payload: Payload | null | undefined): payload is Granted {
  return Boolean(payload?.accessToken && payload.expiresAt);
}

/** The payload with its tokens. Throws OperationFailed, with what it says instead. */
export function granted(payload: Payload | null | undefined, errors: GraphQLErrors = []): Granted {
  if (isGranted(payload)) return payload;
  throw new OperationFailed(payload?.errors.map(({ code, message }) => ({ message, extensions: { code } })) ?? errors);
}

/** Equal, but for the date. */
export function isSame(one: Viewer | null, other: Viewer | null): boolean {
  return JSON.stringify({ ...one, today: "" }) === JSON.stringify({ ...other, today: "" });
}

/**
 * Milliseconds that a token lives from now on. This machine's clock may be wrong, as on many wall displays, so what
 * counts is what the token says of itself, if it is a JWT.
 */
export function lifetimeOf(token: string, expiresAt: string): number {
  try {
    const claims = atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    const { iat, exp } = JSON.parse(claims) as { iat?: unknown; exp?: unknown };
    if (typeof iat === "number" && typeof exp === "number") return (exp - iat) * 1_000;
  } catch {
    // no JWT
  }
  return Date.parse(expiresAt) - Date.now();
}
