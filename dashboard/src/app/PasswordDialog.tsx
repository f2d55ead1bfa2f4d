import { type SubmitEvent, useState } from "react";

import { explain } from "../api/client";
import { Dialog } from "../ui/Dialog";
import { say } from "../ui/toasts";
import { useApp } from "./context";

export function PasswordDialog({ onClose }: { onClose: () => void }) {
  const { session } = useApp();
  const [currentPassword, setCurrent] = useState("");
  const [newPassword, setNew] = useState("");
  const [problem, setProblem] = useState<string | null>(null);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const refused = await session.changePassword(currentPassword, newPassword).then(() => null, explain);
    setProblem(refused);
    if (refused === null) {
      say("Password changed. You have been logged out everywhere else.");
      onClose();
    }
  };
  return (
    <Dialog title="Change password" onClose={onClose}>
      <form className="form" onSubmit={(event) => void submit(event)}>
        <label className="field">
          <span>Current password</span>
          <input
            className="input"
            type="password"
            autoComplete="current-password"
            required
            data-focus
            value={currentPassword}
            onChange={({ target }) => setCurrent(target.value)}
          />
        </label>
        <label className="field">
          <span>New password</span>
          <input
            className="input"
            type="password"
            autoComplete="new-password"
            required
            value={newPassword}
            onChange={({ target }) => setNew(target.value)}
          />
        </label>
        {problem !== null && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <div className="actions">
          <button type="button" className="button quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary">
            Change password
          </button>
        </div>
      </form>
    </Dialog>
  );
}
