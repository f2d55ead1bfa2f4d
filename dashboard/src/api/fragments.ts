import { graphql } from "../gql";

/** One person's attendance on one day. Every operation that returns a record spreads it. */
export const AttendanceFields = graphql(`
  fragment AttendanceFields on Attendance {
    id
    date
    staffId
    staffName
    staffCategory
    staffPhotoUrl
    status
    note
    photoUrl
    updatedAt
    updatedBy
    version
    feedCursor
  }
`);

/** A day without its records, as `attendanceDayUpdated` sends it after each change. */
export const DayFields = graphql(`
  fragment DayFields on AttendanceDay {
    id
    date
    state
    label
    isWorkingDay
    rosterVersion
    summary {
      id
      total
      unmarked
      present
      late
      halfDay
      remote
      onLeave
      absent
      presentRate
    }
  }
`);

/** The logged-in account. */
export const ViewerFields = graphql(`
  fragment ViewerFields on Viewer {
    id
    accountId
    displayName
    role
    timeZone
    organisation
    today
  }
`);
