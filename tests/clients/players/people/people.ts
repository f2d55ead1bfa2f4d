/** What relay-compiler makes of lists: pages that are joined, and nodes that are added. Compiled, and never run. */
import { graphql } from "relay-runtime";

graphql`
  query peopleQuery {
    ...people_staff
  }
`;

graphql`
  fragment people_staff on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" })
  @refetchable(queryName: "peopleStaffQuery") {
    staff(first: $count, after: $cursor) @connection(key: "people_staff") {
      edges {
        node {
          id
          name
        }
      }
    }
  }
`;

graphql`
  mutation peopleHireMutation($input: CreateStaffInput!, $connections: [ID!]!) {
    createStaff(input: $input) {
      staff @appendNode(connections: $connections, edgeTypeName: "StaffEdge") {
        id
        name
      }
      errors {
        message
      }
    }
  }
`;

graphql`
  subscription peopleChangesSubscription($date: Date!, $connections: [ID!]!) {
    attendanceUpdated(date: $date) @appendNode(connections: $connections, edgeTypeName: "AttendanceEdge") {
      id
      sequence
      status
    }
  }
`;

graphql`
  fragment people_history on Attendance
  @argumentDefinitions(count: { type: "Int", defaultValue: 1 }, cursor: { type: "String" })
  @refetchable(queryName: "peopleHistoryQuery") {
    history(first: $count, after: $cursor) @connection(key: "people_history") {
      edges {
        node {
          status
        }
      }
    }
  }
`;

graphql`
  query peopleBoardQuery($date: Date!, $after: String) {
    attendanceDay(date: $date) {
      id
      sequence
      records(first: 2, after: $after) {
        feedCursor
        rosterVersion
        pageInfo {
          hasNextPage
          endCursor
        }
        edges {
          node {
            id
            sequence
            staffName
          }
        }
      }
    }
  }
`;
