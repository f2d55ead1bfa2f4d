// #region page
import { Session } from "@memberstaff/client";
import { watchDay } from "@memberstaff/client/plain";
import { connect } from "@memberstaff/client/ws"; // or /sse, where WebSockets do not get through

export function showBoard(address: string, email: string, password: string, date: string): () => void {
  const session = new Session(address, { email, password });
  return watchDay(session, connect(session), date, {
    onDay: ({ records }) => console.table(records.edges.map(({ node: { staffName, status } }) => [staffName, status])),
    onChange: ({ staffName, status }) => console.log(staffName, status),
  });
}
// #endregion
