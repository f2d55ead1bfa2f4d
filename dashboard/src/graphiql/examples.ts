/** What the playground shows first: the operations with which a front end begins. */
export const EXAMPLES: { query: string; variables?: string }[] = [
  {
    query: `# Who is at work today? Run it with Ctrl-Enter.
query Today {
  attendanceDay {
    date
    state
    summary {
      total
      unmarked
      present
      late
      absent
      presentRate
    }
    records(first: 10) {
      feedCursor
      edges {
        node {
          id
          staffName
          staffCategory
          status
          version
        }
      }
    }
  }
}
`,
  },
  {
    query: `# Everything that changes on a day, once and in order. Put a feedCursor into "after" to miss nothing.
subscription Changes($date: Date!, $after: String) {
  attendanceUpdated(date: $date, after: $after) {
    staffName
    status
    updatedBy
    updatedAt
    version
    feedCursor
  }
}
`,
    variables: "today",
  },
  {
    query: `# Mark one person; the id is one of the first tab's records.
mutation Mark($id: ID!) {
  updateAttendance(input: { target: { id: $id }, status: LATE }) {
    attendance {
      staffName
      status
      version
    }
    errors {
      code
      message
      path
    }
  }
}
`,
    variables: '{\n  "id": ""\n}',
  },
];
