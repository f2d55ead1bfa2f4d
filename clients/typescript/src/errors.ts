/** What the server's errors say to programs, in whatever a client has wrapped them. */

export interface GraphQLError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: { readonly [name: string]: unknown };
}

export type GraphQLErrors = readonly GraphQLError[];

/** An operation without data. */
export class OperationFailed extends Error {
  override readonly name = "OperationFailed";

  constructor(readonly errors: GraphQLErrors) {
    super(errors[0]?.message ?? "The operation has failed.");
  }
}

/** An answer that is not memberstaff's: a proxy's page, or that of another program. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";

  /** `retryAfter` is what the header of this name says, in seconds; otherwise 0. */
  constructor(
    readonly status: number,
    readonly retryAfter: number,
  ) {
    super(`The server's answer, with the status ${status}, cannot be read.`);
  }
}

/**
 * The login is over, or cannot begin: wrong password, logged out, disabled, too long away; a storage that fails, or an
 * address at which something else answers. The message is for people.
 */
export class SessionEnded extends Error {
  override readonly name = "SessionEnded";
}

/** The GraphQL errors in an array, or in an error of this package, Apollo Client, urql or Relay; otherwise none. */
export function errorsIn(error: unknown): GraphQLErrors {
  if (Array.isArray(error)) return error as GraphQLErrors;
  if (typeof error !== "object" || error === null) return [];
  const { errors, graphQLErrors, source } = error as Record<string, unknown>;
  return errorsIn(errors ?? graphQLErrors ?? source);
}

/** The first error's `extensions.code`. */
export function codeOf(error: unknown): string | undefined {
  const code = errorsIn(error)[0]?.extensions?.code;
  return typeof code === "string" ? code : undefined;
}

/** Whether one of the errors has this `extensions.code`. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return errorsIn(error).some(({ extensions }) => codes.includes(extensions?.code as string));
}

/** The seconds that the server wants to be left alone for, if it says so; otherwise 0. */
export function retryAfter(error: unknown): number {
  if (error instanceof NoAnswer) return error.retryAfter;
  const told = errorsIn(error).map(({ extensions }) => extensions?.retryAfter);
  return Math.max(0, ...told.filter((seconds) => typeof seconds === "number"));
}

/** What a front end throws is its own, uncaught; it breaks no connection, and keeps nothing from others. */
export function tell(work: () => void): void {
  try {
    work();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
