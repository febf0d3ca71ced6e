#!/usr/bin/env python3
"""What every public function does where a pointer is NULL.

usage: nulls.py <build directory>

A program is made from the headers: it calls each function with all arguments
zero, and with each pointer in turn NULL and the others good, in a process of its
own. None may crash; and where the call is refused though a loop is at hand,
uvow_loop_error names the argument.
"""
import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from house import Plant, main, read, sources, without_comments

DECLARED = re.compile(r"^UVOW_(?:API|NEW|FORMATTED)\s+([^;{]+?);", re.M)

# C that makes a good argument of a type.
GOOD = {
    "uvow_loop_t *": "loop",
    "const uvow_loop_t *": "loop",
    "uvow_future_t *": "uvow_future_fulfilled(loop, uvow_value_int64(1))",
    "const uvow_future_t *": "uvow_future_fulfilled(loop, uvow_value_int64(1))",
    "uvow_promise_t *": "new_promise()",
    "uvow_future_t *const *": "futures",
    "const char *": '"x"',
    "const void *": '"x"',
    "uvow_error_t *": 'uvow_error_new(loop, UVOW_EREMOTE, "x")',
    "const uvow_error_t *": 'uvow_error_new(loop, UVOW_EREMOTE, "x")',
    "const uvow_result_t *": "&result",
    "uvow_result_t *": "&result",
    "uvow_value_t": 'uvow_value_text("x")',
    "const uvow_value_t *": "&result.value",
    "uvow_value_t *": "&result.value",
    "uvow_stream_t *": "new_stream()",
    "const uvow_stream_t *": "new_stream()",
    "uvow_stream_t *const *": "streams",
    "uvow_sink_t *": "new_sink()",
    "uvow_peer_t *": "new_peer()",
    "const uvow_peer_t *": "new_peer()",
    "uvow_group_t *": "uvow_group_new(loop)",
    "uvow_scope_t *": "uvow_scope_new(loop)",
    "uvow_gate_t *": "uvow_gate_new(loop)",
    "uvow_limit_t *": "uvow_limit_new(loop, 1)",
    "uvow_methods_t *": "uvow_methods_new(loop)",
    "uvow_listener_t *": "uvow_listener_new(loop, UVOW_DEFAULTS(listener))",
    "const uvow_listener_t *":
        "uvow_listener_new(loop, UVOW_DEFAULTS(listener))",
    "uvow_channel_t": "new_channel()",
    "uvow_thread_promise_t *": "new_thread_promise()",
    "uvow_thread_loop_t *": "uvow_thread_loop_new(loop, NULL)",
    "struct uv_loop_s *": "&uv",
    "const uvow_type_t *": "&uvow_type_int64",
    "uvow_websocket_t *": "new_websocket()",
    "const uvow_websocket_t *": "new_websocket()",
    "uvow_server_t *": "new_server()",
    "const uvow_server_t *": "new_server()",
    "uvow_protocol_t *": "new_protocol()",
    "const uvow_protocol_t *": "new_protocol()",
    "uvow_tls_t *": "new_tls()",
    "const uvow_tls_t *": "new_tls()",
    "uvow_file_t *": "new_file()",
    "const uvow_file_t *": "new_file()",
    "uvow_process_t *": "new_process()",
    "const uvow_process_t *": "new_process()",
    "const uvow_results_t *": "new_results()",
    "uvow_peer_stats_t *": "&peer_stats",
    "uvow_tls_stats_t *": "&tls_stats",
    "uvow_json_walk_t *": "new_walk()",
    "const uvow_header_t *": "&header",
    "struct json_t *": "json_object()",
}
# What only uvow makes, within a call or a codec.
ITS_OWN = {"const uvow_call_t *", "uvow_writer_t *", "uvow_reader_t *",
           "const uvow_codec_t *", "const uvow_meaning_t *"}
# NULL of these: what failed before is passed on, or there's no loop at hand.
PASSED_ON = {"uvow_loop_t *", "uvow_future_t *", "uvow_stream_t *",
             "uvow_sink_t *", "uvow_promise_t *"}
# A pointer that the header says must be there: a look at it would cost each
# future two instructions.
REQUIRED = {("uvow_promise_new", "ret_promise")}
# Refused for another reason than what is NULL: options with nothing in them, a
# thread that must not touch the loop.
UNSAID = {"uvow_peer_pair", "uvow_protocol_new", "uvow_thread_loop_post"}
FREESTANDING = {"const char *", "const void *", "uvow_value_t",
                "struct uv_loop_s *", "const uvow_type_t *"}

PROGRAM = """
#include <uv.h>
#include <jansson.h>
#include <uvow.h>
#include <uvow/fiber.h>
#include <uvow/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uv_loop_t uv;
static uvow_loop_t *loop;
static uvow_result_t result;
static uvow_future_t *futures[1];
static uvow_stream_t *streams[1];
static long long room[64];
static void nothing(void) {
}
static void no_news(uvow_loop_t *l, const uvow_error_t *error, void *data) {
  (void)l, (void)error, (void)data;
}
static uvow_promise_t *new_promise(void) {
  uvow_promise_t *p;
  (void)!uvow_promise_new(loop, &p);
  return p;
}
static uvow_stream_t *new_stream(void) {
  uvow_sink_t *sink;
  return uvow_stream_new(loop, NULL, &sink);
}
static uvow_sink_t *new_sink(void) {
  uvow_sink_t *sink;
  (void)!uvow_stream_new(loop, NULL, &sink);
  return sink;
}
static uvow_channel_t new_channel(void) {
  uvow_channel_t a = {0}, b = {0};
  (void)uvow_channel_pair(loop, &a, &b);
  return a;
}
static uvow_peer_t *new_peer(void) {
  return uvow_peer_new(loop, new_channel(), NULL);
}
static uvow_thread_promise_t *new_thread_promise(void) {
  uvow_thread_promise_t *p;
  (void)!uvow_thread_promise_new(loop, &p);
  return p;
}
static uvow_peer_stats_t peer_stats = {sizeof(peer_stats)};
static uvow_tls_stats_t tls_stats = {sizeof(tls_stats)};
static uvow_header_t header = {"x", "y"};
static uvow_websocket_t *new_websocket(void) {
  return uvow_websocket_connect(loop, "ws://127.0.0.1:1/", NULL);
}
static uvow_protocol_t *new_protocol(void) {
  return (uvow_protocol_t *)uvow_protocol_by_name("jsonrpc2");
}
static uvow_server_t *new_server(void) {
  return uvow_server_new(uvow_listener_new(loop, UVOW_DEFAULTS(listener)),
                         UVOW_WITH(peer, .protocol = new_protocol()));
}
static uvow_tls_t *new_tls(void) {
  uvow_tls_t *tls = NULL;
  (void)uvow_tls_new(loop, UVOW_WITH(tls, .insecure_no_verify = 1), &tls, NULL);
  return tls;
}
static uvow_file_t *new_file(void) {
  uvow_result_t opened = {0};
  (void)uvow_loop_await(loop, uvow_fs_open(loop, "/dev/null", 0, 0), &opened);
  return uvow_file_ref(uvow_result_file(&opened));
}
static uvow_process_t *new_process(void) {
  static const char *const args[] = {"true", NULL};
  return uvow_spawn(loop, UVOW_WITH(process, .args = args));
}
static const uvow_results_t *new_results(void) {
  static uvow_result_t all;
  void *results = NULL;
  (void)uvow_loop_await(loop, uvow_future_all(loop, NULL, 0), &all);
  (void)uvow_value_get_ptr(&all.value, &uvow_type_results, &results);
  return results;
}
static uvow_json_walk_t *new_walk(void) {
  static uvow_json_walk_t walk;
  static uvow_result_t array;
  array.loop = loop;
  array.value = uvow_value_bytes(loop, "[1]", 3);
  walk = uvow_result_walk(&array, "");
  return &walk;
}
static void begin(void) {
  uv_loop_init(&uv);
  loop = uvow_loop_new(&uv, UVOW_WITH(loop, .on_unhandled = no_news));
  result.loop = loop;
  futures[0] = uvow_future_fulfilled(loop, uvow_value_none());
  streams[0] = new_stream();
}
/* A refusal must name what is wrong. */
static int unsaid(int refused, const char *name) {
  const uvow_error_t *error = uvow_loop_error(loop);
  return refused && !strstr(uvow_error_message(error), name);
}
%s
static const struct {
  int (*call)(void);
  const char *what;
} calls[] = {%s};

int main(void) {
  size_t wrong = 0;
  for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      freopen("/dev/null", "w", stderr);
      begin();
      _exit(calls[i].call());
    }
    waitpid(child, &status, 0);
    if (status == 0)
      continue;
    wrong++;
    printf("%%s %%s\\n", calls[i].what,
           WIFSIGNALED(status) ? "crashes" : "says nothing of it");
  }
  return wrong != 0;
}
"""


Argument = collections.namedtuple("Argument", "type name")


def functions(root):
    """(path, what it returns, name, arguments) of each public function."""
    for path in sources(root, "include", suffixes=(".h",)):
        code = without_comments(read(root, path))
        for found in DECLARED.finditer(code):
            text = " ".join(found[1].split())
            text = re.sub(r"\bUVOW_\w+\(.*?\)\s*$", "", text).strip()
            head = re.match(r"(.*?)(\w+)\((.*)\)$", text)
            if not head:
                continue
            arguments = []
            for argument in head[3].split(","):
                argument = argument.strip()
                if argument in ("void", "..."):
                    continue
                parts = re.match(r"(.*?)(\w+)(\[\w*\])?$", argument)
                arguments.append(Argument(parts[1].strip(), parts[2]))
            yield path, head[1].strip(), head[2], arguments


def is_pointer(argument):
    return argument.type.endswith("*") or argument.type.endswith("_cb")


def good(argument):
    """C of a good argument; None: there's no way to make one."""
    kind = argument.type
    if kind in GOOD:
        return GOOD[kind]
    if argument.name.startswith("ret_"):
        return f"({kind})(void *)room"
    if kind.endswith("_cb"):
        return f"({kind})nothing"
    if kind.startswith("const uvow_") and kind.endswith("_options_t *"):
        name = kind[len("const uvow_"):-len("_options_t *")]
        return f"UVOW_DEFAULTS({name})"
    if kind == "void *":
        return "NULL"
    return None if is_pointer(argument) else f"({kind})1"


def zero(argument):
    if is_pointer(argument):
        return f"({argument.type})NULL"
    kind = argument.type
    return f"({kind}){{0}}" if kind in ("uvow_value_t", "uvow_channel_t",
                                       "uvow_slice_t") else f"({kind})0"


def has_loop(arguments, but):
    return any(i != but and a.type in GOOD and a.type not in FREESTANDING
               and not a.name.startswith("ret")
               for i, a in enumerate(arguments))


def body(returns, name, arguments, values, null):
    """What a call's function does: calls, and looks at what it noted."""
    call = f"{name}({', '.join(values)})"
    checked = (null is not None and has_loop(arguments, null)
               and arguments[null].type not in PASSED_ON
               and name not in UNSAID)
    all_good = f"{name}({', '.join(good(a) or zero(a) for a in arguments)})"
    refused = f"!{all_good}" if returns.endswith("*") else f"{all_good} < 0"
    if returns == "void":
        return f"{call};\n  return 0;"
    if returns == "int":
        if checked:
            return (f"if ({refused})\n    return 0;\n"
                    f"  return unsaid({call} == UVOW_EINVAL, "
                    f'"{arguments[null].name}");')
        return f"(void)!{call};\n  return 0;"
    if returns.endswith("*"):
        if checked and not returns.startswith("const"):
            return (f"if ({refused})\n    return 0;\n"
                    f'  return unsaid(!{call}, "{arguments[null].name}");')
        return f"(void)!{call};\n  return 0;"
    return f"(void){call};\n  return 0;"


def variants(name, arguments):
    """(what, values, which is NULL) of each call."""
    required = {a.name for a in arguments if (name, a.name) in REQUIRED}
    yield ("all zero", [good(a) if a.name in required else zero(a)
                        for a in arguments], None)
    values = [good(a) or zero(a) for a in arguments]
    for i, argument in enumerate(arguments):
        if (is_pointer(argument) and argument.type != "void *"
                and argument.name not in required):
            yield (f"{argument.name} NULL",
                   values[:i] + [zero(argument)] + values[i + 1:], i)


def unmade(root):
    """Types of arguments for which nobody knows a good one."""
    return sorted({a.type for _, _, _, arguments in functions(root)
                   for a in arguments
                   if is_pointer(a) and good(a) is None} - ITS_OWN)


def program(root):
    code, table = [], []
    for path, returns, name, arguments in functions(root):
        for what, values, null in variants(name, arguments):
            call = f"call_{len(table)}"
            code.append(f"static int {call}(void) {{\n  "
                        f"{body(returns, name, arguments, values, null)}\n}}")
            table.append(f'{{{call}, "{path}: {name}, {what}:"}}')
    return PROGRAM % ("\n".join(code), ",\n".join(table)), len(table)


def none_crashes(root):
    """Each pointer of each public function may be NULL."""
    where = pathlib.Path(sys.argv[1]).resolve() / "lib"
    text, count = program(root)
    with tempfile.TemporaryDirectory() as temporary:
        source = pathlib.Path(temporary) / "nulls.c"
        source.write_text(text, encoding="utf-8")
        subprocess.run(
            [os.environ.get("CC", "gcc"), "-std=c11", "-O0", "-w",
             "-D_POSIX_C_SOURCE=200809L", f"-I{root / 'include'}", str(source),
             "-o", str(source.with_suffix("")), str(where / "libuvow.so"),
             str(where / "libuvow_futures.so"), "-luv", "-ljansson",
             f"-Wl,-rpath,{where}"], check=True)
        run = subprocess.run([str(source.with_suffix(""))], cwd=temporary,
                             stdout=subprocess.PIPE, text=True)
    print(f"# {count} calls")
    return (run.stdout.splitlines()
            + [f"nulls.py makes no {kind}" for kind in unmade(root)])


CHECKS = [none_crashes]
PLANTS = [
    Plant(none_crashes, "include/uvow/future.h",
          "uvow_future_peek(uvow_future_t *f, uvow_result_t *result_here);",
          replace="uvow_future_peek(uvow_future_t *f, uvow_result_t *ret_result);",
          expect="uvow_future_peek, result_here NULL: says nothing of it"),
    Plant(none_crashes, "include/uvow/nulls.h",
          "UVOW_API int atoi(const char *text);\n",
          expect="atoi, text NULL: crashes"),
    Plant(none_crashes, "include/uvow/nulls.h",
          "UVOW_API int ferror(FILE *file);\n",
          expect="nulls.py makes no FILE *"),
]

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(CHECKS, PLANTS)
