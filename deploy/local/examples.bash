# What `run` prints for the user: where everything is, and lines to paste.
# The variables here, repository, state, metrics_listen and own_servers are
# the caller's.
# shellcheck shell=bash disable=SC2154

# Sets `grpcurl`: the machine's, else that of the project's tools, which are
# nice to have: without them the system runs just as well.
find_grpcurl() {
  grpcurl=grpcurl
  if type -P grpcurl >/dev/null; then return; fi
  grpcurl=$repository/target/tools/venv/bin/grpcurl
  if ! "$here/tools" >"$state/tools.log" 2>&1 9>&-; then
    grpcurl=grpcurl
    printf 'grpcurl is not installed and could not be fetched (see %s);\n' "$state/tools.log"
    printf 'the lines below need it.\n'
  fi
  printf -v grpcurl '%q' "$grpcurl"
}

print_addresses() {
  local folder
  cat <<ADDRESSES

Circles is running:
  commands     $CIRCLES_COMMAND_LISTEN
  queries      $CIRCLES_QUERY_LISTEN
  projector    $CIRCLES_PROJECTOR_LISTEN
  metrics      http://${metrics_listen[command-service]}/metrics
               http://${metrics_listen[query-service]}/metrics
               http://${metrics_listen[projector]}/metrics
  logs         $state/*.log
ADDRESSES
  for folder in ${own_servers[@]+"${own_servers[@]}"}; do
    printf '  %-12s %s\n' "${folder##*/}" "$("$here/server" url "$folder")"
  done
}

# The id is chosen by the client here, so that the lines can be pasted as they
# are; left out, the service makes one.
print_examples() {
  cat <<EXAMPLES

To try it, paste line by line (min_sequence: the sequence of your last answer):
  id=\$(cat /proc/sys/kernel/random/uuid)
  $grpcurl -plaintext -d '{"circle_id":"'\$id'","name":"football","capacity":20}' $CIRCLES_COMMAND_LISTEN circles.v1.CircleCommandService/CreateCircle
  $grpcurl -plaintext -d '{"circle_id":"'\$id'","capacity":30,"version":1}' $CIRCLES_COMMAND_LISTEN circles.v1.CircleCommandService/UpdateCircle
  $grpcurl -plaintext -d '{"circle_id":"'\$id'","min_sequence":2}' $CIRCLES_QUERY_LISTEN circles.v1.CircleQueryService/GetCircle
  $grpcurl -plaintext -d '{"page_size":10}' $CIRCLES_QUERY_LISTEN circles.v1.CircleQueryService/ListCircles
  $grpcurl -plaintext -d '{"circle_id":"'\$id'"}' $CIRCLES_QUERY_LISTEN circles.v1.CircleQueryService/GetCircleHistory
  $grpcurl -plaintext -d '{"from_sequence":0}' $CIRCLES_QUERY_LISTEN circles.v1.CircleQueryService/WatchCircles
  $grpcurl -plaintext $CIRCLES_PROJECTOR_LISTEN circles.admin.v1.ProjectorAdminService/GetStatus
EXAMPLES
  if [[ " ${own_servers[*]-} " == *" $state/redis "* ]]; then
    printf '  %q client %q GET "circle:%s"\n' "$here/server" "$state/redis" "\$id"
  fi
  if [[ " ${own_servers[*]-} " == *" $state/mysql "* ]]; then
    printf '  %q client %q circles -e "SELECT sequence, event_type, version FROM circle_events ORDER BY sequence"\n' "$here/server" "$state/mysql"
  fi
}
