#!/usr/bin/env bash
# Mark somebody today:   TOKEN=… ./examples/mark.sh NAME STATUS [NOTE]
set -euo pipefail
ask() {
  curl -sS "${ADDRESS:-http://127.0.0.1:8000}/graphql" -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -d @-
}
id=$(
  ask <<JSON | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["staff"]["edges"][0]["node"]["id"])'
{
  "query": "query (\$name: String) { staff(filter: {search: \$name}) { edges { node { id } } } }",
  "variables": {"name": "$1"}
}
JSON
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
