import { BoardQuery, type Mark, MarkMutation, watchDay } from "@memberstaff/client/relay";
import relayRuntime from "relay-runtime";
import { createRelay } from "../examples/relay.ts";
import { type Play, shown, telling } from "./player.ts";

const { commitMutation, createOperationDescriptor, fetchQuery, getRequest } = relayRuntime;

/** With the documents of the package, which relay-compiler has compiled. */
export const relay: Play = (session, subscriptions, date, say) => {
  const environment = createRelay(session, subscriptions);
  let stop = () => {};
  return {
    async show() {
      const show = shown(say);
      await fetchQuery(environment, BoardQuery, { date }).toPromise();
      const operation = createOperationDescriptor(getRequest(BoardQuery), { date });
      environment.retain(operation);
      const look = ({ data }: { data: unknown }) => show((data as { attendanceDay: never }).attendanceDay);
      const snapshot = environment.lookup(operation.fragment);
      look(snapshot);
      environment.subscribe(snapshot, look);
    },
    watch() {
      stop = watchDay(environment, date, telling(say));
    },
    unwatch: () => stop(),
    async refetch() {
      await fetchQuery(environment, BoardQuery, { date }, { fetchPolicy: "network-only" }).toPromise();
    },
    mark: ({ input }) =>
      new Promise((resolve, reject) => {
        commitMutation<Mark>(environment, {
          mutation: MarkMutation,
          variables: { input },
          onCompleted({ updateAttendance }) {
            say("marked", updateAttendance!.errors);
            resolve();
          },
          onError: reject,
        });
      }),
  };
};
