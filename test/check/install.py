#!/usr/bin/env python3
"""The installed library serves a program, and so does the subproject.

usage: install.py <build directory>
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from house import ROOT, copy_of, main, read

PROGRAM = """\
#include <stdio.h>

#include <uvow.h>

int main(void) {
  puts(uvow_version());
  return 0;
}
"""
PARENT = """\
project('parent', 'c')
uvow_dep = dependency('uvow', fallback: 'uvow')
executable('program', 'program.c', dependencies: uvow_dep)
"""


class Failed(Exception):
    pass


def run(*command, env=None, cwd=None):
    """What it prints; Failed, with that, if it fails."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, text=True, errors="replace",
        env={**os.environ, **(env or {})}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    if done.returncode:
        raise Failed(f"{' '.join(str(w) for w in command)}: "
                     f"exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def version():
    return re.search(r'UVOW_VERSION_STRING "(.*)"',
                     read(ROOT, "include/uvow/base.h"))[1]


def checked(body):
    """A check that runs body in a directory of its own."""
    def check(root):
        with tempfile.TemporaryDirectory() as where:
            where = pathlib.Path(where)
            (where / "program.c").write_text(PROGRAM)
            try:
                return body(where)
            except Failed as why:
                return str(why).splitlines()[-40:]
    check.__name__ = body.__name__
    return check


def installed(where):
    """A tree as a package would have it; the libraries' directory in it."""
    build = pathlib.Path(sys.argv[1]).resolve()
    run("meson", "install", "-C", build, "--no-rebuild", "--destdir",
        where / "destdir")
    found = list((where / "destdir").rglob("uvow.pc"))
    if len(found) != 1:
        raise Failed("uvow.pc is not installed")
    return found[0].parent.parent


def pkg_config(libraries, *options):
    """Flags, with the tree's place in front of our own directories."""
    destdir = next(p for p in libraries.parents if p.name == "destdir")
    pc = libraries / "pkgconfig"
    text = (pc / "uvow.pc").read_text()
    prefix = re.search(r"^prefix=(.*)$", text, re.M)[1]
    moved = destdir.parent / "pc"
    moved.mkdir(exist_ok=True)
    (moved / "uvow.pc").write_text(
        text.replace(f"prefix={prefix}", f"prefix={destdir}{prefix}", 1))
    return run("pkg-config", *options, "uvow",
               env={"PKG_CONFIG_PATH": str(moved)}).split()


def says_version(output):
    if output.strip() == version():
        return []
    return [f"printed {output!r}, not {version()!r}"]


def pkg_config_shared(where):
    """pkg-config --cflags --libs, and only -luvow."""
    libraries = installed(where)
    flags = pkg_config(libraries, "--cflags", "--libs")
    run("gcc", where / "program.c", "-o", where / "program", *flags)
    needed = run("readelf", "-d", where / "program")
    others = [flag for flag in flags
              if flag.startswith("-l") and flag != "-luvow"]
    return says_version(
        run(where / "program", env={"LD_LIBRARY_PATH": str(libraries)})) \
        + [f"a shared link needs no {flag}" for flag in others] \
        + ([] if "libuvow.so." in needed else ["not linked by its SONAME"])


def link_all(where, flags):
    """The program itself uses little of the archive: link all of it."""
    run("gcc", where / "program.c", "-o", where / "program",
        "-Wl,--whole-archive",
        *[f for f in flags if f.startswith("-L") or f == "-luvow"],
        "-Wl,--no-whole-archive", *flags)


def pkg_config_static(where):
    """pkg-config --static, where there is no shared library."""
    libraries = installed(where)
    for shared in libraries.glob("libuvow.so*"):
        shared.unlink()
    flags = pkg_config(libraries, "--static", "--cflags", "--libs")
    link_all(where, flags)
    return says_version(run(where / "program"))


def pkg_config_version(where):
    return says_version(pkg_config(installed(where), "--modversion")[0])


def headers_installed(where):
    """All public headers, and nothing else."""
    installed(where)
    has = {re.sub(r".*/include/", "", str(path))
           for path in (where / "destdir").rglob("*.h")}
    wanted = {str(path.relative_to(ROOT / "include"))
              for path in (ROOT / "include").rglob("*.h")}
    return [f"{name}: installed or public, not both"
            for name in sorted(has ^ wanted)]


def subproject(where):
    """dependency('uvow', fallback: 'uvow') in a parent; no tests built."""
    (where / "meson.build").write_text(PARENT)
    copy_of(ROOT, where / "subprojects" / "uvow")
    run("meson", "setup", where / "build", where)
    run("ninja", "-C", where / "build")
    built = [path.name for path in (where / "build").rglob("*")
             if path.is_file() and re.match(
                 r"(test|bench|example|replay)_\w+$", path.name)]
    return says_version(run(where / "build" / "program")) \
        + [f"built in a subproject: {name}" for name in built]


def builds_what_it_installs(where):
    """Unless asked for, no test, benchmark or example is built."""
    run("meson", "setup", where / "build", ROOT)
    targets = json.loads(run("meson", "introspect", "--targets",
                             where / "build"))
    return [f"built though not installed: {target['name']}"
            for target in targets
            if target["build_by_default"] and not target["installed"]
            and target["type"] in ("executable", "shared library")]


def broken_pc_is_seen(where):
    """The static program needs the private part of uvow.pc: or it's blind."""
    libraries = installed(where)
    for shared in libraries.glob("libuvow.so*"):
        shared.unlink()
    pc = libraries / "pkgconfig" / "uvow.pc"
    pc.write_text(re.sub(r"^(Requires|Libs)\.private:.*$", "",
                         pc.read_text(), flags=re.M))
    flags = pkg_config(libraries, "--static", "--cflags", "--libs")
    try:
        link_all(where, flags)
    except Failed:
        return []
    return ["linked without the libraries that uvow needs"]


CHECKS = tuple(checked(body) for body in (
    pkg_config_shared, pkg_config_static, pkg_config_version,
    headers_installed, subproject, builds_what_it_installs,
    broken_pc_is_seen))

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not shutil.which("readelf"):
        sys.exit("readelf (binutils) is not installed")
    main(CHECKS, ())
