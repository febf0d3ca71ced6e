# Sourced by test/run and bench/run: installs what they need and finds python.
#
# need_packages <package> ...: on Debian, installs those that are missing, and
# nothing that is there already. Elsewhere, says what to install and goes on.
# need_npm <from> <to>: installs npm's packages, as a folder's lock file has them.
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
      # A node from elsewhere is as good, and is left alone; so is its npm.
      [ "$package" = nodejs ] && command -v node >/dev/null && continue
      [ "$package" = libnode-dev ] &&
        [ -e /usr/include/node/node_api.h ] && continue
      [ "$package" = npm ] && command -v npm >/dev/null && continue
      printf '%s\n' "$package"
      ;;
    esac
  done
}

# A command as root, with sudo where needed. 1: we may not.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    return 1
  fi
}

# Debian's packages of servers start them: a policy that says no is in place
# while they are installed, unless the machine has one of its own.
install_quietly() {
  as_root sh -c '
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap "rm -f $policy" EXIT
      printf "#!/bin/sh\nexit 101\n" >"$policy"
      chmod 755 "$policy"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
      --no-upgrade -o DPkg::Lock::Timeout=300 install "$@"
  ' sh "$@" >&2
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
  say "Installing what $(basename "$0") needs (compilers, libraries, and the" \
    "programs it talks to); no service is started:" $missing
  as_root apt-get -qq update >&2 ||
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
  install_quietly $known ||
    say "Could not install them; as root: apt-get install$known"
}

# Runs none of their scripts. Without npm or a registry, what needs them is
# skipped.
need_npm() {
  local from=$1 to=$2
  cmp -s "$from/package-lock.json" "$to/installed.json" && return 0
  if ! command -v npm >/dev/null; then
    say "No npm here: what needs npm's packages is skipped."
    return 0
  fi
  say "Installing npm's packages of $from/package.json"
  rm -rf "$to"
  mkdir -p "$to"
  cp "$from/package.json" "$from/package-lock.json" "$to/"
  if (cd "$to" && npm ci --ignore-scripts --omit=optional --no-audit \
    --no-fund --silent --fetch-retries=1 --fetch-timeout=30000 >&2); then
    cp "$to/package-lock.json" "$to/installed.json"
  else
    say "Could not install them: what needs them is skipped."
    rm -rf "$to"
  fi
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
