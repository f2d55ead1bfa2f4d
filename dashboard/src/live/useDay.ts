import { useEffect, useState, useSyncExternalStore } from "react";

import { useApp } from "../app/context";
import { type Attendance, type Board, LiveDay } from "./day";
import type { Day } from "./dates";
import { whileInView } from "./view";

const NOTHING: Board = { day: null, records: [], complete: false, problem: null };

/** A day's board, live while the page is in view. `onChange` must be memoised. */
export function useDay(date: Day, onChange?: (record: Attendance) => void): Board {
  const { api, dispatch } = useApp();
  const [live, setLive] = useState<LiveDay | null>(null);

  useEffect(() => {
    const day = new LiveDay(api, date);
    day.onConnection = dispatch;
    day.onChange = onChange ?? null;
    setLive(day); // eslint-disable-line react-hooks/set-state-in-effect -- opening a connection is an effect's work
    let opened = false;
    const stop = whileInView(
      () => {
        if (opened) day.resume();
        else day.open();
        opened = true;
      },
      () => day.pause(),
    );
    return () => {
      stop();
      day.close();
    };
  }, [api, date, dispatch, onChange]);

  return useSyncExternalStore(live?.board.subscribe ?? never, live?.board.get ?? nothing);
}

function never(): () => void {
  return () => undefined;
}

function nothing(): Board {
  return NOTHING;
}
