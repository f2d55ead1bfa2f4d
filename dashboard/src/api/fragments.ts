import { graphql } from "../gql";

/** What the boards show of one person on one day. Every operation that answers a record spreads it. */
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

/** A day without its records: what `attendanceDayUpdated` sends again and again. */
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

/** Whoever is logged in. */
export const ViewerFields = graphql(`
  fragment ViewerFields on Viewer {
    id
    displayName
    role
    timeZone
    organisation
    today
  }
`);
