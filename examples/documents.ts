/** What a board asks for. Whatever answers a record or a day answers its id: so caches know what has changed. */
import { graphql } from "./gql/index.ts";

export const Row = graphql(`
  fragment Row on Attendance {
    id
    staffName
    status
    note
    updatedBy
    version
    feedCursor
  }
`);

export const Counters = graphql(`
  fragment Counters on AttendanceDay {
    id
    summary {
      id
      total
      unmarked
      present
      late
      absent
    }
  }
`);

export const Board = graphql(`
  query Board($date: Date!) {
    attendanceDay(date: $date) {
      ...Counters
      records(first: 1000) {
        feedCursor
        edges {
          node {
            ...Row
          }
        }
      }
    }
  }
`);

/** Each change after the cursor, once and in order, and with it the day's counters as they are now. */
export const Watch = graphql(`
  subscription Watch($date: Date!, $after: String) {
    attendanceUpdated(date: $date, after: $after) {
      ...Row
      day {
        ...Counters
      }
    }
  }
`);

export const Mark = graphql(`
  mutation Mark($input: UpdateAttendanceInput!) {
    updateAttendance(input: $input) {
      attendance {
        ...Row
        day {
          ...Counters
        }
      }
      errors {
        code
        message
      }
    }
  }
`);
