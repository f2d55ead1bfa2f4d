import { type SubmitEvent, useState } from "react";

import { refusalOf } from "../api/client";
import { useApp, useToday } from "../app/context";
import type { StaffFieldsFragment } from "../gql/graphql";
import { Dialog } from "../ui/Dialog";
import { say } from "../ui/toasts";
import { CreateStaff, UpdateStaff } from "./operations";

/** Adds or edits a person. */
export function StaffDialog({ staff, onClose }: { staff: StaffFieldsFragment | null; onClose: () => void }) {
  const { api } = useApp();
  const today = useToday();
  const [problem, setProblem] = useState<string | null>(null);
  const [name, setName] = useState(staff?.name ?? "");
  const [category, setCategory] = useState(staff?.category ?? "");
  const [externalRef, setExternalRef] = useState(staff?.externalRef ?? "");
  const [photoUrl, setPhotoUrl] = useState(staff?.photoUrl ?? "");
  const [startsOn, setStartsOn] = useState(staff?.startsOn ?? today);
  const [endsOn, setEndsOn] = useState(staff?.endsOn ?? "");

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const input = {
      name: name.trim(),
      category: category.trim() || null,
      externalRef: externalRef.trim() || null,
      photoUrl: photoUrl.trim() || null,
      startsOn,
      endsOn: endsOn || null,
    };
    let refused: string | undefined;
    if (staff === null) {
      const { data, error } = await api.client.mutation(CreateStaff, { input }).toPromise();
      refused = refusalOf(data?.createStaff, error);
    } else {
      const changes = { ...input, id: staff.id, expectedVersion: staff.version };
      const { data, error } = await api.client.mutation(UpdateStaff, { input: changes }).toPromise();
      refused = refusalOf(data?.updateStaff, error);
    }
    setProblem(refused ?? null);
    if (refused === undefined) {
      say(`${input.name} saved.`);
      onClose();
    }
  };
  return (
    <Dialog title={staff ? staff.name : "Add person"} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <label className="field">
          <span>Name</span>
          <input
            className="input"
            required
            data-focus
            maxLength={200}
            value={name}
            onChange={({ target }) => setName(target.value)}
          />
        </label>
        <div className="pair">
          <label className="field">
            <span>Category</span>
            <input
              className="input"
              placeholder="Teaching"
              value={category}
              onChange={({ target }) => setCategory(target.value)}
            />
          </label>
          <label className="field">
            <span>Reference</span>
            <input className="input" value={externalRef} onChange={({ target }) => setExternalRef(target.value)} />
            <small>ID in another system; must be unique</small>
          </label>
        </div>
        <div className="pair">
          <label className="field">
            <span>First day</span>
            <input
              type="date"
              className="input"
              required
              value={startsOn}
              onChange={({ target }) => setStartsOn(target.value)}
            />
          </label>
          <label className="field">
            <span>Last day</span>
            <input
              type="date"
              className="input"
              min={startsOn}
              value={endsOn}
              onChange={({ target }) => setEndsOn(target.value)}
            />
          </label>
        </div>
        <label className="field">
          <span>Photo URL</span>
          <input className="input" value={photoUrl} onChange={({ target }) => setPhotoUrl(target.value)} />
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
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
