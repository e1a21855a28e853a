# The three services as `run` starts and stops them. In the folder `state`: a
# log, and the process number, of each. `binaries` is where the programs are.
# shellcheck shell=bash disable=SC2154

services=(command-service projector query-service)
# Where each serves its metrics: by name, nowhere unless set.
declare -A metrics_listen=()

# service_runs NAME: whether the process is alive and still that program, since
# its number may have been given anew.
service_runs() {
  local program
  [[ -s $state/$1.pid ]] || return 1
  program=$(readlink "/proc/$(<"$state/$1.pid")/exe" 2>/dev/null) || return 1
  # A program built anew meanwhile shows as deleted.
  [[ ${program% (deleted)} == */"$1" ]]
}

# start_service NAME: in a session of its own, so that Ctrl-C reaches only
# `run`, which then stops everything in order. It keeps no lock of ours open.
start_service() {
  [[ ! -e $state/$1.log ]] || mv "$state/$1.log" "$state/$1.log.old"
  CIRCLES_METRICS_LISTEN=${metrics_listen[$1]-} setsid "$binaries/$1" </dev/null >"$state/$1.log" 2>&1 9>&- &
  printf '%s\n' $! >"$state/$1.pid"
}

# Tells all services to drain, waits for it, ends by force what does not.
stop_services() {
  local name deadline
  for name in "${services[@]}"; do
    if service_runs "$name"; then kill -s TERM "$(<"$state/$name.pid")" 2>/dev/null || true; fi
  done
  # Longer than a drain takes (CIRCLES_DRAIN_TIMEOUT is 10 s unless set).
  deadline=$((SECONDS + 30))
  for name in "${services[@]}"; do
    while service_runs "$name"; do
      if ((SECONDS > deadline)); then
        printf '%s did not stop in time; ending it by force.\n' "$name" >&2
        kill -s KILL "$(<"$state/$name.pid")" 2>/dev/null || true
        break
      fi
      sleep 0.05
    done
    rm -f "$state/$name.pid"
  done
}

# show_log NAME: the end of it, on standard error.
show_log() {
  printf -- '--- the end of %s ---\n' "$state/$1.log" >&2
  tail -n 30 "$state/$1.log" >&2 || true
}

# wait_until_healthy SECONDS: until each answers SERVING; else says which does
# not, with its log.
wait_until_healthy() {
  local deadline=$((SECONDS + $1)) name
  for name in "${services[@]}"; do
    until "$binaries/$name" check >"$state/check.log" 2>&1; do
      if ! service_runs "$name"; then
        printf '%s ended while starting.\n' "$name" >&2
        show_log "$name"
        return 1
      fi
      if ((SECONDS > deadline)); then
        printf '%s is not healthy after %s s: %s\n' "$name" "$1" "$(tail -n 1 "$state/check.log")" >&2
        show_log "$name"
        return 1
      fi
      sleep 0.1
    done
  done
  rm -f "$state/check.log"
}
