import { graphql } from "../gql";

/** Each category's counts on each day of a span. */
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
