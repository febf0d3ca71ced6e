# Sourced by test/run and bench/run: installs what they need and finds python.
#
# need_packages <package> ...: on Debian, installs those that are missing, and
# nothing that is there already. Elsewhere, says what to install and goes on.
# need_commands <command> ...: stops where one is missing.

say() {
  printf '%s\n' "$*" >&2
}

# Those of the packages that dpkg doesn't know as installed.
missing_packages() {
  local package
  local installed
  installed=" $(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" \
    2>/dev/null | sed -n 's/ installed$//p' | tr '\n' ' ')"
  for package in "$@"; do
    case "$installed" in
    *" $package "*) ;;
    *)
      # A node from elsewhere is as good, and is left alone.
      [ "$package" = nodejs ] && command -v node >/dev/null && continue
      printf '%s\n' "$package"
      ;;
    esac
  done
}

# apt-get, with sudo where needed. 1: we may not.
as_root_apt() {
  if [ "$(id -u)" -eq 0 ]; then
    DEBIAN_FRONTEND=noninteractive apt-get "$@"
  elif command -v sudo >/dev/null; then
    sudo DEBIAN_FRONTEND=noninteractive apt-get "$@"
  else
    return 1
  fi
}

need_packages() {
  local missing known package
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "This is not Debian: nothing is installed for you. What is needed is" \
      "what Debian 12 calls: $*"
    return 0
  fi
  missing=$(missing_packages "$@")
  [ -z "$missing" ] && return 0
  say "Installing:" $missing
  as_root_apt -qq update >&2 ||
    say "apt-get update failed; going on with the lists that are here."
  known=
  for package in $missing; do
    if [ -n "$(apt-cache show --no-all-versions "$package" 2>/dev/null)" ]; then
      known="$known $package"
    else
      say "No package $package here: what needs it is skipped or fails."
    fi
  done
  [ -z "$known" ] && return 0
  as_root_apt -qq -y --no-install-recommends --no-upgrade \
    -o DPkg::Lock::Timeout=300 install $known >&2 ||
    say "Could not install them; as root: apt-get install$known"
}

need_commands() {
  local command lost=
  for command in "$@"; do
    command -v "$command" >/dev/null || lost="$lost $command"
  done
  if [ -n "$lost" ]; then
    say "Not found:$lost"
    exit 1
  fi
}

# The system's own python before one that a version manager puts first.
find_python() {
  if [ -x /usr/bin/python3 ]; then
    echo /usr/bin/python3
  else
    command -v python3
  fi
}
