/** What the connection light says. */
export type Light = "live" | "catching-up" | "offline" | "paused";

export interface Connection {
  /** Whether the machine has a network connection. */
  online: boolean;
  /** Whether a board is in view. */
  wanted: boolean;
  socket: "closed" | "connecting" | "open";
  /** Whether the server has answered on this connection, so that the board is up to date. */
  current: boolean;
  /** Whether a connection was lost, or could not be made, and none has been made since. */
  lost: boolean;
}

export type ConnectionEvent =
  | "connecting"
  | "connected"
  | "closed"
  | "current"
  | "outdated"
  | "wanted"
  | "unwanted"
  | "online"
  | "offline";

export const INITIAL: Connection = { online: true, wanted: false, socket: "closed", current: false, lost: false };

/** The connection after an event; pure. */
export function reduce(state: Connection, event: ConnectionEvent): Connection {
  switch (event) {
    case "connecting":
      return { ...state, socket: "connecting", current: false };
    case "connected":
      return { ...state, socket: "open", current: false, lost: false };
    case "closed":
      return { ...state, socket: "closed", current: false, lost: state.wanted };
    case "current":
      return state.socket === "open" && !state.current ? { ...state, current: true } : state;
    case "outdated":
      return { ...state, current: false };
    case "wanted":
      return { ...state, wanted: true };
    case "unwanted":
      return { ...state, wanted: false, current: false, lost: false };
    case "online":
      return { ...state, online: true };
    case "offline":
      return { ...state, online: false };
  }
}

/** The light for a connection. */
export function light({ online, wanted, socket, current, lost }: Connection): Light {
  if (!wanted) return "paused";
  if (!online || lost) return "offline";
  return socket === "open" && current ? "live" : "catching-up";
}
