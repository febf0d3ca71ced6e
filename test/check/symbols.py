#!/usr/bin/env python3
"""What the library exports is what the headers declare, and is documented.

usage: symbols.py <build directory>
"""
import pathlib
import re
import subprocess
import sys

from house import Plant, line_of, main, read, sources, without_comments

# Declared and documented: functions, data, types; our inline functions too.
DECLARED = re.compile(
    r"^(?:extern[ \t]+)?UVOW_API\s+(?P<api>[^;{]+?);"
    r"|^static inline\s+(?P<inline>[^;{(]*?\([^;{]*?)\s*\{"
    r"|^typedef\s+(?P<type>[^;{]+?)[;{]", re.M)


def name_of(declaration):
    """The name that a declaration, without its body, introduces."""
    callback = re.search(r"\(\s*\*\s*(\w+)\s*\)", declaration)
    if callback:
        return callback[1]
    return re.findall(r"\w+", declaration.split("(")[0])[-1]


def declarations(root):
    """(path, line, kind, name, whether a docstring stands above)."""
    for path in sources(root, "include", suffixes=(".h",)):
        text = read(root, path)
        lines = text.splitlines()
        code = without_comments(text)
        for found in DECLARED.finditer(code):
            kind = found.lastgroup
            line = line_of(code, found.start())
            above = lines[line - 2].rstrip() if line > 1 else ""
            at = line - 2
            while at >= 0 and "/*" not in lines[at] and lines[at].strip():
                at -= 1
            documented = (above.endswith("*/") and at >= 0
                          and lines[at].lstrip().startswith("/**"))
            yield path, line, kind, name_of(found[kind]), documented


def exported(library):
    run = subprocess.run(["nm", "-D", "--defined-only", str(library)],
                         check=True, stdout=subprocess.PIPE, text=True)
    return {line.split()[-1].split("@")[0] for line in run.stdout.splitlines()}


def exports(root):
    """The shared library exports what the headers declare, no more."""
    library = pathlib.Path(sys.argv[1]).resolve() / "lib" / "libuvow.so"
    has = exported(library)
    wrong = []
    declared = set()
    for path, line, kind, name, _ in declarations(root):
        if kind == "api":
            declared.add(name)
            if name not in has:
                wrong.append(f"{path}:{line}: {name} is not in the library")
    return wrong + [f"{library.name}: {name} is in no public header"
                    for name in sorted(has - declared)]


def docstrings(root):
    """A docstring stands directly above every public symbol."""
    return [f"{path}:{line}: {name} has no docstring"
            for path, line, kind, name, documented in declarations(root)
            if not documented]


def names(root):
    """Public names begin with uvow_."""
    wrong = []
    for path, line, kind, name, _ in declarations(root):
        if not re.match(r"uvow_[a-z]", name):
            wrong.append(f"{path}:{line}: {name} doesn't begin with uvow_")
    return wrong


CHECKS = (exports, docstrings, names)
BASE = "include/uvow/base.h"
PLANTS = (
    Plant(exports, BASE, "/** Planted. */\nUVOW_API int uvow_planted(void);\n",
          expect="uvow_planted is not in the library"),
    Plant(exports, BASE, "/* gone */", expect="uvow_version is in no",
          replace="UVOW_API const char *uvow_version(void);"),
    Plant(docstrings, BASE, "\nUVOW_API int uvow_planted(void);\n"),
    Plant(docstrings, BASE, "\n/* Short. */\nUVOW_API int *uvow_p(void);\n"),
    Plant(docstrings, BASE, "\ntypedef void (*uvow_p_cb)(void *data);\n"),
    Plant(docstrings, BASE, "\nextern UVOW_API const int uvow_planted;\n"),
    Plant(docstrings, BASE,
          "\nstatic inline int uvow_p(int a,\n int b) {\nreturn a+b; }\n"),
    Plant(names, BASE, "/** X. */\nUVOW_API int planted(void);\n"),
)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(CHECKS, PLANTS)
