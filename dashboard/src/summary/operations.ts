import { graphql } from "../gql";

/** Daily counts by category over a period. */
export const Report = graphql(`
  query Report($from: Date!, $to: Date!) {
    attendanceReport(from: $from, to: $to) {
      from
      to
      categories {
        category
        days {
          date
          isWorkingDay
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
    }
  }
`);
