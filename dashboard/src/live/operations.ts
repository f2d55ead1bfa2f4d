import { graphql } from "../gql";

/** A page of a day's board, with the cursor from which to subscribe. */
export const DayBoard = graphql(`
  query DayBoard($date: Date!, $after: String) {
    attendanceDay(date: $date) {
      ...DayFields
      records(first: 1000, after: $after) {
        feedCursor
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

/** Each change of the day after the cursor, exactly once and in order. */
export const AttendanceUpdated = graphql(`
  subscription AttendanceUpdated($date: Date!, $after: String) {
    attendanceUpdated(date: $date, after: $after) {
      ...AttendanceFields
    }
  }
`);

/** The day's counts, lock and label: its state now, and again whenever it changes. */
export const AttendanceDayUpdated = graphql(`
  subscription AttendanceDayUpdated($date: Date!) {
    attendanceDayUpdated(date: $date) {
      ...DayFields
    }
  }
`);

/** The organisation's current date. */
export const Today = graphql(`
  query Today {
    viewer {
      id
      today
    }
  }
`);
