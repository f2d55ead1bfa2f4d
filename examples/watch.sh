#!/usr/bin/env bash
# Show every change of today as it happens:   TOKEN=… ./examples/watch.sh
set -euo pipefail
exec curl -sSN "${ADDRESS:-http://127.0.0.1:8000}/graphql" -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -H 'Accept: text/event-stream' -d @- <<JSON
{
  "query": "subscription (\$date: Date!) { attendanceUpdated(date: \$date) { staffName status note updatedBy } }",
  "variables": {"date": "$(date -u +%F)"}
}
JSON
