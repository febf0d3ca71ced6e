#!/usr/bin/env python3
"""What the documents show is what is compiled, and what they link to exists;
what --help says is tried."""
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess

from house import Plant, files, line_of, main, read, sources

FROM = re.compile(r"<!-- from (\S+): (\w+) -->\n```c\n(.*?)```", re.S)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def documents(root):
    return [p for p in files(root) if p.suffix == ".md"]


def snippet(root, path, name):
    """What stands between two lines that name it, or None."""
    if not (root / path).is_file():
        return None
    parts = re.split(rf"^/\* \[{name}\] \*/\n", read(root, path), flags=re.M)
    return parts[1] if len(parts) == 3 else None


def code_is_compiled(root):
    """Each C block comes from an example, to the letter."""
    wrong = []
    for path in documents(root):
        text = read(root, path)
        known = set()
        for found in FROM.finditer(text):
            known.add(text.index("```c\n", found.start()))
            if snippet(root, found[1], found[2]) != found[3]:
                wrong.append(f"{path}:{line_of(text, found.start())}: is not "
                             f"what {found[1]} has as {found[2]}")
        wrong += [f"{path}:{line_of(text, found.start())}: C from nowhere"
                  for found in re.finditer(r"```c\n", text)
                  if found.start() not in known]
    return wrong


PRINTS = re.compile(r"<!-- prints (\w+) -->\n```\n(.*?)```", re.S)


def output_is_what_is_printed(root):
    """What the tutorial's steps print is what the tests expect of them."""
    wrong = []
    for path in documents(root):
        text = read(root, path)
        for found in PRINTS.finditer(text):
            out = pathlib.PurePath(f"test/examples/tutorial_{found[1]}.out")
            if not (root / out).is_file() or read(root, out) != found[2]:
                wrong.append(f"{path}:{line_of(text, found.start())}: is not "
                             f"what {out} has")
    return wrong


def links_lead_somewhere(root):
    wrong = []
    for path in documents(root):
        text = read(root, path)
        for found in LINK.finditer(text):
            if "://" in found[1]:
                continue
            if not (root / path.parent / found[1]).exists():
                wrong.append(f"{path}:{line_of(text, found.start())}: "
                             f"{found[1]} isn't there")
    return wrong


TAG = re.compile(r"\((?:contracts? )?([BEFPQRSTWX]\d{1,2}(?:, [BEFPQRSTWX]\d{1,2})*)\)"
                 r"|\bcontracts? ([BEFPQRSTWX]\d{1,2})\b|/\* ([BEFPQRSTWX]\d{1,2})[:.]")


def tags_can_be_looked_up(root):
    """A contract that a comment names stands in contracts.md."""
    wrong = []
    known = set(re.findall(r"^\*\*([BEFPQRSTWX]\d{1,2})\.",
                           read(root, "docs/explanation/contracts.md"), re.M))
    for path in sources(root, "lib", "include", "test", "bench"):
        text = read(root, path)
        for found in TAG.finditer(text):
            for tag in (found[1] or found[2] or found[3]).split(", "):
                if tag not in known:
                    wrong.append(f"{path}:{line_of(text, found.start())}: "
                                 f"{tag} isn't in contracts.md")
    return wrong


LIMIT = re.compile(r"^\|[^|]*\| `(\w+)\.(\w+)` \| ([^|]+?) \|", re.M)
STRUCT = re.compile(r"typedef struct uvow_(\w+)_options \{(.*?)^\}", re.S | re.M)
FIELD = re.compile(r"/\*\*(.*?)\*/\s*((?:[^;/]*;\s*)+)", re.S)


def defaults(root):
    """What the headers say of each option: (struct, field): text. Fields that
    share a docstring have its defaults in order."""
    known = {}
    for path in sources(root, "include"):
        for struct in STRUCT.finditer(read(root, path)):
            for field in FIELD.finditer(struct[2]):
                text = re.sub(r"\s*\n\s*\*\s*", " ", field[1])
                names = re.findall(r"(\w+);", field[2])
                for name in names:
                    known[struct[1], name] = text
    return known


def limits_are_the_headers(root):
    """limits.md names options that exist, with the defaults of the headers."""
    wrong = []
    known = defaults(root)
    page = "docs/explanation/limits.md"
    text = read(root, page)
    for found in LIMIT.finditer(text):
        said = known.get((found[1], found[2]), "")
        if not re.search(r"default:? .*?(?<!\w)" + re.escape(found[3]), said):
            wrong.append(f"{page}:{line_of(text, found.start())}: "
                         f"{found[1]}.{found[2]} isn't {found[3]} by default")
    return wrong


INTEROP = "docs/reference/interop.md"
ROW = re.compile(r"^\| `(\w+)` \| (always|asked) \|", re.M)


def quoted(text, opening):
    """The names in the list that this line opens."""
    found = re.search(re.escape(opening) + r"\n(.*?)\]", text, re.S)
    return re.findall(r"'([\w/]+)'", found[1]) if found else []


def packages(root):
    """npm's packages of the tests: name and version."""
    found = {}
    for path in ("npm", "npm_asked"):
        text = read(root, f"test/interop/{path}/package.json")
        found.update(json.loads(text)["dependencies"])
    return found


def tried_against(root):
    """The table of programs is that of test/meson.build and package.json."""
    build = read(root, "test/meson.build")
    asked = quoted(build, "asked = [")
    wanted = [(name, "asked" if f"interop/{name}" in asked else "always")
              for name in quoted(build, "  'interop': [")]
    text = read(root, INTEROP)
    rows = [(found[1], found[2]) for found in ROW.finditer(text)]
    wrong = [f"{INTEROP}: no row `{name}`, {when}"
             for name, when in wanted if (name, when) not in rows]
    wrong += [f"{INTEROP}: `{name}`, {when}, is no test"
              for name, when in rows if (name, when) not in wanted]
    for name, version in packages(root).items():
        if not re.search(rf"\b{re.escape(name)} {re.escape(version)}\b", text):
            wrong.append(f"{INTEROP}: {name} is of version {version}")
    return wrong


APT = re.compile(r"^apt install (.*)$", re.M)
CONTROL = "docs/packaging/debian/control"
BESIDES = {"gcc", "pkg-config", "libcmocka-dev"}


def packages_are_there(root):
    """README's packages are those that Debian's package is built with, and
    Debian has them."""
    built = re.search(r"^Build-Depends:(.*?)^\S", read(root, CONTROL),
                      re.M | re.S)[1]
    built = set(re.findall(r"^ *([a-z][\w.+-]*)", built.replace(",", "\n"), re.M))
    wrong = []
    for path in ("README.md", "docs/howto/install.md"):
        found = APT.search(read(root, path))
        named = set(found[1].split()) if found else set()
        missed = {name for name in built - named - BESIDES
                  if name.endswith("-dev") and not name.startswith("libedit")}
        wrong += [f"{path}: apt install lacks {name}" for name in missed]
        wrong += [f"{path}: there is no package {name}" for name in named
                  if shutil.which("apt-cache") and not known_to_apt(name)]
    return wrong


@functools.lru_cache(maxsize=None)
def known_to_apt(name):
    return bool(subprocess.run(["apt-cache", "show", "--no-all-versions", name],
                               capture_output=True, check=False).stdout)


TOP_COMMAND = re.compile(r"^((?:bench|test)/\w+)([^#\n]*)", re.M)


def commands_are_there(root):
    """The programs that README says to run, with options that they know."""
    wrong = []
    text = read(root, "README.md")
    for block in re.finditer(r"```sh\n(.*?)```", text, re.S):
        for found in TOP_COMMAND.finditer(block[1]):
            if not os.access(root / found[1], os.X_OK):
                wrong.append(f"README.md: there is no program {found[1]}")
                continue
            known = read(root, found[1]) + read(root, "test/runner.py")
            wrong += [f"README.md: {found[1]} has no {option}"
                      for option in re.findall(r"--[\w-]+", found[2])
                      if option not in known]
    return wrong


OPTION = re.compile(r'^  \{"([\w-]+)", (.*?)\},$', re.M | re.S)
TABLE = "lib/command/table.c"


def options_are_tried(root):
    """Each option of the command is given to it in a test."""
    tests = "".join(read(root, path) for path in files(root)
                    if path.parent == pathlib.PurePath("test/cli"))
    tests = re.sub(r'"\s+"', "", tests)
    text = read(root, TABLE)
    wrong = []
    for found in OPTION.finditer(text):
        letter = re.search(r"'(\w)'", found[2])
        if not (re.search(rf'"--{found[1]}["=]', tests)
                or letter and f'"-{letter[1]}"' in tests):
            wrong.append(f"{TABLE}:{line_of(text, found.start())}: no test of "
                         f"--{found[1]}")
    return wrong


CHECKS = (tried_against, options_are_tried, packages_are_there,
          commands_are_there, limits_are_the_headers, code_is_compiled,
          output_is_what_is_printed,
          links_lead_somewhere, tags_can_be_looked_up)
PLANTS = (
    Plant(limits_are_the_headers, "docs/explanation/limits.md",
          "`peer.timeout_ms` | 3000 ms", replace="`peer.timeout_ms` | 30000 ms"),
    Plant(limits_are_the_headers, "docs/explanation/limits.md",
          "| planted | `peer.planted_ms` | 5 ms | x |\n"),
    Plant(code_is_compiled, "docs/planted.md", "```c\nint a;\n```\n"),
    Plant(code_is_compiled, "README.md", "f = uvow_future_than(f",
          replace="f = uvow_future_then(f"),
    Plant(code_is_compiled, "docs/planted.md",
          "<!-- from docs/examples/none.c: a -->\n```c\n```\n"),
    Plant(output_is_what_is_printed, "docs/planted.md",
          "<!-- prints step1 -->\n```\nother\n```\n"),
    Plant(tags_can_be_looked_up, "lib/base/buf.c", "/* See (F99). */\n"),
    Plant(tried_against, INTEROP, "| `nobody` | always | a | b |\n"),
    Plant(tried_against, INTEROP, "ganache 1.0.0",
          replace="ganache 7.9.2"),
    Plant(packages_are_there, "README.md", "libwslay-devel",
          replace="libwslay-dev"),
    Plant(packages_are_there, "docs/howto/install.md", "meson ",
          replace="zlib1g-dev ", expect="zlib1g-dev"),
    Plant(commands_are_there, "README.md", "test/rum --quick",
          replace="test/run --quick"),
    Plant(commands_are_there, "README.md", "test/run --slowly",
          replace="test/run --quick"),
    Plant(options_are_tried, TABLE, '{"urls", CLIENT',
          replace='{"url", CLIENT'),
    Plant(tried_against, INTEROP, "`aria2` | asked",
          replace="`aria2` | always"),
    Plant(links_lead_somewhere, "README.md", "see [x](docs/planted.md)\n"),
    Plant(links_lead_somewhere, "docs/planted.md", "[x](../nothing.c#a)\n"),
)

if __name__ == "__main__":
    main(CHECKS, PLANTS)
