// #region page
import { type Session, watchToday } from "@memberstaff/client";
import { useEffect, useState, useSyncExternalStore } from "react";
import { Board } from "./react.tsx";

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
// #endregion
