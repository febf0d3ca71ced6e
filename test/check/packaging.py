#!/usr/bin/env python3
"""docs/packaging/debian builds packages, and lintian has nothing against them.

`test/run --packaging` runs this, where dpkg-buildpackage and lintian are.
"""
import pathlib
import re
import shutil
import subprocess
import tempfile

from house import ROOT, Skip, copy_of, main, read

PACKAGES = ("libuvow-futures1", "libuvow1", "libuvow-dev", "uvow")
# A package that Debian doesn't have yet closes no wish for it.
NOT_OURS = "initial-upload-closes-no-bugs"


def run(*command, where):
    return subprocess.run(command, cwd=where, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def packages(root):
    for tool in ("dpkg-buildpackage", "dh", "lintian", "doxygen"):
        if not shutil.which(tool):
            raise Skip(f"{tool} is not installed")
    with tempfile.TemporaryDirectory() as where:
        tree = pathlib.Path(where) / "uvow"
        copy_of(ROOT, tree)
        shutil.copytree(tree / "docs/packaging/debian", tree / "debian")
        done = run("dpkg-buildpackage", "-us", "-uc", "-b", where=tree)
        if done.returncode:
            return done.stdout.splitlines()[-30:]
        built = {path.name.split("_")[0]: path
                 for path in pathlib.Path(where).glob("*.deb")}
        changes, = pathlib.Path(where).glob("*.changes")
        said = run("lintian", "--pedantic", "--fail-on", "none",
                   "--suppress-tags", NOT_OURS, str(changes), where=where)
        wrong = [line for line in said.stdout.splitlines()
                 if re.match(r"[EWIP]: ", line)]
        wrong += [f"no package {name}" for name in PACKAGES
                  if name not in built]
        abi = re.search(r"#define UVOW_ABI (\d+)",
                        read(ROOT, "include/uvow/base.h"))[1]
        for name, soname in (("libuvow1", "libuvow.so."),
                             ("libuvow-futures1", "libuvow_futures.so.")):
            listed = run("dpkg", "-c", str(built[name]), where=where).stdout
            if f"/{soname}{abi} ->" not in listed:
                wrong.append(f"{name} has no {soname}{abi}")
        needs = run("dpkg", "-f", str(built["libuvow-futures1"]), "Depends",
                    where=where).stdout
        return wrong + [f"libuvow-futures1 depends on {other}"
                        for other in ("libssl", "jansson", "wslay", "zlib")
                        if other in needs]


if __name__ == "__main__":
    main((packages,), ())
