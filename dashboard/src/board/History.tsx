import { useQuery } from "urql";

import { useApp } from "../app/context";
import { explain } from "../api/client";
import type { Attendance } from "../live/day";
import { momentOf } from "../live/dates";
import { Dialog } from "../ui/Dialog";
import { Pill } from "../ui/Pill";
import { RecordHistory } from "./operations";

/** Every change of one record, newest first. */
export function History({ record, onClose }: { record: Attendance; onClose: () => void }) {
  return (
    <Dialog title={`History for ${record.staffName}`} kind="panel" onClose={onClose}>
      {record.version === 0 ? (
        <p>Nothing has been recorded yet.</p>
      ) : (
        // A new version has a new history to load.
        <Changes key={record.version} id={record.id} />
      )}
    </Dialog>
  );
}

function Changes({ id }: { id: string }) {
  const { viewer } = useApp();
  const [{ data, error }] = useQuery({ query: RecordHistory, variables: { id }, requestPolicy: "network-only" });
  if (error && !data) return <p role="alert">{explain(error)}</p>;
  const changes = data?.attendance?.history.edges;
  if (!changes) return <p role="status">Loading…</p>;
  return (
    <>
      <ol className="changes">
        {changes.map(({ node }) => (
          <li key={node.id} data-status={node.status}>
            <Pill status={node.status} />
            {node.note && <p>{node.note}</p>}
            <p className="by">
              {node.changedBy ?? "Import"}, <time dateTime={node.changedAt}>{momentOf(node.changedAt, viewer.timeZone)}</time>
            </p>
          </li>
        ))}
      </ol>
      {data.attendance?.history.pageInfo.hasNextPage && <p>Only the latest {changes.length} changes are shown.</p>}
    </>
  );
}
