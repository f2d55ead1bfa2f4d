/** What every client needs: a session, and what the server's errors say. */
export { batched } from "./batched.ts";
export { codeOf, errorsIn, hasCode, NoAnswer, OperationFailed, retryAfter, SessionEnded } from "./errors.ts";
export type { GraphQLError, GraphQLErrors } from "./errors.ts";
export { Session } from "./session.ts";
export type { Credentials, SessionOptions, SessionState } from "./session.ts";
export type { TokenStorage } from "./stored.ts";
export type { Viewer } from "./tokens.ts";
export { watchToday } from "./today.ts";
export { cursorIn, execute } from "./transport.ts";
export type { Request, Result, Sink, Subscriptions } from "./transport.ts";
export { wait } from "./waiting.ts";
