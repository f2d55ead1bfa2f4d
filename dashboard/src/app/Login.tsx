import type { Session } from "@memberstaff/client";
import { type SubmitEvent, useEffect, useState } from "react";

import { explain } from "../api/client";
import { Logo } from "../ui/Logo";
import { navigate, usePath } from "./router";

/** `reason` says why a login that was here has ended. */
export function Login({ session, reason }: { session: Session; reason: string | null }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const path = usePath();

  useEffect(() => {
    document.title = "Log in · memberstaff";
  }, []);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    const refused = await session.login(email, password).then(() => null, explain);
    setBusy(false);
    setProblem(refused);
    if (refused === null && path === "/login") navigate("/", { replace: true });
  };
  return (
    <main className="login">
      <form className="card" onSubmit={(event) => void submit(event)} aria-labelledby="login-title">
        <Logo size={40} />
        <h1 id="login-title">Log in</h1>
        {reason !== null && problem === null && <p role="status">{reason}</p>}
        <label className="field">
          <span>Email</span>
          <input
            className="input"
            type="email"
            name="email"
            autoComplete="username"
            required
            autoFocus
            value={email}
            onChange={({ target }) => setEmail(target.value)}
          />
        </label>
        <label className="field">
          <span>Password</span>
          <input
            className="input"
            type="password"
            name="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={({ target }) => setPassword(target.value)}
          />
        </label>
        {problem !== null && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" className="button primary" disabled={busy}>
          Log in
        </button>
      </form>
    </main>
  );
}
