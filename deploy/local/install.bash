# Installing a distribution's package, for `prerequisites` and `tools`.
# shellcheck shell=bash

# install_packages WHY PACKAGE...: by apt, as root or through sudo. Says what it
# does; fails with what the user can do instead.
install_packages() {
  local why=$1 as_root=()
  shift
  if ! command -v apt-get >/dev/null; then
    printf '%s, and there is no apt-get to install %s with; please install it.\n' "$why" "$*" >&2
    return 1
  fi
  if [[ $(id -u) != 0 ]]; then
    # Without a terminal sudo could only wait for a password for ever.
    if sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    elif [[ -t 0 ]] && command -v sudo >/dev/null; then
      as_root=(sudo)
    else
      printf '%s; please install it: apt-get install %s\n' "$why" "$*" >&2
      return 1
    fi
  fi
  printf '%s: installing %s with apt-get\n' "$why" "$*" >&2
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
  # The lists may be missing, or older than the mirror.
  "${as_root[@]}" install --yes --no-install-recommends "$@" >&2 && return
  "${as_root[@]}" update >&2 || true
  "${as_root[@]}" install --yes --no-install-recommends "$@" >&2
}
