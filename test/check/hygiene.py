#!/usr/bin/env python3
"""The tree holds what it should, and nothing of the machine it was made on."""
import pathlib
import re
import shutil
import subprocess
import tempfile

from house import Plant, files, main, read

TOP = {
    "include", "lib", "test", "bench", "docs", "meson.build", "README.md",
    "LICENSE", "CHANGELOG.md", ".ci", ".clang-format", ".gitignore",
    "meson_options.txt", "subprojects",
}
# Bytes on purpose: what the decoders are fed.
MAY_BE_BINARY = ("test/fuzz/corpus/", "test/data/")

# In pieces, so that this file doesn't name them itself.
UNFINISHED = re.compile(r"\b(" + "|".join(
    ("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")) + r")\b")
# An end is a close, an end, a drop or a free: see docs/CONTRIBUTING.md.
OTHER_ENDS = re.compile(
    r"(?<![a-z])(?:abandon|doom|evict|orphan|disown|reap|forget)"
    r"(?:s|ed|ing|ten)?(?![a-z])", re.I)
# A code is asked `rc` and `rc == 0`: see docs/CONTRIBUTING.md.
OTHER_TESTS = re.compile(r"!rc\b(?!\s*[=(])|\bif \(rc != 0\)")
# What lib/base has for all: text.h, deadline.h, loop.h's uvow__loop_mem.
AGAIN = re.compile(
    r"^static (?:inline )?[\w *]*?\b(?:is_digit|is_alpha|to_?lower|lower|"
    r"slice_of|mem_of|hex_(?:digit|value)|fnv\w*)\(|#define NS_PER_MS\b|"
    r"\"0123456789abc" r"def|16777" r"619")
HOME = re.compile(r"(?<![\w.~/$}\])>-])/(?:" + "|".join(
    ("wo" "rk", "ro" "ot", "ho" "me", "Us" "ers")) + r")(?![\w.-])")
HOSTS = re.compile("|".join((
    r"deb\.deb" r"ian", r"security\.deb" r"ian", r"regis" r"try\.npm",
    r"npm" r"js\.(?:org|com)", r"py" r"pi\.", r"python" r"hosted",
    r"cra" r"tes\.io", r"proxy\.gol" r"ang", r"arti" r"factory",
    r"archive\.ubu" r"ntu", r"wrap" r"db\.")), re.I)


def is_text(root, path):
    return b"\0" not in (root / path).read_bytes()


def top_level(root):
    """The top level holds what the design names."""
    return [f"{path}: {path.parts[0]} does not belong to the top level"
            for path in files(root) if path.parts[0] not in TOP]


def no_binaries(root):
    return [f"{path}: is binary" for path in files(root)
            if not str(path).startswith(MAY_BE_BINARY)
            and not is_text(root, path)]


def lines_matching(root, pattern, what):
    return [f"{path}:{number}: {what}: {found[0]}"
            for path in files(root)
            if not str(path).startswith(MAY_BE_BINARY) and is_text(root, path)
            for number, line in enumerate(read(root, path).splitlines(), 1)
            for found in [pattern.search(line)] if found]


def no_absolute_paths(root):
    """Nothing names a directory of one machine."""
    return lines_matching(root, HOME, "a path of one machine")


def nothing_unfinished(root):
    return lines_matching(root, UNFINISHED, "unfinished")


def no_registry_hosts(root):
    """Where packages come from is the machine's business."""
    return lines_matching(root, HOSTS, "a package registry")


def four_verbs_for_an_end(root):
    """The code closes, ends, drops and frees, and has no other word for it."""
    return [line for line in lines_matching(root, OTHER_ENDS,
                                            "another verb for an end")
            if line.startswith(("include/", "lib/"))]


def one_test_of_a_code(root):
    """`if (rc)`: it has failed; `if (rc == 0)`: it hasn't."""
    return [line for line in lines_matching(root, OTHER_TESTS,
                                            "another test of a code")
            if line.startswith(("include/", "lib/", "test/", "docs/examples"))
            and not line.startswith("test/check/")]


def each_word_once(root):
    """What lib/base has isn't made again."""
    return [line for line in lines_matching(root, AGAIN,
                                            "lib/base has this")
            if line.startswith("lib/")
            and not line.startswith("lib/base/text.h:")]


UNUSED = re.compile(r"^static void (\w+)\(void \*\*state\) \{\n(?:.*\n)*?\}",
                    re.M)


def a_test_uses_its_fixture(root):
    """Who has none is a TEST_CASE: see test/support/support.h."""
    return [f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {found[1]} "
            "has no use for its state: TEST_CASE"
            for path in files(root)
            if path.parts[0] == "test" and path.suffix == ".c"
            for text in [read(root, path)]
            for found in UNUSED.finditer(text)
            if "(void)" "state;" in found[0]]


def headers_say_what_is_later(root):
    """Who is given a callback says when it runs, in the header's first words."""
    wrong = []
    for path in files(root):
        if path.parts[:2] != ("include", "uvow") or path.suffix != ".h":
            continue
        text = read(root, path)
        first = text[text.find("@file"):text.find("*/")]
        if re.search(r"\(\*uvow_\w+_cb\)", text) and not re.search(
                r"\blater\b|\bqueue\b|on the spot|never within", first):
            wrong.append(f"{path}:1: has callbacks, and doesn't say when they "
                         "run")
    return wrong


def text_ends_well(root):
    """No tabs or blanks at a line's end; a newline at the end of the file."""
    wrong = []
    for path in files(root):
        if str(path).startswith(MAY_BE_BINARY) or not is_text(root, path):
            continue
        text = read(root, path)
        if text and not text.endswith("\n"):
            wrong.append(f"{path}: no newline at the end")
        wrong += [f"{path}:{number}: blanks at the end, or a CR"
                  for number, line in enumerate(text.split("\n"), 1)
                  if line != line.rstrip()]
    return wrong


def listed(text, table, room):
    """The names of a room in a table of a meson.build."""
    found = re.search(rf"^{table} = {{(.*?)^}}", text, re.M | re.S)
    block = re.search(rf"'{room}': \[(.*?)\]", found[1] if found else "", re.S)
    return re.findall(r"'([^']+)'", block[1]) if block else []


def everything_is_built(root):
    """Each .c file stands in its meson.build, each test in the one table."""
    tables = {"lib": "rooms", "test": "tests"}
    wrong = []
    for path in files(root):
        parts = path.parts
        if path.suffix != ".c":
            continue
        if str(path.parent) == "bench/peers":  # built when it's asked for
            if f"peer {path.name} " not in read(root, "bench/compare"):
                wrong.append(f"{path}: is not in bench/compare")
            continue
        meson = path.parent / "meson.build"
        if not (root / meson).exists():
            meson = path.parent.parent / "meson.build"
        text = read(root, meson) if (root / meson).exists() else ""
        text = re.sub(r"#.*", "", text)
        if len(parts) == 3 and parts[0] in tables and parts[1] not in (
                "support", "fuzz", "load", "model", "sim",
                "command"):
            names = listed(text, tables[parts[0]], parts[1])
        else:
            names = [re.sub(r"\.c$", "", n)
                     for n in re.findall(r"'([^']*)'", text)]
        if path.stem not in names:
            wrong.append(f"{path}: is not in {meson}")
    return wrong


def nothing_else_is_listed(root):
    """No meson.build names, or tolerates, a source that isn't there."""
    here = {str(path) for path in files(root)}
    wrong = []
    for top, table in (("lib", "rooms"), ("test", "tests")):
        text = re.sub(r"#.*", "", read(root, f"{top}/meson.build"))
        for room in re.findall(r"^  '(\w+)': \[", text, re.M):
            wrong += [f"{top}/meson.build: {top}/{room}/{name}.c isn't there"
                      for name in listed(text, table, room)
                      if f"{top}/{room}/{name}.c" not in here]
    for where in ("bench", "docs/examples"):
        text = re.sub(r"#.*", "", read(root, f"{where}/meson.build"))
        names = re.search(r"^\w+_names = \[(.*?)^\]", text, re.M | re.S)[1]
        wrong += [f"{where}/meson.build: {where}/{name}.c isn't there"
                  for name in re.findall(r"'([^']+)'", names)
                  if f"{where}/{name}.c" not in here]
    return wrong


def only_what_is_asked_for(root):
    """Who installs builds the library and the command: neither tests, nor
    examples, nor benchmarks, whatever is there to build them with."""
    wanted = {"tests": "disabled", "examples": "disabled", "bench": "disabled",
              "command": "auto"}
    text = read(root, "meson_options.txt")
    found = dict(re.findall(r"^option\('(\w+)', type: 'feature', value: '(\w+)'",
                            text, re.M))
    return [f"meson_options.txt:1: {name} is {found.get(name)}, not {value}"
            for name, value in wanted.items() if found.get(name) != value]


def questions_are_listed(root):
    """bench/run --list says what each benchmark asks, wherever it lies."""
    with tempfile.TemporaryDirectory(prefix="a place ") as where:
        for path in files(root):
            if path.parts[0] == "bench" or str(path) == "test/setup.sh":
                copy = pathlib.Path(where) / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / path, copy)
        run = subprocess.run([f"{where}/bench/run", "--list"], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = run.stdout.splitlines()
    wrong = [] if run.returncode == 0 and len(lines) > 20 else lines[:5] or [""]
    wrong += [line for line in lines if not re.match(r"\w+ +\w+ \w+", line)]
    return [f"bench/run: {line}" for line in wrong]


CHECKS = (everything_is_built, only_what_is_asked_for, questions_are_listed, nothing_else_is_listed, top_level,
          no_binaries, no_absolute_paths, nothing_unfinished,
          no_registry_hosts, four_verbs_for_an_end, one_test_of_a_code,
          each_word_once, a_test_uses_its_fixture, headers_say_what_is_later,
          text_ends_well)
PLANTS = (
    Plant(only_what_is_asked_for, "meson_options.txt",
          "option('tests', type: 'feature', value: 'auto'",
          replace="option('tests', type: 'feature', value: 'disabled'"),
    Plant(questions_are_listed, "bench/run", "$root/bench/$1.c* |",
          replace='"$root/bench/$1".c* |'),
    Plant(everything_is_built, "lib/base/planted.c", "\n"),
    # Listed, but in another room.
    Plant(everything_is_built, "test/wire/deadline.c", "\n"),
    Plant(everything_is_built, "test/planted/planted.c", "\n"),
    Plant(everything_is_built, "docs/examples/planted.c", "\n"),
    Plant(everything_is_built, "test/fuzz/planted.c", "\n"),
    Plant(everything_is_built, "bench/peers/planted.c", "\n"),
    Plant(nothing_else_is_listed, "lib/meson.build", "'planted', 'task'",
          expect="lib/base/planted.c", replace="'task'"),
    Plant(nothing_else_is_listed, "bench/meson.build",
          "'planted', 'correlation'", expect="bench/planted.c",
          replace="'correlation'"),
    Plant(top_level, "planted.sh", "true\n"),
    Plant(top_level, "scripts/planted.sh", "true\n"),
    Plant(no_binaries, "lib/base/planted.o", "\x7fELF\0"),
    Plant(no_absolute_paths, "test/run", '\ncd "/ro' 'ot/uvow"\n'),
    Plant(no_absolute_paths, "docs/planted.md", "see (/wo" "rk/main)\n"),
    Plant(no_absolute_paths, "docs/planted.md", "see /ho" "me/me\n"),
    Plant(nothing_unfinished, "lib/base/buf.c", "/* TO" "DO: more */\n"),
    Plant(nothing_unfinished, "docs/planted.md", "FIX" "ME\n"),
    Plant(no_registry_hosts, "test/setup.sh", "curl http://deb.deb" "ian.org"),
    Plant(no_registry_hosts, "docs/planted.md", "at npm" "js.org\n"),
    Plant(four_verbs_for_an_end, "lib/base/planted.h", "/* it is orphaned */\n"),
    Plant(four_verbs_for_an_end, "lib/base/planted.h", "void uvow__x_reap();\n"),
    Plant(one_test_of_a_code, "lib/base/planted.h", "if (!" "rc) f();\n"),
    Plant(one_test_of_a_code, "test/base/buf.c", "if (rc " "!= 0) f();\n"),
    Plant(each_word_once, "lib/rpc/planted.h",
          "static const uvow__mem_t *mem_of(const uvow_x_t *x) {\n"),
    Plant(each_word_once, "lib/wire/planted.h",
          "static inline int lower(int c) {\n"),
    Plant(a_test_uses_its_fixture, "test/base/planted.c",
          "static void it(void **state) {\n  (void)" "state;\n}\n"),
    Plant(headers_say_what_is_later, "include/uvow/planted.h",
          "/** @file planted.h */\ntypedef void (*uvow_planted_cb)(void);\n"),
    Plant(text_ends_well, "lib/base/planted.h", "int a; \n"),
    Plant(text_ends_well, "lib/base/planted.h", "int a;"),
)

if __name__ == "__main__":
    main(CHECKS, PLANTS)
