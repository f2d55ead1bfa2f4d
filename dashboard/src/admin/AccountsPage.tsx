import { useDeferredValue, useState } from "react";
import { useQuery } from "urql";

import { explain } from "../api/client";
import { useApp } from "../app/context";
import { useParameters } from "../app/router";
import { ROLES } from "../app/Shell";
import type { AccountFieldsFragment } from "../gql/graphql";
import { momentOf } from "../live/dates";
import { Icon } from "../ui/Icon";
import { AccountDialog } from "./AccountDialog";
import { AccountsPage as Query } from "./operations";
import { MoreRow, PagedList, type PageProps, Say } from "./Pages";

const COLUMNS = 5;

/** Who may log in, and in which role. */
export function AccountsPage() {
  const [parameters, setParameters] = useParameters();
  const [edited, setEdited] = useState<AccountFieldsFragment | "new" | null>(null);
  const search = parameters.get("q") ?? "";
  const wanted = useDeferredValue(search);
  return (
    <>
      <div className="pagehead">
        <h1>Accounts</h1>
        <input
          type="search"
          className="input"
          aria-label="Search accounts"
          placeholder="Search accounts"
          value={search}
          onChange={({ target }) => setParameters({ q: target.value })}
        />
        <button type="button" className="button primary" onClick={() => setEdited("new")}>
          <Icon name="plus" size={16} /> Add account
        </button>
      </div>
      <div className="card scroller">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Email</th>
              <th scope="col">Role</th>
              <th scope="col">Created</th>
              <th scope="col" className="end">
                <span className="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            <PagedList
              key={wanted}
              page={(props) => <Rows key={props.after} {...props} search={wanted} edit={setEdited} />}
            />
          </tbody>
        </table>
      </div>
      {edited && <AccountDialog account={edited === "new" ? null : edited} onClose={() => setEdited(null)} />}
    </>
  );
}

function Rows({
  after,
  more,
  search,
  edit,
}: PageProps & { search: string; edit: (account: AccountFieldsFragment) => void }) {
  const { viewer } = useApp();
  const [{ data, error }] = useQuery({
    query: Query,
    variables: { after, search: search.trim() || null },
    requestPolicy: "cache-and-network",
  });
  if (!data?.accounts) return <Say columns={COLUMNS}>{error ? explain(error) : "Loading…"}</Say>;
  const { edges, pageInfo } = data.accounts;
  if (edges.length === 0) return <Say columns={COLUMNS}>No matches.</Say>;
  return (
    <>
      {edges.map(({ node }) => (
        <tr key={node.id}>
          <td>
            <strong>{node.displayName}</strong> {node.id === viewer.accountId && <span className="badge accent">You</span>}{" "}
            {node.isDisabled && <span className="badge">Disabled</span>}
          </td>
          <td>{node.email ?? node.issuer}</td>
          <td>{node.role ? ROLES[node.role] : "Of a later release"}</td>
          <td className="numbers">{momentOf(node.createdAt, viewer.timeZone)}</td>
          <td className="end">
            <button
              type="button"
              className="button quiet icon"
              aria-label={`Edit account: ${node.displayName}`}
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
