# Redis and Valkey for `server`: the command line and the URL.
# The variables dir and program are the caller's; so is `command`.
# shellcheck shell=bash disable=SC2154,SC2034

redis_initialise() {
  :
}

# redis_command PORT: sets `command`. Nothing is ever evicted, and a crash loses
# a second at most. Read models are rebuilt in spare databases, hence so many.
redis_command() {
  command=("$program" --port "$1" --bind 127.0.0.1 --dir "$dir/data" --daemonize no
    --logfile '' --databases 256 --maxmemory-policy noeviction
    --appendonly yes --appendfsync everysec --save '')
}

redis_url() {
  printf 'redis://127.0.0.1:%s\n' "$(<"$dir/port")"
}
