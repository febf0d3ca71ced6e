#!/usr/bin/env python3
"""What crosses the border keeps its layout: docs/explanation/abi.md.

usage: abi.py <build directory>
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from house import Plant, Skip, line_of, main, read, sources, without_comments

TARGETS = ("x86_64-linux-gnu", "i386-linux-gnu", "armv7-linux-gnueabihf")
STRUCT = re.compile(r"^typedef struct (\w+) \{(.*?)^\} (\w+_t);", re.M | re.S)
# Passed by value, or within one that is: (member, words before it).
FROZEN = {
    "uvow_slice_t": (("bytes", 0), ("len", 1), (None, 2)),
    "uvow_channel_t": (("in", 0), ("out", 1), (None, 2)),
    "uvow_json_walk_t": (("rest", 0), ("item", 2), ("key", 4), ("bytes", 6),
                         ("loop", 7), (None, 8)),
}
# These have numbers of 64 bits: the offsets on each target.
FROZEN_64 = {
    "uvow_value_t": (("type", 0, 0, 0), ("as", 8, 4, 8), (None, 16, 12, 16)),
    "uvow_next_t": (("kind", 0, 0, 0), ("code", 4, 4, 4), ("u", 8, 8, 8),
                    (None, 24, 20, 24)),
    "uvow_result_t": (("loop", 0, 0, 0), ("error", 8, 4, 4),
                      ("value", 16, 8, 8), ("source", 32, 20, 24),
                      (None, 40, 24, 32)),
}
# Made by the library for a callback: its size says what is there.
MADE_BY_US = {"uvow_future_info_t", "uvow_peer_change_t", "uvow_pending_t",
              "uvow_operation_t", "uvow_handshake_t"}
# What the targets' C library would have, and <uv.h>.
STRING_H = ("void *memset(void *, int, __SIZE_TYPE__);\n"
            "void *memcpy(void *, const void *, __SIZE_TYPE__);\n")
UV_H = ("typedef struct { int x; } uv_stat_t;\n"
        "typedef struct { int x; } uv_statfs_t;\n"
        "typedef struct { int x; } uv_dirent_t;\n"
        "typedef int uv_file;\ntypedef int uv_os_sock_t;\n"
        "typedef unsigned uv_uid_t;\ntypedef unsigned uv_gid_t;\n")
PROGRAM = """\
#include <stdio.h>
#include <uv.h>
#include <uvow.h>

static uvow_future_t *attempt(uint32_t number, void *data) {
  return number < 2 ? uvow_future_rejected(
                          (uvow_loop_t *)data,
                          uvow_error_new((uvow_loop_t *)data, -1, "again"))
                    : uvow_future_fulfilled((uvow_loop_t *)data,
                                            uvow_value_int64(42));
}

static uvow_next_t answer(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_value(uvow_value_int64(42));
}

int main(void) {
  int64_t number = 0;
  uv_loop_t uv;
  uvow_result_t result;
  uvow_peer_t *ours = NULL, *theirs = NULL;
  uvow_sink_t *sink;
  uvow_loop_options_t options = {.size = sizeof(options)};
  uvow_tls_stats_t stats = {.size = sizeof(stats)};
  uvow_tls_t *tls = NULL;
  uv_loop_init(&uv);
  uvow_loop_t *loop = uvow_loop_new(&uv, &options);
  int rc = uvow_loop_await(
      loop, uvow_future_retry(loop, attempt, loop, UVOW_WITH(retry, .base_ms = 1)),
      &result);
  if (rc || uvow_value_get_int64(&result.value, &number) || number != 42)
    return 1;
  uvow_methods_t *methods = uvow_methods_new(loop);
  if (uvow_methods_add(methods, "answer", answer, NULL))
    return 2;
  uvow_peer_options_t peer = {.size = sizeof(peer),
                              .protocol = uvow_protocol_by_name("jsonrpc2"),
                              .methods = methods};
  if (uvow_peer_pair(loop, &peer, &peer, &ours, &theirs))
    return 3;
  rc = uvow_loop_await(
      loop, uvow_peer_request_with(ours, "answer", uvow_value_none(),
                                   UVOW_WITH(request, .timeout_ms = 10000)),
      &result);
  if (rc || uvow_result_get_int64(&result, "", &number) || number != 42)
    return 4;
  uvow_stream_t *stream =
      uvow_stream_new(loop, UVOW_WITH(stream, .max_items = 4), &sink);
  if (!stream || uvow_tls_new(loop, UVOW_DEFAULTS(tls), &tls, NULL) ||
      uvow_tls_get_stats(tls, &stats))
    return 5;
  uvow_tls_unref(tls);
  uvow_stream_unref(stream);
  uvow_sink_drop(sink);
  uvow_peer_unref(ours);
  uvow_peer_unref(theirs);
  uvow_methods_unref(methods);
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) ? 6 : 0;
}
"""


def structs(root):
    """(path, line, body, name) of each public one that is no mere tag."""
    for path in sources(root, "include", suffixes=(".h",)):
        code = without_comments(read(root, path))
        for found in STRUCT.finditer(code):
            yield path, line_of(code, found.start()), found[2], found[3]


def structs_begin_with_their_size(root):
    frozen = {*FROZEN, *FROZEN_64}
    return [f"{path}:{line}: {name} doesn't begin with its size"
            for path, line, body, name in structs(root)
            if name not in frozen and not body.split(";")[0].split()
            == ["size_t", "size"]]


def compile_for(root, target, program, *flags):
    if not shutil.which("clang"):
        raise Skip("clang is not installed")
    with tempfile.TemporaryDirectory() as where:
        fake = pathlib.Path(where)
        (fake / "string.h").write_text(STRING_H)
        (fake / "uv.h").write_text(UV_H)
        run = subprocess.run(
            ["clang", "-target", target, "-std=c11", "-ffreestanding",
             "-nostdlibinc", "-fsyntax-only", "-fno-caret-diagnostics",
             f"-I{root}/include", f"-I{fake}", *flags, "-xc", "-"],
            input="#include <uvow.h>\n#include <uvow/uv.h>\n" + program,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return [line.replace(f"{root}/", "") for line in run.stdout.splitlines()
            if re.search("(warning|error):", line)]


def structs_have_no_padding(root):
    """On any ABI: 64 bits, 32, and 32 that align numbers of 64."""
    names = [name for _, _, _, name in structs(root) if name not in FROZEN_64]
    program = "".join(f"size_t size_of_{n} = sizeof({n});\n" for n in names)
    lines = [f"{line} ({target})" for target in TARGETS for line in
             compile_for(root, target, program, "-Wpadded")]
    # They have it on one of the targets, for good.
    return [line for line in lines
            if not re.search(r"'struct uvow_(value|result|next)'", line)]


def frozen_structs_stay(root):
    wrong = []
    for at, target in enumerate(TARGETS):
        word = 8 if at == 0 else 4
        expected = {name: [(member, words * word) for member, words in members]
                    for name, members in FROZEN.items()}
        for name, members in FROZEN_64.items():
            expected[name] = [(m[0], m[1 + at]) for m in members]
        program = "".join(
            f'_Static_assert({measured} == {offset}, "{name}");\n'
            for name, members in expected.items() for member, offset in members
            for measured in [f"offsetof({name}, {member})" if member
                             else f"sizeof({name})"])
        wrong += [f"{target}: {line}"
                  for line in compile_for(root, target, program)]
    return wrong


def structs_are_tried(root):
    """What the library reads is in the table of test/rpc/abi.c."""
    tried = read(root, "test/rpc/abi.c")
    return [f"{path}:{line}: {name} isn't in test/rpc/abi.c"
            for path, line, _, name in structs(root)
            if name not in {*FROZEN, *FROZEN_64} | MADE_BY_US
            and not re.search(rf"\b{name}\b", tried)]


def older(text):
    """A header of the time when no struct had its last member."""
    def cut(found):
        # Whole lines that end a member, but for the first two.
        ends = [m.end() for m in re.finditer(r";\n", found[2])]
        body = found[2][:ends[-2]] if len(ends) > 2 else found[2]
        return f"typedef struct {found[1]} {{{body}}} {found[3]};"
    frozen = {*FROZEN, *FROZEN_64, "uvow_type_t"}
    return STRUCT.sub(
        lambda m: m[0] if m[3] in frozen else cut(m),
        without_comments(text, strings=False))


def older_programs_run(root):
    """Compiled with the headers of a time when the structs were shorter."""
    build = pathlib.Path(sys.argv[1]).resolve() / "lib"
    if not (build / "libuvow.so").exists():
        raise Skip("there is no build to link with")
    with tempfile.TemporaryDirectory() as where:
        where = pathlib.Path(where)
        (where / "uvow").mkdir()
        for path in sources(root, "include", suffixes=(".h",)):
            (where / path.relative_to("include")).write_text(
                older(read(root, path)))
        (where / "program.c").write_text(PROGRAM)
        cflags = subprocess.run(["pkg-config", "--cflags", "--libs", "libuv"],
                                text=True, stdout=subprocess.PIPE)
        run = subprocess.run(
            ["gcc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", f"-I{where}",
             "program.c", "-o", "program", f"-L{build}", "-luvow",
             "-luvow_futures", f"-Wl,-rpath,{build}", *cflags.stdout.split()],
            cwd=where, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        if run.returncode == 0:
            run = subprocess.run(
                [where / "program"], text=True, timeout=60,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode == 0:
        return []
    return [f"the program ended with {run.returncode}"] \
        + run.stdout.splitlines()[:20]


CHECKS = (structs_begin_with_their_size, structs_have_no_padding,
          frozen_structs_stay, structs_are_tried, older_programs_run)
BASE = "include/uvow/base.h"
PLANTS = (
    Plant(structs_begin_with_their_size, BASE,
          "typedef struct uvow_x {\n  int a;\n} uvow_x_t;\n"),
    Plant(structs_have_no_padding, BASE,
          "typedef struct uvow_x {\n  size_t size;\n  int a;\n} uvow_x_t;\n"),
    Plant(structs_have_no_padding, BASE,
          "typedef struct uvow_x {\n  size_t size;\n  uint64_t a;\n"
          "} uvow_x_t;\n", expect="armv7"),
    Plant(frozen_structs_stay, BASE, "  size_t len;\n  const char *bytes;\n",
          expect="uvow_slice_t",
          replace="  const char *bytes;\n  size_t len;\n"),
    Plant(structs_are_tried, BASE,
          "typedef struct uvow_x {\n  size_t size;\n} uvow_x_t;\n"),
)

if __name__ == "__main__":
    main(CHECKS, PLANTS)
