# Sourced by bench/run and bench/compare, after test/setup.sh: builds uvow as the
# README says to, for speed. build: where; build_bench <target> ...

build=$root/.build/bench
asked=$build/asked-for # that it was configured so; older builds weren't

configure_bench() {
  [ -f "$asked" ] && return 0
  rm -rf "$build"
  meson setup "$build" "$root" --buildtype=release -Db_lto=true \
    -Db_ndebug=if-release -Dbench=enabled -Dexamples=enabled && : >"$asked"
}

# Says nothing unless it fails.
build_bench() {
  local log
  log=$(mktemp)
  if ! { configure_bench && ninja -C "$build" "$@"; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
  fi
  rm -f "$log"
}
