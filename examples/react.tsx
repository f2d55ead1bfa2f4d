// #region page
import { useApolloClient, useQuery } from "@apollo/client/react";
import { BoardDocument, watchDay } from "@memberstaff/client/apollo";
import { useEffect, useState } from "react";

export function Board({ date }: { date: string }) {
  const client = useApolloClient();
  const { data } = useQuery(BoardDocument, { variables: { date }, fetchPolicy: "cache-only" });
  const [error, setError] = useState<Error>();
  useEffect(() => watchDay(client, date, { onError: setError }), [client, date]);
  if (error) return <p role="alert">{error.message}</p>;
  const edges = data?.attendanceDay?.records.edges ?? [];
  return <ul>{edges.map(({ node }) => <li key={node.id}>{`${node.staffName}: ${node.status}`}</li>)}</ul>;
}
// #endregion
