import { graphql } from "../gql";

/** One person's attendance on one day. Every operation that returns a record spreads it: `sequence` orders its answers. */
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
    arrivedAt
    leftAt
    updatedAt
    updatedBy
    version
    sequence
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
    sequence
    summary {
      id
      sequence
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
