import { graphql } from "../gql";

/** Mark one person. The answer of a conflict carries what somebody else has stored meanwhile. */
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

/** Mark many people at once; the answer holds those who changed. */
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

/** Lock a day, or open it again. For administrators. */
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

/** Say whether a day is a working day, and what is special about it. For administrators. */
export const DescribeDay = graphql(`
  mutation DescribeDay($input: OpenAttendanceDayInput!) {
    openAttendanceDay(input: $input) {
      day {
        ...DayFields
      }
      errors {
        message
      }
    }
  }
`);
