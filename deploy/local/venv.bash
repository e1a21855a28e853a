# Python environments for tools that come from PyPI, for `tools` and
# `deploy-tools`. `here` is deploy/local.
# shellcheck shell=bash disable=SC2154
# shellcheck source=deploy/local/install.bash
. "$here/install.bash"

# Sets `python`: one that can make a venv. Debian keeps that in a package of
# its own.
find_python() {
  for python in python3 /usr/bin/python3; do
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
  done
  install_packages 'No Python that can make a venv' python3-venv || return 1
  "$python" -c 'import ensurepip, venv'
}

# make_venv FOLDER FILE ARGUMENT...: an environment with the packages of FILE,
# which pip installs with the arguments; nothing is done where it is complete.
# FOLDER is locked by the caller.
make_venv() {
  local venv=$1 file=$2 wanted
  local mark=$venv/complete
  shift 2
  # The mark comes last, so that an interrupted set-up is done anew. So is that of
  # a checkout that was moved, since a venv knows its place.
  wanted=$(printf '# %s\n' "$venv" && cat "$file")
  if [[ -e $mark && $(<"$mark") == "$wanted" ]] && "$venv/bin/python" -c '' 2>/dev/null; then return; fi
  find_python || {
    printf 'No Python to be had for the tools of %s\n' "$file" >&2
    return 1
  }
  rm -rf "$venv"
  "$python" -m venv "$venv" >&2
  # Wheels only, so that nothing is compiled.
  "$venv/bin/pip" --quiet --disable-pip-version-check install --only-binary :all: "$@" --requirement "$file" >&2 || {
    printf 'The Python packages of %s could not be installed (see above)\n' "$file" >&2
    return 1
  }
  printf '%s\n' "$wanted" >"$mark"
}
