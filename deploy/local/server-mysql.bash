# MySQL and MariaDB for `server`: the first set-up, the command line, the URL.
# The variables dir, kind, home and program are the caller's; so is `command`.
# shellcheck shell=bash disable=SC2154,SC2034

# Sets `common`: what every run of the program is told, whatever the machine's
# my.cnf says.
mysql_common_arguments() {
  # A starting server removes the temporary tables that it finds, so another one
  # must not have its own there.
  mkdir -p "$dir/tmp"
  common=(--no-defaults "--datadir=$dir/data" "--tmpdir=$dir/tmp" "--basedir=$home")
  local folder
  for folder in "$home"/share/{mysql,mariadb}; do
    if [[ -d $folder/english ]]; then common+=("--lc-messages-dir=$folder"); fi
  done
  if [[ -d $home/lib/mysql/plugin ]]; then common+=("--plugin-dir=$home/lib/mysql/plugin"); fi
  if [[ $(id -u) == 0 ]]; then common+=(--user=root); fi
  if [[ $kind == mysql ]]; then common+=(--mysqlx=OFF --secure-file-priv=); fi
}

# A fresh data folder where root has no password.
mysql_initialise() {
  local common=()
  mysql_common_arguments
  if ! "${kind}_system_tables" >"$dir/log" 2>&1; then
    tail -n 20 "$dir/log" >&2
    fail "$kind in $dir could not be set up (its log is above)"
  fi
}

# MySQL makes root@localhost only, which without name resolution is the socket.
mysql_system_tables() {
  local extra=$dir/init.sql
  printf '%s\n' "CREATE USER 'root'@'127.0.0.1';" \
    "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;" >"$extra"
  "$program" "${common[@]}" --initialize-insecure "--init-file=$extra" && rm "$extra"
}

# Feeds what mariadb-install-db feeds to the server, without help texts and the sys
# schema, which take most of the time and serve nobody here.
mariadb_system_tables() {
  mariadb_statements | "$program" "${common[@]}" --bootstrap --log-warnings=0
}

mariadb_statements() {
  local folder part
  for folder in "$home"/share/{mariadb,mysql}; do
    for part in mariadb mysql; do
      if [[ -e $folder/${part}_system_tables.sql ]]; then
        printf '%s\n' 'CREATE DATABASE mysql;' 'USE mysql;' 'SET @auth_root_socket = NULL;'
        # Not the accounts under this machine's name, which nobody resolves.
        cat "$folder/${part}"_{system_tables,performance_tables,system_tables_data}.sql |
          sed '/@current_hostname/d'
        return
      fi
    done
  done
  fail "found no system tables of MariaDB below $home/share"
}

# mysql_command PORT: sets `command`. Commits are durable, as in production.
mysql_command() {
  local common=() socket
  mysql_common_arguments
  make_short_folder
  socket=$(socket_path)
  # After a crash these name a process that may be another by now.
  rm -f "$socket" "$socket.lock"
  command=("$program" "${common[@]}"
    "--port=$1" --bind-address=127.0.0.1 "--socket=$socket" "--pid-file=$dir/mysqld.pid"
    --skip-name-resolve --max-connections=500
    --character-set-server=utf8mb4
    --skip-log-bin --innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size=128M)
}

# Through the socket, where encryption would only cost time. The part before
# the question mark takes a database: mysql://root@localhost:3306/circles?...
mysql_url() {
  local socket
  socket=$(socket_path)
  socket=${socket//%/%25}
  socket=${socket// /%20}
  socket=${socket//+/%2B}
  socket=${socket//&/%26}
  socket=${socket//#/%23}
  printf 'mysql://root@localhost:%s/?socket=%s&ssl-mode=DISABLED\n' "$(<"$dir/port")" "$socket"
}
