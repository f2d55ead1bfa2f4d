import { graphql } from "../gql";
import type { Day } from "./dates";

/** A page of a day's board, with the cursor from which to subscribe. */
export const DayBoard = graphql(`
  query DayBoard($date: Date!, $after: String) {
    attendanceDay(date: $date) {
      ...DayFields
      records(first: 1000, after: $after) {
        feedCursor
        rosterVersion
        totalCount
        pageInfo {
          hasNextPage
          endCursor
        }
        edges {
          node {
            ...AttendanceFields
          }
        }
      }
    }
  }
`);

/** The variables of a page, as `watchDay` asks for it: the cache has it under no others. */
export function pageOf(date: Day, after: string | null): { date: Day; after?: string } {
  return after === null ? { date } : { date, after };
}

/** Each change of the day after the cursor, exactly once and in order. */
export const AttendanceUpdated = graphql(`
  subscription AttendanceUpdated($date: Date!, $after: String) {
    attendanceUpdated(date: $date, after: $after) {
      ...AttendanceFields
    }
  }
`);
