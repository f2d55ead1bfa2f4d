#!/usr/bin/env bash
# Log in, and print an access token:   ./examples/login.sh EMAIL PASSWORD
set -euo pipefail
answer=$(
  curl -sS "${ADDRESS:-http://127.0.0.1:8000}/graphql" -H 'Content-Type: application/json' -d @- <<JSON
{
  "query": "mutation (\$input: LoginInput!) { login(input: \$input) { accessToken errors { message } } }",
  "variables": {"input": {"email": "$1", "password": "$2"}}
}
JSON
)
python3 -c '
import json, sys

answer = json.loads(sys.argv[1])
login = (answer.get("data") or {}).get("login") or {"errors": []}
for error in answer.get("errors", []) + login["errors"]:
    sys.exit(error["message"])
print(login["accessToken"])
' "$answer"
