// #region page
import { Session } from "@memberstaff/client";

export function begin(address: string, email: string, password: string): Session {
  const stored = localStorage.getItem("memberstaff");
  return new Session(address, stored ? { refreshToken: stored } : { email, password }, {
    store: (token) => (token ? localStorage.setItem("memberstaff", token) : localStorage.removeItem("memberstaff")),
  });
}
// #endregion
