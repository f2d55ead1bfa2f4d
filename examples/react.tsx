// #region page
import { useApolloClient, useQuery } from "@apollo/client/react";
import { BoardDocument, watchDay } from "@memberstaff/client/apollo";
import { useEffect, useState } from "react";

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
// #endregion
