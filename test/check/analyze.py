#!/usr/bin/env python3
"""Static analysis finds nothing: cppcheck, gcc -fanalyzer, clang-tidy.

usage: analyze.py <build directory>

`test/run --analyze` runs this; gcc and clang-tidy take minutes. Each reads the
library and the command with the flags of the build.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

from house import ROOT, Skip, main

# Said of code that is right, or of style that is the house's own.
CPPCHECK_OFF = ("missingIncludeSystem", "unusedFunction", "constParameter",
                "constParameterCallback", "variableScope", "unmatchedSuppression",
                "constParameterPointer", "constVariablePointer")
# What it can't see: that a loop runs at least once, that a pointer to a local
# is taken back before the function returns, that the lengths fit.
CPPCHECK_WRONG = ("uninitvar:lib/wire/json_unpack.c",
                  "uninitvar:lib/wire/json_number.c",
                  "autoVariables:lib/rpc/callee.c",
                  "uninitvar:lib/rpc/fields.c",
                  "uninitvar:lib/rpc/peer_request.c",
                  "ctunullpointer:lib/future/future.c")
JANSSON = "-Djson_array_foreach(a,i,v)=while (v = json_array_get(a, (i = 0)))"
# What clang can't see: that a slice of some length has a pointer, that a loop
# runs at least once, that a call that failed isn't answered with 0, that a
# va_list in a struct was begun by whoever made it.
TIDY_WRONG = {
    "NonNullParamChecker": ("lib/protocol/rules.c", "lib/rpc/call.c",
                            "lib/rpc/family.c", "lib/rpc/group.c",
                            "lib/rpc/payload.c", "lib/uv/whole.c"),
    "NullDereference": ("lib/base/intern.h", "lib/base/pool.h",
                        "lib/future/combine.c", "lib/future/stream.h",
                        "lib/future/runtime.h", "lib/protocol/parse_places.c",
                        "lib/rpc/group.c", "lib/rpc/outbox.c",
                        "lib/rpc/peer_request.c"),
    "CallAndMessage": ("lib/future/bytes.c",),
    "uninitialized.Assign": ("lib/wire/json_number.c",),
    "valist.Uninitialized": ("lib/wire/json_unpack.c",),
}
TIDY = ("-*,clang-analyzer-*,bugprone-*,-bugprone-easily-swappable-parameters,"
        "-bugprone-assignment-in-if-condition,-bugprone-reserved-identifier,"
        "-bugprone-narrowing-conversions,-bugprone-macro-parentheses,"
        "-bugprone-branch-clone,-bugprone-suspicious-include,"
        "-bugprone-not-null-terminated-result,-bugprone-signed-char-misuse,"
        "-bugprone-suspicious-missing-comma,"
        "-clang-analyzer-security.FloatLoopCounter,"
        "-bugprone-sizeof-expression,-bugprone-implicit-widening-of-"
        "multiplication-result,-bugprone-suspicious-string-compare,"
        "-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,"
        "-clang-analyzer-optin.performance.Padding")

# How far clang follows the paths of a function: a small part of its default, which
# takes five times as long and finds nothing more.
TIDY_NODES = "10000"


def commands():
    """(source, compile command, its directory) of lib, once each."""
    build = pathlib.Path(sys.argv[1]).resolve()
    seen = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = os.path.normpath(os.path.join(entry["directory"],
                                               entry["file"]))
        source = os.path.relpath(source, ROOT)
        if source.startswith("lib/") and source not in seen:
            words = shlex.split(entry["command"])
            words = words[1:] if words[0] == "ccache" else words
            seen[source] = (words, entry["directory"])
    return seen


def each(call):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [line for lines in pool.map(call, sorted(commands().items()))
                for line in lines]


def need(tool):
    if not shutil.which(tool):
        raise Skip(f"{tool} is not installed")


def cppcheck(root):
    need("cppcheck")
    done = subprocess.run(
        ["cppcheck", "-q", "-j", str(os.cpu_count() or 1), "--std=c11",
         "--enable=warning,performance,portability", "--inline-suppr",
         "--template={file}:{line}: {id}: {message}",
         *(f"--suppress={name}" for name in CPPCHECK_OFF + CPPCHECK_WRONG),
         "-Iinclude", "-Ilib", "-D__GNUC__", JANSSON, "lib"], cwd=root, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return [line for line in done.stderr.splitlines() if line.strip()]


def without_outputs(words):
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MQ"):
            skip = True
        elif word not in ("-MD", "-c"):
            kept.append(word)
    return kept


def fanalyzer(root):
    def one(item):
        _, (words, where) = item
        done = subprocess.run(
            without_outputs(words) + ["-c", "-o", os.devnull, "-fanalyzer", "-w", "-O1",
                                      "-g0", "-fdiagnostics-plain-output"],
            cwd=where, text=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        return re.findall(r"^\S+: (?:warning|error): .*-Wanalyzer.*$",
                          done.stderr, re.M)
    need("gcc")
    return each(one)


def is_wrong(line):
    return any(f"{check}]" in line and f"{path}:" in line
               for check, paths in TIDY_WRONG.items() for path in paths)


def clang_tidy(root):
    def one(item):
        source, (words, where) = item
        flags = [word for word in without_outputs(words)[1:]
                 if re.match(r"-[ID]|-std", word)]
        flags = [f"-I{os.path.join(where, word[2:])}"
                 if word.startswith("-I") and word[2:3] != "/" else word
                 for word in flags]
        done = subprocess.run(
            ["clang-tidy", "-quiet", f"-checks={TIDY}", str(ROOT / source),
             "--", *flags, "-Xclang", "-analyzer-config", "-Xclang",
             f"max-nodes={TIDY_NODES}"], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        return re.findall(r"^\S+: (?:warning|error): .*$", done.stdout, re.M)
    need("clang-tidy")
    return [line for line in each(one) if not is_wrong(line)]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main((cppcheck, fanalyzer, clang_tidy), ())
