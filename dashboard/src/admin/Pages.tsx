import type { ReactNode } from "react";
import { useState } from "react";

/** Props of one page of a list, which starts after a cursor. */
export interface PageProps {
  after: string | null;
  /** Loads the next page; null if it is shown already. */
  more: ((after: string) => void) | null;
}

/** A paginated list. Each page has its own query, so that the cache keeps each up to date. */
export function PagedList({ page }: { page: (props: PageProps) => ReactNode }) {
  const [afters, setAfters] = useState<(string | null)[]>([null]);
  return afters.map((after, index) =>
    page({
      after,
      more: index === afters.length - 1 ? (next) => setAfters([...afters, next]) : null,
    }),
  );
}

interface MoreProps {
  columns: number;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
  more: PageProps["more"];
}

export function MoreRow({ columns, pageInfo: { hasNextPage, endCursor }, more }: MoreProps) {
  if (more === null || !hasNextPage || endCursor === null) return null;
  return (
    <tr>
      <td colSpan={columns}>
        <button type="button" className="button" onClick={() => more(endCursor)}>
          Show more
        </button>
      </td>
    </tr>
  );
}

export function Say({ columns, children }: { columns: number; children: ReactNode }) {
  return (
    <tr>
      <td colSpan={columns} role="status">
        {children}
      </td>
    </tr>
  );
}
