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
    r"^(?:extern[ \t]+)?UVOW_(?:API|NEW|FORMATTED)\s+(?P<api>[^;{]+?);"
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


def exported(name):
    """What a shared library exports: the public names, and the others."""
    library = pathlib.Path(sys.argv[1]).resolve() / "lib" / name
    run = subprocess.run(["nm", "-D", "--defined-only", str(library)],
                         check=True, stdout=subprocess.PIPE, text=True)
    public, private = set(), set()
    for line in run.stdout.splitlines():
        symbol, _, version = line.split()[-1].partition("@")
        kind = line.split()[-2]
        if kind != "A":  # the versions' own names
            (private if "UVOW_PRIVATE" in version else public).add(symbol)
    return public, private


def private_exports(root):
    """Only libuvow_futures has some, for libuvow: they begin with uvow__."""
    wrong = [f"libuvow.so: {name} is exported to nobody"
             for name in sorted(exported("libuvow.so")[1])]
    return wrong + [f"libuvow_futures.so: {name} doesn't begin with uvow__"
                    for name in sorted(exported("libuvow_futures.so")[1])
                    if not name.startswith("uvow__")]


def exports(root):
    """The shared libraries export what the headers declare, no more."""
    first, second = (exported(name)[0]
                     for name in ("libuvow.so", "libuvow_futures.so"))
    has = first | second
    wrong = [f"{name} is in both libraries" for name in sorted(first & second)]
    declared = set()
    for path, line, kind, name, _ in declarations(root):
        if kind == "api":
            declared.add(name)
            if name not in has:
                wrong.append(f"{path}:{line}: {name} is not in the library")
    return wrong + [f"libuvow: {name} is in no public header"
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


def used(root):
    """What returns a pointer, a next or a channel is UVOW_NEW, unless it says
    that what it returns is borrowed, or its argument."""
    owned = re.compile(
        r"^UVOW_API\s+(?!const\b)(?:\w[\w\s]*\*|uvow_(?:next|channel)_t\s)\s*"
        r"(?P<name>\w+)\(", re.M)
    wrong = []
    for path in sources(root, "include", suffixes=(".h",)):
        text = read(root, path)
        code = without_comments(text)
        for found in owned.finditer(code):
            above = text[text.rfind("*/", 0, text.rfind(
                "*/", 0, found.start())) + 2:found.start()]
            if not re.search(r"[Bb]orrowed|and\s+(?:\*\s+)?returns it", above):
                wrong.append(f"{path}:{line_of(code, found.start())}: "
                             f"{found['name']} is not UVOW_NEW")
    return wrong


CHECKS = (exports, private_exports, docstrings, names, used)
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
    Plant(used, "include/uvow/future.h", "UVOW_API uvow_future_t *\n"
          "uvow_planted(uvow_loop_t *loop);\n"),
    Plant(used, "include/uvow/peer.h", "UVOW_API uvow_peer_t *uvow_peer_new(",
          replace="UVOW_NEW uvow_peer_t *uvow_peer_new("),
    Plant(used, "include/uvow/uv.h", "UVOW_API uvow_channel_t uvow_tcp_connect(",
          replace="UVOW_NEW uvow_channel_t uvow_tcp_connect("),
    Plant(names, BASE, "/** X. */\nUVOW_API int planted(void);\n"),
)

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(CHECKS, PLANTS)
