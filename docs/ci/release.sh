#!/bin/sh
# Adds an index file to a registry as a release, measures it beside the champion, and lets it become the champion
# if it keeps the registry's policy.json. Works in any CI system that has the elanus command.
#
#   release.sh REGISTRY NAME INDEX QUERIES [more of `elanus registry evaluate`, such as --vectors FILE or --qrels FILE]
#
# It leaves elanus-report/evaluation.html for people and elanus-report/gate.xml (JUnit) for the CI system, and exits
# with 0 if the release is the champion now, with 1 if the gate refused it: it then stays in the registry, as the
# challenger, to be looked at. A run that was broken off can be started again.
set -eu

if [ "$#" -lt 4 ]; then
  echo "usage: $0 REGISTRY NAME INDEX QUERIES [options of elanus registry evaluate]" >&2
  exit 2
fi
registry=$1 name=$2 index=$3 queries=$4
shift 4
elanus=${ELANUS:-elanus}
report=${ELANUS_REPORT:-elanus-report}
mkdir -p "$report"

in_registry() { command=$1; shift; "$elanus" registry "$command" --registry "$registry" --quiet "$@"; }

[ -e "$registry/registry.json" ] || in_registry init
in_registry verify
if ! in_registry show "$name" > /dev/null 2>&1; then
  in_registry add "$index" --name "$name" --alias challenger
fi
in_registry evaluate "$name" "$queries" "$@" --html "$report/evaluation.html"
in_registry promote "$name" --junit "$report/gate.xml" --reason "${ELANUS_REASON:-the gate let it through}"
