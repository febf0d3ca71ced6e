#!/bin/bash
# The checklist of a release: runs what can be run, asks about the rest.
# usage: docs/release.sh VERSION. Tags and publishes nothing: it says how.
set -eu
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
cd "$root"
version=${1:?usage: docs/release.sh VERSION}
failed=0

must() { # what, command ...
  local what=$1
  shift
  if "$@" >/dev/null 2>&1; then
    echo "yes  $what"
  else
    echo "NO   $what   ($*)"
    failed=1
  fi
}

ask() {
  local answer
  read -r -p "ask  $1 [y/N] " answer
  [ "$answer" = y ] || failed=1
}

must "base.h says $version" \
  grep -q "UVOW_VERSION_STRING \"$version\"" include/uvow/base.h
must "meson.build says so" grep -q "version: '$version'" meson.build
must "CHANGELOG.md has a date for it" \
  grep -Eq "^## $version \([0-9]{4}-[0-9]{2}-[0-9]{2}\)" CHANGELOG.md
must "Debian's changelog has it" \
  grep -q "^uvow ($version-" docs/packaging/debian/changelog
must "nothing is uncommitted" test -z "$(git status --porcelain)"
must "everything is green" \
  test/run --cross --analyze --packaging --interop --valgrind
must "and under load" test/run --load load
must "the documentation builds" docs/build
ask "test/run --coverage has written its table, and it's committed?"
ask "UVOW_ABI was raised, if an old program doesn't run with this library?"
ask "bench/record was run on a quiet machine, and its results are committed?"
ask "the site was looked at in a browser: light and dark, narrow and wide?"
ask "the newest libuv and OpenSSL were tried by hand?"

if [ "$failed" != 0 ]; then
  echo "Not yet."
  exit 1
fi
cat <<END
Ready. What is left:
  git tag -s v$version -m 'uvow $version'
  git archive --prefix=uvow-$version/ -o uvow-$version.tar.gz v$version
  git push --tags, publish the archive with its signature and .build/docs/site
END
