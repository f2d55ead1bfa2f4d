/** For relay-compiler, which compiles them into __generated__; never run. */
import { graphql } from "relay-runtime";

graphql`
query Board($date: Date!, $after: String) {
  attendanceDay(date: $date) {
    id
    date
    state
    label
    isWorkingDay
    rosterVersion
    sequence
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
      onSite
      sequence
    }
    records(first: 1000, after: $after) {
      feedCursor
      rosterVersion
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        cursor
        node {
          id
          date
          staffId
          staffName
          staffCategory
          staffPhotoUrl
          status
          note
          photoUrl
          reason {
            id
            name
          }
          arrivedAt
          leftAt
          isOnSite
          updatedAt
          updatedBy
          version
          sequence
          feedCursor
        }
      }
    }
  }
}
`;

graphql`
subscription Changes($date: Date!, $after: String) {
  attendanceUpdated(date: $date, after: $after) {
    id
    date
    staffId
    staffName
    staffCategory
    staffPhotoUrl
    status
    note
    photoUrl
    reason {
      id
      name
    }
    arrivedAt
    leftAt
    isOnSite
    updatedAt
    updatedBy
    version
    sequence
    feedCursor
    day {
      id
      date
      state
      label
      isWorkingDay
      rosterVersion
      sequence
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
        onSite
        sequence
      }
    }
  }
}
`;

graphql`
subscription State($date: Date!) {
  attendanceDayUpdated(date: $date) {
    id
    date
    state
    label
    isWorkingDay
    rosterVersion
    sequence
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
      onSite
      sequence
    }
  }
}
`;

graphql`
mutation Mark($input: UpdateAttendanceInput!) {
  updateAttendance(input: $input) {
    attendance {
      id
      date
      staffId
      staffName
      staffCategory
      staffPhotoUrl
      status
      note
      photoUrl
      reason {
        id
        name
      }
      arrivedAt
      leftAt
      isOnSite
      updatedAt
      updatedBy
      version
      sequence
      feedCursor
      day {
        id
        date
        state
        label
        isWorkingDay
        rosterVersion
        sequence
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
          onSite
          sequence
        }
      }
    }
    errors {
      code
      message
      path
      ... on VersionConflictError {
        current {
          id
          date
          staffId
          staffName
          staffCategory
          staffPhotoUrl
          status
          note
          photoUrl
          reason {
            id
            name
          }
          arrivedAt
          leftAt
          isOnSite
          updatedAt
          updatedBy
          version
          sequence
          feedCursor
        }
      }
    }
  }
}
`;