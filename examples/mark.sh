#!/usr/bin/env bash
# Mark somebody today:   TOKEN=… ./examples/mark.sh NAME STATUS [NOTE]
set -euo pipefail
ask() {
  curl -sS "${ADDRESS:-http://127.0.0.1:8000}/graphql" -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -d @-
}
found=$(
  ask <<JSON
{
  "query": "query (\$name: String) { staff(filter: {search: \$name}) { edges { node { id } } } }",
  "variables": {"name": "$1"}
}
JSON
)
id=$(
  python3 -c '
import json, sys

answer = json.loads(sys.argv[1])
for error in answer.get("errors", []):
    sys.exit(error["message"])
for edge in answer["data"]["staff"]["edges"]:
    print(edge["node"]["id"])
    sys.exit()
sys.exit("Nobody has this name.")
' "$found"
)
ask <<JSON
{
  "query": "mutation (\$mark: UpdateAttendanceInput!) { updateAttendance(input: \$mark) { attendance { staffName status } errors { message } } }",
  "variables": {
    "mark": {
      "target": {"staffDate": {"staffId": "$id", "date": "$(date -u +%F)"}},
      "status": "$2",
      "note": "${3:-}"
    }
  }
}
JSON
