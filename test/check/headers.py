#!/usr/bin/env python3
"""Every header compiles alone: all as C11, the public ones also as C++."""
import concurrent.futures
import os
import re
import shutil
import subprocess

from house import ROOT, Plant, Skip, line_of, main, read, sources

STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]


def pkg_config():
    run = subprocess.run(
        ["pkg-config", "--cflags", "libuv", "jansson", "libcrypto", "cmocka"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return run.stdout.split()


def compile_alone(root, path, command):
    # Twice, for the include guard.
    program = f'#include "{path}"\n#include "{path}"\nint main(void);\n'
    run = subprocess.run(
        command + ["-I.", "-"], input=program, text=True, cwd=root,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode == 0:
        return []
    return [f"{path}:1: doesn't compile alone with {command[0]}"] \
        + run.stdout.splitlines()[:8]


def compile_all(root, paths, command):
    if not shutil.which(command[0]):
        raise Skip(f"{command[0]} is not installed")
    if root != ROOT:  # a copy with a plant: the rest has been compiled
        paths = [path for path in paths if not (ROOT / path).exists()
                 or read(root, path) != read(ROOT, path)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda p: compile_alone(root, p, command), paths)
        return [line for lines in found for line in lines]


def internal_headers(root):
    """lib and test: with what the project is built with."""
    return compile_all(
        root, sources(root, "lib", "test", "bench", suffixes=(".h",)),
        ["gcc", "-xc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", *STRICT,
         "-Iinclude", "-Ilib", "-Itest", *pkg_config()])


def public(root, command):
    """As a user does: with nothing but the directory; for uvow/uv.h also what
    <uv.h> wants with -std=c11."""
    paths = sources(root, "include", suffixes=(".h",))
    command = command + STRICT + ["-Iinclude"]
    return compile_all(
        root, [path for path in paths if path.name != "uv.h"], command
    ) + compile_all(
        root, [path for path in paths if path.name == "uv.h"],
        command + ["-D_POSIX_C_SOURCE=200809L"])


def public_headers_as_c11(root):
    return public(root, ["gcc", "-xc", "-std=c11"])


def public_headers_as_cxx(root):
    return public(root, ["g++", "-xc++", "-std=c++17", "-Wshadow"])


def public_headers_with_clang(root):
    return public(root, ["clang", "-xc", "-std=c11"])


def public_headers_as_cxx_with_clang(root):
    return public(root, ["clang++", "-xc++", "-std=c++17", "-Wshadow"])


def cxx20_headers(root):
    """uvow.hpp: with both compilers, with exceptions and without."""
    wrong = []
    for compiler in ("g++", "clang++"):
        for mode in ([], ["-fno-exceptions"]):
            wrong += compile_all(
                root, sources(root, "include", suffixes=(".hpp",)),
                [compiler, "-xc++", "-std=c++20", "-Wconversion", *STRICT,
                 *mode, "-Iinclude"])
    return wrong


FORGETS = """\
#include <uvow/future.h>
void f(uvow_future_t *f);
void f(uvow_future_t *f) { uvow_future_then(f, 0, 0); }
"""
FILLS = """\
#include <uvow/combine.h>
unsigned f();
unsigned f() {
  uvow_retry_options_t options;
  UVOW_INIT(&options);
  return options.size == sizeof(options) ? options.max_attempts : 1;
}
"""


def said_of(root, command, program):
    """What a compiler says of a program of a user's."""
    return subprocess.run(  # what is lost is seen only where code is made
        command + STRICT[:-1] + ["-Iinclude", "-S", "-o", os.devnull, "-"],
        input=program, text=True, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def a_lost_chain_is_warned_of(root):
    """`uvow_future_then(f, ...);` without `f =`, in C and in C++."""
    return [f"include/uvow/base.h:1: {command[0]} lets a lost future pass"
            for command in (["gcc", "-xc", "-std=c11"],
                            ["g++", "-xc++", "-std=c++17"])
            if "unused-result" not in said_of(root, command, FORGETS)]


def options_are_filled_in_cxx(root):
    """Without designated initialisers, which C++17 hasn't."""
    said = said_of(root, ["g++", "-xc++", "-std=c++17", "-Wshadow"], FILLS)
    return [f"include/uvow/base.h:1: {line}" for line in said.splitlines()]


# What a program must know, and where it's read.
TOLD = (("loop.h", r"ignore\s+\*?\s*SIGPIPE"), ("uv.h", r"ignores\s+SIGPIPE"),
        ("base.h", r"only where another thread has a promise"),
        ("thread.h", r"allocator"),
        ("future.h", r"a rejection\s+\*\s+is still reported"),
        ("peer.h", r"what waits or is in flight, both ways, may end"))


def users_are_told(root):
    return [f"include/uvow/{name}:1: doesn't say {pattern!r}"
            for name, pattern in TOLD
            if not re.search(pattern, read(root, f"include/uvow/{name}"))]


# What libuvow adds to libuvow_futures.
OF_REQUESTS = {"deflate.h", "group.h", "json.h", "methods.h", "peer.h",
               "protocol.h", "server.h", "subscription.h", "tls.h",
               "websocket.h"}
VALUES = re.compile(r"\buvow_(?:result|value|next)_\w+")
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def futures_say_what_they_have(root):
    """A header of libuvow_futures names no way to read or make a value that only
    libuvow has: who takes futures alone couldn't use it."""
    wrong, theirs = [], set()
    ours = [path for path in sources(root, "include", suffixes=(".h",))
            if path.name not in OF_REQUESTS | {"uvow.h"}]
    for name in OF_REQUESTS:
        text = read(root, f"include/uvow/{name}")
        theirs |= set(VALUES.findall(COMMENT.sub("", text)))
    for path in ours:
        theirs -= set(VALUES.findall(COMMENT.sub("", read(root, path))))
    for path in ours:
        text = read(root, path)
        for comment in COMMENT.finditer(text):
            wrong += [f"{path}:{line_of(text, comment.start())}: names {name}, "
                      "which libuvow_futures hasn't"
                      for name in VALUES.findall(comment[0]) if name in theirs]
    return wrong


CHECKS = (futures_say_what_they_have, internal_headers, public_headers_as_c11, public_headers_as_cxx,
          public_headers_with_clang, public_headers_as_cxx_with_clang,
          cxx20_headers, a_lost_chain_is_warned_of, options_are_filled_in_cxx,
          users_are_told)
PLANTS = (
    Plant(a_lost_chain_is_warned_of, "include/uvow/base.h",
          "#define UVOW_NEW UVOW_API\n", replace="#define UVOW_NEW UVOW_API "
          "__attribute__((warn_unused_result))\n"),
    Plant(a_lost_chain_is_warned_of, "include/uvow/future.h",
          "UVOW_API uvow_future_t *uvow_future_then(",
          expect="base.h", replace="UVOW_NEW uvow_future_t *uvow_future_then("),
    Plant(options_are_filled_in_cxx, "include/uvow/base.h",
          "#define UVOW_INIT(ptr) (*(ptr) = {.size = sizeof *(ptr)})",
          replace="#define UVOW_INIT(ptr) uvow_init((ptr), sizeof *(ptr))"),
    Plant(users_are_told, "include/uvow/loop.h", "mind", replace="ignore"),
    Plant(futures_say_what_they_have, "include/uvow/planted.h",
          "/** Read by uvow_result_getf. */\nint uvow_f(void);\n"),
    Plant(internal_headers, "lib/base/planted.h", "size_t uvow__f(void);\n"),
    Plant(internal_headers, "lib/base/planted.h",
          "typedef struct uvow__x { int a; } uvow__x_t;\n"),
    Plant(public_headers_as_c11, "include/uvow/planted.h",
          "uint8_t uvow_f(void);\n"),
    Plant(public_headers_as_c11, "include/uvow/planted.h", "struct x {};\n"),
    Plant(public_headers_as_cxx, "include/uvow/planted.h",
          "int uvow_f(int class);\n"),
    Plant(public_headers_as_cxx, "include/uvow/planted.h",
          "typedef struct uvow_a { int b; } uvow_a_t;\nint uvow_a(void);\n"),
    Plant(cxx20_headers, "include/uvow/planted.hpp",
          "inline int f(long a) { return a; }\n"),
)

if __name__ == "__main__":
    main(CHECKS, PLANTS)
