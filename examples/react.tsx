import { useApolloClient, useQuery } from "@apollo/client/react";
import { type Session, watchToday } from "@memberstaff/client";
import { BoardDocument, watchDay } from "@memberstaff/client/apollo";
import { useEffect, useState, useSyncExternalStore } from "react";

/** The board of today in the organisation's time zone, and of tomorrow after midnight there. */
export function Today({ session }: { session: Session }) {
  const state = useSyncExternalStore(session.subscribe, () => session.state);
  const [date, setDate] = useState<string>();
  useEffect(() => watchToday(session, setDate), [session]);
  if (state.status === "out") return <p role="alert">{state.reason.message}</p>;
  if (date) return <Board date={date} />;
  const failure = state.status === "starting" ? state.failure : null;
  return <p role="status">{failure ? `No answer yet: ${failure.message}` : "Loading …"}</p>;
}

export function Board({ date }: { date: string }) {
  const client = useApolloClient();
  const { data } = useQuery(BoardDocument, { variables: { date }, fetchPolicy: "cache-only" });
  const [error, setError] = useState<Error>();
  const [waiting, setWaiting] = useState<Error>();
  useEffect(() => watchDay(client, date, { onWaiting: setWaiting, onError: setError }), [client, date]);
  if (error) return <p role="alert">{error.message}</p>;
  if (!data?.attendanceDay) return <p role="status">{waiting ? `No answer yet: ${waiting.message}` : "Loading …"}</p>;
  return <ul>{data.attendanceDay.records.edges.map(({ node }) => <li key={node.id}>{`${node.staffName}: ${node.status}`}</li>)}</ul>;
}
