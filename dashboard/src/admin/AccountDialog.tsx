import { type SubmitEvent, useState } from "react";

import { refusalOf } from "../api/client";
import { useApp } from "../app/context";
import { ROLES } from "../app/Shell";
import type { AccountFieldsFragment, Role } from "../gql/graphql";
import { Dialog } from "../ui/Dialog";
import { say } from "../ui/toasts";
import { CreateAccount, UpdateAccount } from "./operations";

const SHORTEST_PASSWORD = 12;

/** Adds or edits an account. */
export function AccountDialog({ account, onClose }: { account: AccountFieldsFragment | null; onClose: () => void }) {
  const { api } = useApp();
  const [problem, setProblem] = useState<string | null>(null);
  const [email, setEmail] = useState("");
  const [displayName, setDisplayName] = useState(account?.displayName ?? "");
  const [role, setRole] = useState<Role | null>(account ? account.role : "MARKER");
  const [password, setPassword] = useState("");
  const [isDisabled, setDisabled] = useState(account?.isDisabled ?? false);
  const ours = account?.issuer == null; // an identity provider keeps the passwords of its accounts

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    let refused: string | undefined;
    if (account === null) {
      const input = { email: email.trim(), displayName: displayName.trim() || null, role: role ?? "MARKER", password };
      const { data, error } = await api.client.mutation(CreateAccount, { input }).toPromise();
      refused = refusalOf(data?.createAccount, error);
    } else {
      const input = {
        id: account.id,
        ...(displayName.trim() !== account.displayName && { displayName: displayName.trim() }),
        ...(role !== null && role !== account.role && { role }),
        ...(isDisabled !== account.isDisabled && { isDisabled }),
        ...(password !== "" && { password }),
      };
      const { data, error } = await api.client.mutation(UpdateAccount, { input }).toPromise();
      refused = refusalOf(data?.updateAccount, error);
    }
    setProblem(refused ?? null);
    if (refused === undefined) {
      say("Account saved.");
      onClose();
    }
  };
  return (
    <Dialog title={account ? `Edit account: ${account.displayName}` : "Add account"} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {account === null && (
          <label className="field">
            <span>Email</span>
            <input
              className="input"
              type="email"
              autoComplete="off"
              required
              data-focus
              value={email}
              onChange={({ target }) => setEmail(target.value)}
            />
          </label>
        )}
        <label className="field">
          <span>Name</span>
          <input
            className="input"
            required={account !== null}
            maxLength={200}
            value={displayName}
            onChange={({ target }) => setDisplayName(target.value)}
          />
          <small>Shown next to the attendance that this account marks.</small>
        </label>
        <label className="field">
          <span>Role</span>
          <select className="input" value={role ?? ""} onChange={({ target }) => setRole(target.value as Role)}>
            {role === null && <option value="">Of a later release</option>}
            {Object.entries(ROLES).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        {ours && (
          <label className="field">
            <span>{account ? "New password" : "Password"}</span>
            <input
              className="input"
              type="password"
              autoComplete="new-password"
              required={account === null}
              minLength={SHORTEST_PASSWORD}
              value={password}
              onChange={({ target }) => setPassword(target.value)}
            />
            <small>
              At least {SHORTEST_PASSWORD} characters.
              {account && " Leave empty to keep the current one. A new password logs this account out everywhere."}
            </small>
          </label>
        )}
        {account && (
          <label className="check">
            <input type="checkbox" checked={isDisabled} onChange={({ target }) => setDisabled(target.checked)} />
            Disabled (cannot log in)
          </label>
        )}
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
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
