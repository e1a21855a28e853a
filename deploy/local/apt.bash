# Functions for `fetch`: a private apt, without root, beside the machine's own.
# It reads the machine's mirror and keys, and writes only to a folder of ours.
# `here` is the caller's: the folder of these scripts.
# shellcheck shell=bash disable=SC2154

# One line per archive the machine knows: URI, suite, component list (commas),
# options. Both forms of apt's source files are read.
machine_archives() {
  local etc=/etc/apt
  local deb822=() lists=()
  shopt -s nullglob
  deb822=("$etc"/sources.list.d/*.sources)
  lists=("$etc"/sources.list.d/*.list)
  shopt -u nullglob
  [[ -e $etc/sources.list ]] && lists=("$etc/sources.list" "${lists[@]}")
  if ((${#deb822[@]})); then awk -f "$here/apt-deb822.awk" "${deb822[@]}"; fi
  if ((${#lists[@]})); then awk -f "$here/apt-list.awk" "${lists[@]}"; fi
}

# The machine's own release with its updates and security fixes, as lines for a
# sources.list. Other suppliers use suites or components of other names.
own_suite_sources() {
  local codename=$1
  machine_archives | awk -v name="$codename" '
    ("," $3 ",") !~ /,main,/ { next }
    $2 == name || $2 == name "-updates" || $2 == name "-security" || $2 == name "/updates" {
      components = "main"
      if (("," $3 ",") ~ /,universe,/) components = "main universe"
      print "deb", ($4 == "-" ? "" : "[" $4 "]"), $1, $2, components
    }' | tr '|' ' ' | sort -u
}

# The same mirror as the machine's own release, asked for another suite. The
# archive that also carries the updates is the distribution's own.
other_suite_sources() {
  local codename=$1 suite=$2
  machine_archives | awk -v name="$codename" -v suite="$suite" '
    ("," $3 ",") !~ /,main,/ { next }
    $2 == name { line[$1] = "deb " ($4 == "-" ? "" : "[" $4 "]") " " $1 " " suite " main"; if (first == "") first = $1 }
    $2 == name "-updates" && best == "" { best = $1 }
    END { if (!(best in line)) best = first; if (best != "") print line[best] }' | tr '|' ' '
}

# private_apt FOLDER COMMAND...: apt-get or apt-cache with all state in FOLDER.
private_apt() {
  local state=$1
  shift
  APT_CONFIG="$state/apt.conf" LC_ALL=C "$@"
}

# prepare_apt FOLDER SOURCES: the folder's configuration and package lists.
# Of the machine's configuration only what reaches the mirror (proxy,
# certificates, logins) is kept, not its hooks, pins and further indexes. The
# installed packages are declared as none, so that a closure is complete.
prepare_apt() {
  local state=$1 sources=$2
  mkdir -p "$state"/{lists/partial,cache/archives/partial,conf.d,empty}
  printf '%s\n' "$sources" >"$state/sources.list"
  : >"$state/status"
  {
    apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' || true
    cat <<CONF
Acquire::Languages "none";
Acquire::Retries "3";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "root";
Dir::Cache "$state/cache";
Dir::Etc::main "$state/empty/none";
Dir::Etc::parts "$state/conf.d";
Dir::Etc::preferences "$state/empty/none";
Dir::Etc::preferencesparts "$state/empty";
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "$state/empty";
Dir::State "$state";
Dir::State::lists "$state/lists";
Dir::State::status "$state/status";
CONF
  } >"$state/apt.conf"
  private_apt "$state" apt-get -qq update >&2
}

# find_package FOLDER NAME: NAME itself, else its highest numbered form
# (mysql-server-core-8.0). Fails where the suite has none.
find_package() {
  local state=$1 name=$2 found
  found=$(private_apt "$state" apt-cache pkgnames "$name" | grep -E "^$name(-[0-9.]+)?$" | sort -V) || return 1
  if grep -qx "$name" <<<"$found"; then found=$name; fi
  found=$(tail -n 1 <<<"$found")
  # A name may be known only because something refers to it.
  [[ -n $(private_apt "$state" apt-cache madison "$found") ]] && printf '%s\n' "$found"
}

# download_packages FOLDER TARGET PACKAGE...: these alone.
download_packages() {
  local state=$1 target=$2
  shift 2
  mkdir -p "$target"
  (cd "$target" && private_apt "$state" apt-get -qq download "$@" >&2)
}

# download_closure FOLDER TARGET PACKAGE...: these and all they depend on.
download_closure() {
  local state=$1 target=$2
  shift 2
  local closure
  closure=$(private_apt "$state" apt-get -qq --simulate install "$@" |
    sed -nE 's/^Inst ([^ ]+) \(([^ ]+) .*/\1=\2/p') || return 1
  # shellcheck disable=SC2086 # one word per package
  download_packages "$state" "$target" $closure
}
