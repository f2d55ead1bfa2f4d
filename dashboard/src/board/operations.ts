import { graphql } from "../gql";

/** Mark one person. A conflict returns the record as somebody else has changed it. */
export const UpdateAttendance = graphql(`
  mutation UpdateAttendance($input: UpdateAttendanceInput!) {
    updateAttendance(input: $input) {
      attendance {
        ...AttendanceFields
      }
      errors {
        __typename
        code
        message
        ... on VersionConflictError {
          current {
            ...AttendanceFields
          }
        }
      }
    }
  }
`);

/** Mark many people at once; returns the records that changed. */
export const BulkUpdateAttendance = graphql(`
  mutation BulkUpdateAttendance($input: BulkUpdateAttendanceInput!) {
    bulkUpdateAttendance(input: $input) {
      attendances {
        ...AttendanceFields
      }
      errors {
        code
        message
      }
    }
  }
`);

export const RecordHistory = graphql(`
  query RecordHistory($id: ID!, $after: String) {
    attendance(target: { id: $id }) {
      id
      history(first: 50, after: $after) {
        pageInfo {
          hasNextPage
          endCursor
        }
        edges {
          node {
            id
            status
            note
            changedAt
            changedBy
            version
          }
        }
      }
    }
  }
`);

/** Lock or unlock a day. For administrators. */
export const SetDayState = graphql(`
  mutation SetDayState($input: SetAttendanceDayStateInput!) {
    setAttendanceDayState(input: $input) {
      day {
        ...DayFields
      }
      errors {
        message
      }
    }
  }
`);

/** Set a day's label, and whether it is a working day. For administrators. */
export const DescribeDay = graphql(`
  mutation DescribeDay($input: UpdateAttendanceDayInput!) {
    updateAttendanceDay(input: $input) {
      day {
        ...DayFields
      }
      errors {
        message
      }
    }
  }
`);
