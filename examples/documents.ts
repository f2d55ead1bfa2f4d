/** What a board asks for. Whatever answers a record, a day or its counts answers its id and sequence: see docs/clients.md. */
import { graphql } from "./gql/index.ts";

// #region page
export const Row = graphql(`
  fragment Row on Attendance {
    id
    staffName
    status
    note
    updatedBy
    version
    sequence
    feedCursor
  }
`);

export const Counters = graphql(`
  fragment Counters on AttendanceDay {
    id
    sequence
    rosterVersion
    summary {
      id
      sequence
      total
      unmarked
      present
      late
      absent
    }
  }
`);
// #endregion

export const Board = graphql(`
  query Board($date: Date!) {
    attendanceDay(date: $date) {
      ...Counters
      records(first: 1000) {
        feedCursor
        rosterVersion
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
