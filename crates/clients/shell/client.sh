#!/usr/bin/env bash
# Commands and queries from a shell, by grpcurl and jq, with what a script in
# earnest needs. grpcurl learns the protos from the services (reflection).
#
# Usage: client.sh [COMMAND_ADDRESS [QUERY_ADDRESS]]
set -euo pipefail

commands=("${1:-127.0.0.1:50051}" circles.v1.CircleCommandService)
queries=("${2:-127.0.0.1:50052}" circles.v1.CircleQueryService)

# In seconds. A call without a deadline may wait for ever.
deadline=10

# grpcurl ends with 64 and the number of the status.
invalid_argument=67 resource_exhausted=72 aborted=74 unavailable=78

# Fields that are 0 or empty are shown as well, and failures as JSON.
grpcurl=(grpcurl -plaintext -emit-defaults -format-error -max-time "$deadline")

# call ADDRESS SERVICE METHOD REQUEST: prints the answer, or the failure where the
# caller may know what to do (INVALID_ARGUMENT, ABORTED), and returns the status.
# Tries again where that helps: when the service asks for it, else after a second.
call() {
  local address=$1 method=$2/$3 request=$4 answer failure status try
  failure=$(mktemp)
  for try in 1 2 3 4 5; do
    status=0
    answer=$("${grpcurl[@]}" -d "$request" "$address" "$method" 2>"$failure") || status=$?
    if ((status != unavailable && status != resource_exhausted)) || ((try == 5)); then break; fi
    sleep "$(delay <"$failure")"
  done
  case $status in
    0) printf '%s\n' "$answer" ;;
    "$invalid_argument" | "$aborted") cat "$failure" ;;
    *) jq -r '"\(.message) (\(.details[0].reason // "no reason"))"' "$failure" >&2 2>/dev/null || cat "$failure" >&2 ;;
  esac
  rm "$failure"
  return "$status"
}

# In a failure without details, as of a refused connection, there is none.
delay() {
  detail RetryInfo ".retryDelay // empty" 2>/dev/null | tr -d s | grep . || echo 1
}

# detail TYPE FILTER: from a detail of a failure.
detail() {
  jq -r ".details[] | select(.\"@type\" | endswith(\".$1\")) | $2"
}

# The request_id makes a command safe to repeat, for the retries above as well: a
# second one under the same id changes nothing and gets the answer of the first.
request_id() {
  cat /proc/sys/kernel/random/uuid
}

creation() {
  jq -n --arg name "$1" --argjson capacity "$2" --arg id "$(request_id)" '{name: $name, capacity: $capacity, request_id: $id}'
}

create() {
  call "${commands[@]}" CreateCircle "$1"
}

# show WHAT: an answer of a command.
show() {
  jq -r --arg what "$1" '"\($what): \(.circleId), version \(.version), sequence \(.sequence)"'
}

# Every field that breaks a rule is named, for a form to show beside it.
show_bad_fields() {
  local failure status=0
  failure=$(create "$(creation ' ' 2)") || status=$?
  ((status == invalid_argument)) || return "$status"
  detail BadRequest '.fieldViolations[] | "invalid \(.field): \(.description)"' <<<"$failure"
}

# update ID VERSION CAPACITY: changes a circle that is as the caller saw it, or
# as it has become meanwhile. Sets `updated`.
update() {
  local id=$1 version=$2 request status
  while :; do
    request=$(jq -n --arg circle "$id" --argjson version "$version" --argjson capacity "$3" --arg id "$(request_id)" \
      '{circle_id: $circle, version: $version, capacity: $capacity, request_id: $id}')
    status=0
    updated=$(call "${commands[@]}" UpdateCircle "$request") || status=$?
    if ((status == 0)); then break; fi
    ((status == aborted)) || return "$status"
    # Somebody else was faster. A program in earnest reads the circle again
    # here, and decides whether its change still makes sense.
    version=$(detail ErrorInfo .metadata.present_version <<<"$updated")
    echo "conflict: the circle has version $version now"
  done
  jq -r '"updated: version \(.version), sequence \(.sequence)"' <<<"$updated"
}

# list_all PREFIX MIN_SEQUENCE: all circles with such a name, in `circles`, and
# in `sequence` where a watch goes on from.
list_all() {
  local token='' page request
  circles='{}' sequence=''
  while :; do
    request=$(jq -n --arg prefix "$1" --arg min "$2" --arg token "$token" \
      '{page_size: 2, page_token: $token, filter: {name_prefix: $prefix}, min_sequence: $min}')
    page=$(call "${queries[@]}" ListCircles "$request")
    jq -r '"page: " + ([.circles[].name] | join(", "))' <<<"$page"
    circles=$(jq -n --argjson circles "$circles" --argjson page "$page" '$circles + ($page.circles | INDEX(.circleId))')
    # Of the first page: what changed while the others were read is then told again.
    sequence=${sequence:-$(jq -r .sequence <<<"$page")}
    token=$(jq -r .nextPageToken <<<"$page")
    [[ -n $token ]] || break
  done
}

# watch SEQUENCE UNTIL: keeps the circles as they become, until a change with this
# sequence. After an interruption (UNAVAILABLE, RESOURCE_EXHAUSTED, the deadline)
# watch again from the last sequence received. OUT_OF_RANGE: that is too long
# ago; list again.
watch() {
  local request messages change came=''
  request=$(jq -n --arg sequence "$1" --argjson circles "$circles" '{from_sequence: $sequence, circle_ids: ($circles | keys)}')
  exec {messages}< <(exec "${grpcurl[@]}" -d "$request" "${queries[0]}" "${queries[1]}/WatchCircles")
  local watching=$!
  while read -r change; do
    circles=$(jq -n --argjson circles "$circles" --argjson change "$change" \
      '$circles | if $change.circle then .[$change.circleId] = $change.circle else del(.[$change.circleId]) end')
    jq -r --argjson change "$change" '"watched: \($change.type), sequence \($change.sequence), \(length) circles"' <<<"$circles"
    if (($(jq -r .sequence <<<"$change") >= $2)); then
      came=yes
      break
    fi
  done < <(jq --unbuffered -c '.change // empty' <&"$messages")
  # It may have ended by itself, as at the deadline.
  kill "$watching" 2>/dev/null || true
  [[ -n $came ]] || { echo 'the watch ended before the change came' >&2; return 1; }
}

prefix="example $(request_id | cut -c 1-8) "

show_bad_fields

request=$(creation "${prefix}football" 20)
football=$(create "$request")
show created <<<"$football"
create "$request" | show again
id=$(jq -r .circleId <<<"$football")

update "$id" 1 30
update "$id" 1 40

# With the sequence of a command's answer a query waits until the change is visible.
request=$(jq '{circle_id: .circleId, min_sequence: .sequence}' <<<"$updated")
call "${queries[@]}" GetCircle "$request" |
  jq -r '.circle | "read: \(.name), capacity \(.capacity), version \(.version)"'

create "$(creation "${prefix}baseball" 25)" >/dev/null
handball=$(create "$(creation "${prefix}handball" 15)")
list_all "$prefix" "$(jq -r .sequence <<<"$handball")"

call "${queries[@]}" GetCircleHistory "$(jq -n --arg id "$id" '{circle_id: $id}')" |
  jq -r '.entries[] | "history: \(.type), version \(.version), capacity \(.capacityAfter)"'

request=$(jq --arg id "$(request_id)" '{circle_id: .circleId, version: 1, reason: "too few members", request_id: $id}' <<<"$handball")
deleted=$(call "${commands[@]}" DeleteCircle "$request")
watch "$sequence" "$(jq -r .sequence <<<"$deleted")"
