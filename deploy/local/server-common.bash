# What `server` needs for every kind of server: ports, processes, programs.
# The variables dir, kind and here are the caller's.
# shellcheck shell=bash disable=SC2154

fail() {
  printf 'server: %s\n' "$*" >&2
  exit 1
}

port_is_free() {
  ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A port below those that the kernel gives to outgoing connections. Somebody
# may take it before the server does; then `start` tries another.
free_port() {
  local port
  while port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000)); do
    if port_is_free "$port"; then
      printf '%s\n' "$port"
      return
    fi
  done
}

# A process number may have been given anew after a crash of the machine: only
# a process that works in our data folder is ours.
running() {
  local pid place
  [[ -s $dir/pid ]] || return 1
  pid=$(<"$dir/pid")
  place=$(readlink "/proc/$pid/cwd" 2>/dev/null) || return 1
  [[ $place == "$dir/data" ]]
}

# gone PID: whether its last thread has ended, and so all its files are closed.
# The first thread may end before the others, and a process that nobody reaps
# stays in the list.
gone() {
  local tasks=(/proc/"$1"/task/*)
  [[ ! -d /proc/$1/task ]] && return
  ((${#tasks[@]} <= 1)) && ! grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"
}

# stop_server SIGNAL SECONDS: ends the server; after SECONDS by force.
stop_server() {
  local signal=$1 deadline=$((SECONDS + $2)) pid
  if running; then
    pid=$(<"$dir/pid")
    kill -s "$signal" "$pid" 2>/dev/null || true
    until gone "$pid"; do
      if ((SECONDS > deadline)); then
        [[ $signal != KILL ]] || fail "process $pid in $dir can't be ended"
        signal=KILL deadline=$((SECONDS + 10))
        kill -s KILL "$pid" 2>/dev/null || true
      fi
      sleep 0.05
    done
  fi
  rm -f "$dir/pid"
  remove_short_folder
}

# The server must hold nothing of the caller's open: neither a pipe that
# somebody reads to its end, nor a lock.
close_inherited_files() {
  local file
  for file in /proc/self/fd/*; do
    file=${file##*/}
    if ((file > 2)) && [[ -e /proc/self/fd/$file ]]; then eval "exec $file>&-"; fi
  done
}

# The machine's own program for the kind; fails where there is none.
installed_program() {
  local name=$kind-server candidate
  case $kind in
    mariadb) name=mariadbd ;;
    mysql) name=mysqld ;;
  esac
  for candidate in $(PATH="$PATH:/usr/local/sbin:/usr/sbin" type -Pa "$name"); do
    if usable "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  return 1
}

# Sets `program`, and `home`, the folder above its bin or sbin.
find_program() {
  if program=$(installed_program); then
    home=$(dirname "$(dirname "$program")")
    return
  fi
  home=$("$here/fetch" "$kind") || fail "$kind is neither installed nor to be fetched"
  case $kind in
    mariadb) program=$home/bin/mariadbd ;;
    mysql) program=$home/bin/mysqld ;;
    *) program=$home/bin/$kind-server ;;
  esac
}

# run_client ARGUMENT...: the client program that belongs to the server.
run_client() {
  local name=$kind-cli client
  case $kind in
    mysql | mariadb) name=$kind ;;
  esac
  find_program
  client=$home/bin/$name
  [[ -x $client ]] || client=$(type -P "$name") || fail "found no client program $name"
  case $kind in
    mysql | mariadb) exec "$client" --no-defaults --user=root "--socket=$(socket_path)" "$@" ;;
    *) exec "$client" -h 127.0.0.1 -p "$(<"$dir/port")" "$@" ;;
  esac
}

# MariaDB's mysqld and Valkey's redis-server are other programs under the name,
# and a program that AppArmor confines can't read our folder.
usable() {
  local version
  version=$("$1" --version 2>/dev/null) || return 1
  case $kind in
    mysql) [[ $version != *MariaDB* ]] && ! grep -qs "^$1 " /etc/apparmor.d/usr.sbin.mysqld ;;
    redis) [[ $version != *[Vv]alkey* ]] ;;
  esac
}

# A socket's path has at most 107 bytes. Where the folder's name is too long for
# that, the socket is in a short one, whose name follows from it.
folder_is_long() {
  local LC_ALL=C
  ((${#dir} > 90))
}

short_folder() {
  printf '/tmp/circles-%s-%s\n' "$(id -u)" "$(printf '%s' "$dir" | cksum | tr ' ' '-')"
}

socket_path() {
  if folder_is_long; then
    printf '%s\n' "$(short_folder)/sock"
  else
    printf '%s\n' "$dir/sock"
  fi
}

make_short_folder() {
  local folder
  folder_is_long || return 0
  folder=$(short_folder)
  [[ -d $folder ]] || mkdir -m 700 "$folder"
  [[ -O $folder && ! -L $folder ]] || fail "$folder belongs to somebody else"
}

remove_short_folder() {
  if folder_is_long; then rm -rf "$(short_folder)"; fi
}

print_url() {
  case $(<"$dir/kind") in
    mysql | mariadb) mysql_url ;;
    *) redis_url ;;
  esac
}
