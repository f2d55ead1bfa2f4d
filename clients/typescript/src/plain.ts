/** A day that stays live, for a front end without a cache: it shows what it is told. */
import { print, type DocumentNode } from "graphql";
import { Answers } from "./answers.ts";
import type { BoardDay, Change, Day, DayEvents, Documents, RecordChange } from "./day.ts";
import { OperationFailed } from "./errors.ts";
import type { Session } from "./session.ts";
import { hasPages, standard } from "./standard.ts";
import { execute, type Subscriptions } from "./transport.ts";
import { follow } from "./watch.ts";

export * from "./day.ts";
export { BoardDocument, ChangesDocument, MarkDocument, StateDocument } from "./documents.ts";

/** Tell of a day and then of its changes; answers how to stop. What is told never goes back. */
export function watchDay<TDay extends Day = BoardDay, TChange extends Change = RecordChange>(
  session: Session,
  subscriptions: Subscriptions,
  date: string,
  events: DayEvents<NoInfer<TDay>, NoInfer<TChange>>,
  documents?: Documents<TDay, TChange>,
): () => void {
  const answers = new Answers();
  return follow<DocumentNode, TDay, TChange>(session, date, events, { ...standard, ...documents }, {
    cached: () => null,
    async read(query, variables, signal) {
      const { data, errors } = await execute(session, { query: print(query), variables }, signal);
      if (errors) throw new OperationFailed(errors);
      return answers.keep(query, data, variables);
    },
    hasPages,
    subscribe: (query, variables, next, end) =>
      subscriptions.subscribe({ query: print(query), variables }, {
        next: ({ data, errors }) => (errors ? end(new OperationFailed(errors)) : next(answers.keep(query, data, variables))),
        error: end,
        complete: end,
      }),
  });
}
