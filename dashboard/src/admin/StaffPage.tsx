import { useDeferredValue, useState } from "react";
import { useQuery } from "urql";

import { explain } from "../api/client";
import { useToday } from "../app/context";
import { useParameters } from "../app/router";
import type { StaffFieldsFragment } from "../gql/graphql";
import { isDay } from "../live/dates";
import { Avatar } from "../ui/Avatar";
import { Icon } from "../ui/Icon";
import { StaffPage as Query } from "./operations";
import { MoreRow, PagedList, type PageProps, Say } from "./Pages";
import { StaffDialog } from "./StaffDialog";

const COLUMNS = 6;

/** The roster: everybody employed on a day. */
export function StaffPage() {
  const today = useToday();
  const [parameters, setParameters] = useParameters();
  const [edited, setEdited] = useState<StaffFieldsFragment | "new" | null>(null);
  const search = parameters.get("q") ?? "";
  const on = isDay(parameters.get("on") ?? "") ? (parameters.get("on") ?? today) : today;
  const wanted = useDeferredValue(search);
  return (
    <>
      <div className="pagehead">
        <h1>Staff</h1>
        <input
          type="search"
          className="input"
          aria-label="Search staff"
          placeholder="Search staff"
          value={search}
          onChange={({ target }) => setParameters({ q: target.value })}
        />
        <input
          type="date"
          className="input"
          aria-label="Employed on"
          title="Employed on"
          required
          value={on}
          onChange={({ target }) => setParameters({ on: isDay(target.value) ? target.value : "" })}
        />
        <button type="button" className="button primary" onClick={() => setEdited("new")}>
          <Icon name="plus" size={16} /> Add person
        </button>
      </div>
      <div className="card scroller">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Category</th>
              <th scope="col">Reference</th>
              <th scope="col">From</th>
              <th scope="col">Until</th>
              <th scope="col" className="end">
                <span className="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            <PagedList
              key={`${wanted} ${on}`}
              page={(props) => <Rows key={props.after} {...props} search={wanted} on={on} edit={setEdited} />}
            />
          </tbody>
        </table>
      </div>
      {edited && <StaffDialog staff={edited === "new" ? null : edited} onClose={() => setEdited(null)} />}
    </>
  );
}

interface RowsProps extends PageProps {
  search: string;
  on: string;
  edit: (staff: StaffFieldsFragment) => void;
}

function Rows({ after, more, search, on, edit }: RowsProps) {
  const [{ data, error }] = useQuery({
    query: Query,
    variables: { after, filter: { search: search.trim() || null, on } },
    requestPolicy: "cache-and-network",
  });
  if (!data?.staff) return <Say columns={COLUMNS}>{error ? explain(error) : "Loading…"}</Say>;
  const { edges, pageInfo } = data.staff;
  if (edges.length === 0) return <Say columns={COLUMNS}>No matches.</Say>;
  return (
    <>
      {edges.map(({ node }) => (
        <tr key={node.id}>
          <td>
            <div className="person">
              <Avatar name={node.name} url={node.photoUrl} />
              <strong>{node.name}</strong>
            </div>
          </td>
          <td>{node.category}</td>
          <td className="numbers">{node.externalRef ?? "–"}</td>
          <td className="numbers">{node.startsOn}</td>
          <td className="numbers">{node.endsOn ?? "–"}</td>
          <td className="end">
            <button
              type="button"
              className="button quiet icon"
              aria-label={`Edit ${node.name}`}
              onClick={() => edit(node)}
            >
              <Icon name="edit" />
            </button>
          </td>
        </tr>
      ))}
      <MoreRow columns={COLUMNS} pageInfo={pageInfo} more={more} />
    </>
  );
}
