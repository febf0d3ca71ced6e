#!/usr/bin/env python3
"""The installed library serves a program, and so does the subproject.

usage: install.py <build directory>
"""
import configparser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from house import ROOT, Plant, Skip, copy_of, main, read

PROGRAM = """\
#include <stdio.h>

#include <uvow.h>

int main(void) {
  puts(uvow_version());
  return 0;
}
"""
OURS = ("-luvow", "-luvow_futures")
TUTORIAL = "docs/tutorial/from-main-to-shutdown.md"
FUTURES_DOC = "docs/howto/futures-only.md"
PARENT = """\
project('parent', 'c')
uvow_dep = dependency('uvow', fallback: 'uvow')
executable('program', 'program.c', dependencies: uvow_dep)
"""


CMAKE = """\
cmake_minimum_required(VERSION 3.18)
project(user C)
find_package(uvow {version} REQUIRED COMPONENTS {component})
add_executable(program program.c)
target_link_libraries(program {target})
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


def moved_pc(libraries):
    """A directory with the .pc files as if the tree were the root."""
    destdir = next(p for p in libraries.parents if p.name == "destdir")
    moved = destdir.parent / "pc"
    moved.mkdir(exist_ok=True)
    for pc in (libraries / "pkgconfig").glob("*.pc"):
        text = pc.read_text()
        prefix = re.search(r"^prefix=(.*)$", text, re.M)[1]
        (moved / pc.name).write_text(
            text.replace(f"prefix={prefix}", f"prefix={destdir}{prefix}", 1))
    return moved


def pkg_config(libraries, *options, package="uvow"):
    """Flags, with the tree's place in front of our own directories."""
    return run("pkg-config", *options, package,
               env={"PKG_CONFIG_PATH": str(moved_pc(libraries))}).split()


def says_version(output):
    if output.strip() == version():
        return []
    return [f"printed {output!r}, not {version()!r}"]


def needed_by(binary):
    """The shared libraries that it names."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", binary))


def pkg_config_shared(where):
    """pkg-config --cflags --libs, and only our own libraries."""
    libraries = installed(where)
    flags = pkg_config(libraries, "--cflags", "--libs")
    run("gcc", where / "program.c", "-o", where / "program",
        "-Wl,--no-as-needed", *flags)
    others = [flag for flag in flags
              if flag.startswith("-l") and flag not in OURS]
    return says_version(
        run(where / "program", env={"LD_LIBRARY_PATH": str(libraries)})) \
        + [f"a shared link needs no {flag}" for flag in others] \
        + [f"{name}: not linked by its SONAME"
           for name in ("libuvow.so.", "libuvow_futures.so.")
           if not any(needed.startswith(name)
                      for needed in needed_by(where / "program"))]


def link_all(where, flags):
    """The program itself uses little of the archives: link all of them."""
    run("gcc", where / "program.c", "-o", where / "program",
        "-Wl,--whole-archive",
        *[f for f in flags if f.startswith("-L") or f in OURS],
        "-Wl,--no-whole-archive", *flags)


def pkg_config_static(where):
    """pkg-config --static, where there is no shared library."""
    libraries = installed(where)
    for shared in libraries.glob("libuvow*.so*"):
        shared.unlink()
    flags = pkg_config(libraries, "--static", "--cflags", "--libs")
    link_all(where, flags)
    return says_version(run(where / "program"))


def documented(where, libraries, document, source, folder="."):
    """Compiles an example by the line that a document gives; the program."""
    line = re.search(rf"^cc .*{source}.*$", read(ROOT, document), re.M)
    if not line:
        raise Failed(f"{document} doesn't say how to compile {source}")
    shutil.copy(ROOT / "docs" / "examples" / folder / source, where)
    moved_pc(libraries)
    run("sh", "-c", line[0], cwd=where,
        env={"PKG_CONFIG_PATH": str(where / "pc")})
    output = re.search(r"-o (\S+)", line[0])
    return where / (output[1] if output else "a.out")


def readme_compiles(where):
    """README's line compiles README's program."""
    libraries = installed(where)
    program = documented(where, libraries, "README.md", "quickstart.c")
    printed = run(program, env={"LD_LIBRARY_PATH": str(libraries)})
    return [] if "first customer" in printed else [f"printed {printed!r}"]


def tutorial_compiles(where):
    """Each step is compiled by its page's line, and prints what that shows."""
    libraries = installed(where)
    page = read(ROOT, TUTORIAL)
    wrong = []
    for step in re.findall(r"<!-- prints (\w+) -->", page):
        program = documented(where, libraries, TUTORIAL, f"{step}.c",
                             "tutorial")
        printed = run(program, env={"LD_LIBRARY_PATH": str(libraries)})
        shown = re.search(rf"<!-- prints {step} -->\n```\n(.*?)```", page, re.S)
        if printed != shown[1]:
            wrong.append(f"{TUTORIAL}: {step} prints {printed!r}")
    return wrong or ([] if "prints step6" in page else ["no steps"])


def futures_alone(where):
    """A program of futures needs libuvow_futures, which needs libuv only."""
    libraries = installed(where)
    for other in libraries.glob("libuvow.*"):
        other.unlink(missing_ok=True)
    program = documented(where, libraries, FUTURES_DOC, "futures.c")
    printed = run(program, cwd=ROOT, env={"LD_LIBRARY_PATH": str(libraries)})
    wanted = read(ROOT, "test/examples/futures.out")
    allowed = ("libuv.so", "libc.so", "ld-linux", "libboost_context.so")
    return ([] if printed == wanted else [f"printed {printed!r}"]) \
        + [f"libuvow_futures needs {name}"
           for name in needed_by(libraries / "libuvow_futures.so")
           if not name.startswith(allowed)] \
        + [f"the program needs {name}" for name in needed_by(program)
           if name.startswith("libuvow.")]


def futures_size(where):
    """It isn't larger than the documents say."""
    stripped = where / "stripped"
    run("strip", "-o", stripped, installed(where) / "libuvow_futures.so")
    has = stripped.stat().st_size / 1024
    return [f"{document}: {stated[1]} KiB, and it is {has:.0f}"
            for document in (FUTURES_DOC, "README.md")
            for stated in [re.search(r"\b(\d+) KiB", read(ROOT, document))]
            if not 0.75 < has / int(stated[1]) < 1.05]


def futures_static(where):
    """The same from the archive: one that needs nothing but libuv."""
    libraries = installed(where)
    for other in [*libraries.glob("libuvow.*"),
                  *libraries.glob("libuvow*.so*")]:
        other.unlink(missing_ok=True)
    flags = pkg_config(libraries, "--static", "--cflags", "--libs",
                       package="uvow_futures")
    link_all(where, flags)
    return says_version(run(where / "program"))


def futures_built_alone(where):
    """-Dparts=futures asks for libuv only, and installs what serves itself."""
    here = run("pkg-config", "--variable=pcfiledir", "libuv").strip()
    (where / "pc").mkdir()
    shutil.copy(pathlib.Path(here) / "libuv.pc", where / "pc")
    run("meson", "setup", where / "build", ROOT, "-Dparts=futures",
        "--buildtype=plain", "-Ddefault_library=shared",
        env={"PKG_CONFIG_LIBDIR": str(where / "pc")})
    run("ninja", "-C", where / "build")
    run("meson", "install", "-C", where / "build", "--no-rebuild",
        "--destdir", where / "destdir")
    return [f"installed: {path.name}"
            for path in (where / "destdir").rglob("*uvow*")
            if re.match(r"libuvow\.|uvow\.pc$|uvow$", path.name)
            and not path.is_dir()]


def cmake_builds(where, libraries, component, target, *options):
    """A CMake project that asks for a component; its program's libraries."""
    project = where / f"{component}{len(options)}"
    project.mkdir()
    (project / "program.c").write_text(PROGRAM)
    (project / "CMakeLists.txt").write_text(CMAKE.format(
        version=version(), component=component, target=target))
    run("cmake", "-S", project, "-B", project / "build",
        f"-DCMAKE_PREFIX_PATH={libraries.parents[1]}", *options,
        env={"PKG_CONFIG_PATH": str(moved_pc(libraries))})
    run("cmake", "--build", project / "build")
    program = project / "build" / "program"
    wrong = says_version(
        run(program, env={"LD_LIBRARY_PATH": str(libraries)}))
    return wrong, [name for name in needed_by(program) if "uvow" in name]


def cmake_package(where):
    """find_package(uvow), with its components, shared and static."""
    if not shutil.which("cmake"):
        raise Skip("cmake is not installed")
    libraries = installed(where)
    wrong, needs = [], {}
    for component, target, options in (
            ("futures", "uvow::futures", ()),
            ("all", "uvow::uvow", ()),
            ("all", "uvow::uvow", ("-Duvow_USE_STATIC=ON",))):
        said, needs[component, len(options)] = cmake_builds(
            where, libraries, component, target, *options)
        wrong += said
    if any(name.startswith("libuvow.") for name in needs["futures", 0]):
        wrong.append("the component futures links libuvow")
    if needs["all", 1]:
        wrong.append(f"uvow_USE_STATIC links {needs['all', 1]}")
    try:
        cmake_builds(where, libraries, "rockets", "uvow::rockets")
        wrong.append("there is a component named rockets")
    except Failed as why:
        if "not rockets" not in str(why):
            wrong.append(f"an unknown component isn't explained: {why}")
    return wrong


def pkg_config_version(where):
    return says_version(pkg_config(installed(where), "--modversion")[0])


def command_is_known(where):
    """To shells, and to man."""
    installed(where)
    return [f"not installed: {name}"
            for name in ("uvow.bash", "_uvow", "uvow.fish", "uvow.1")
            if not list((where / "destdir").rglob(name))]


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


def wraps(root=ROOT):
    """Each wrap file: its path and its sections."""
    for path in sorted((root / "subprojects").glob("*.wrap")):
        wrap = configparser.ConfigParser()
        wrap.read(path)
        yield path.relative_to(root), wrap


def wraps_are_whole(root):
    """Sources by their hash, a build of ours, and a name that is asked for."""
    wrong, asked = [], read(root, "meson.build")
    for path, wrap in wraps(root):
        known = wrap["wrap-file"]
        if not re.fullmatch("[0-9a-f]{64}", known.get("source_hash", "")):
            wrong.append(f"{path}: no source_hash")
        wrong += [f"{path}: no {key}" for key in
                  ("directory", "source_url", "source_filename")
                  if not known.get(key)]
        ours = root / "subprojects/packagefiles" / known.get("patch_directory")
        if not (ours / "meson.build").is_file():
            wrong.append(f"{path}: there is no {ours}")
        wrong += [f"{path}: meson.build doesn't ask for {name}"
                  for name in wrap["provide"]
                  if f"dependency('{name}'" not in asked]
    return wrong


def wraps_build(where):
    """A parent project with all of the wraps, from sources that are here."""
    cache = ROOT / "subprojects" / "packagecache"
    lost = [known["source_filename"] for _, wrap in wraps()
            for known in [wrap["wrap-file"]]
            if not (cache / known["source_filename"]).is_file()]
    if lost:
        raise Skip(f"not in subprojects/packagecache: {', '.join(lost)}")
    (where / "meson.build").write_text(PARENT)
    copy_of(ROOT, where / "subprojects" / "uvow")
    shutil.copytree(cache, where / "subprojects" / "packagecache")
    run("meson", "setup", where / "build", where, "--wrap-mode=forcefallback")
    run("ninja", "-C", where / "build", "program")
    needs = needed_by(next((where / "build").rglob("libuvow.so")))
    return says_version(run(where / "build" / "program")) \
        + [f"libuvow doesn't link {name} of the wrap"
           for name in ("libuv.so.1", "libjansson.so.4") if name not in needs] \
        + [f"libuvow links {name}" for name in needs if "wslay" in name]


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
    for shared in libraries.glob("libuvow*.so*"):
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
    readme_compiles, tutorial_compiles, futures_alone, futures_size,
    futures_static, futures_built_alone,
    cmake_package, command_is_known, headers_installed, subproject,
    builds_what_it_installs,
    wraps_build, broken_pc_is_seen)) + (wraps_are_whole,)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not shutil.which("readelf"):
        sys.exit("readelf (binutils) is not installed")
    main(CHECKS, (
        Plant(wraps_are_whole, "subprojects/planted.wrap",
              "[wrap-file]\npatch_directory = x\n[provide]\na = b\n"),
    ))
