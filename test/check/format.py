#!/usr/bin/env python3
"""clang-format 14 has nothing to change."""
import re
import shutil
import subprocess

from house import Plant, Skip, main, sources


def clang_format():
    """The command, or Skip: other versions format in other ways."""
    for command in ("clang-format-14", "clang-format"):
        if shutil.which(command):
            version = subprocess.run([command, "--version"], text=True,
                                     stdout=subprocess.PIPE).stdout
            if re.search(r"version 14\.", version):
                return command
    raise Skip("clang-format 14 is not installed")


def formatting(root):
    command = clang_format()
    paths = [str(path) for path in
             sources(root, "lib", "include", "test", "bench", "docs")]
    run = subprocess.run(
        [command, "--dry-run", "-Werror", "--ferror-limit=1", *paths],
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode == 0:
        return []
    return [line for line in run.stdout.splitlines() if ": error:" in line] \
        or run.stdout.splitlines()


CHECKS = (formatting,)
PLANTS = (
    Plant(formatting, "lib/base/planted.c", "int  f (void) ;\n"),
    Plant(formatting, "docs/examples/planted.c",
          "int f(void) {\n    return 1;\n}\n"),
)

if __name__ == "__main__":
    main(CHECKS, PLANTS)
