import { infoOf, type Status } from "../live/statuses";
import { StatusIcon } from "./Icon";

/** A status as an icon and a word, never by colour alone. */
export function Pill({ status }: { status: Status }) {
  return (
    <span className="pill" data-status={status}>
      <StatusIcon status={status} size={14} />
      {infoOf(status).label}
    </span>
  );
}
