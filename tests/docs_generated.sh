#!/usr/bin/env bash
# docs/configuration.md and docs/agent.schema.json are what the binary prints; every component has a page.
set -euo pipefail
agent=$1
status=0
diff -u docs/configuration.md <("$agent" reference) || { echo "run: $agent reference > docs/configuration.md"; status=1; }
diff -u docs/agent.schema.json <("$agent" schema) || { echo "run: $agent schema > docs/agent.schema.json"; status=1; }
python3 -c 'import json, sys; json.load(open(sys.argv[1]))' docs/agent.schema.json || status=1
while read -r kind type _; do
  [ -f "docs/${kind}s/$type.md" ] || { echo "docs/${kind}s/$type.md is missing"; status=1; }
done < <("$agent" list)
exit $status
