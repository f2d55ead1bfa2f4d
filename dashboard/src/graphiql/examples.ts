/** The playground's first tabs: the operations that a front end starts with. */
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
    query: `# Every change on a day, exactly once and in order. Pass a feedCursor as "after" to resume from it.
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
    query: `# Mark one person. Take an id from the first tab's result.
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
