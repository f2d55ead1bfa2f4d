// #region page
import { Session } from "@memberstaff/client";

/** Goes on with the session of this browser; `token()` throws SessionEnded if there is none. */
export function goOn(address: string): Session {
  return new Session(address, { stored: true }, { storage: localStorage });
}

export function logIn(address: string, email: string, password: string): Session {
  return new Session(address, { email, password }, { storage: localStorage });
}
// #endregion
