/** What every client needs: a session, and what the server's errors say. */
export { batched } from "./batched.ts";
export { codeOf, errorsIn, hasCode, NoAnswer, OperationFailed, retryAfter } from "./errors.ts";
export type { GraphQLError, GraphQLErrors } from "./errors.ts";
export { Session, SessionEnded } from "./session.ts";
export type { Credentials, SessionOptions, SessionState, TokenStorage } from "./session.ts";
export type { Viewer } from "./tokens.ts";
export { watchToday } from "./today.ts";
export { cursorIn, execute } from "./transport.ts";
export type { Request, Result, Sink, Subscriptions } from "./transport.ts";
export { wait } from "./waiting.ts";
