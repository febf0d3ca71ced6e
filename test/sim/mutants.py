#!/usr/bin/env python3
"""Plants faults into copies of the library, and counts how many worlds the
simulation needs to find each. Prints a table in Markdown.

  test/sim/mutants.py [--seeds N] [--only WORD]

It isn't part of test/run: it takes minutes. What it finds stands in
docs/explanation/simulation.md.
"""
import argparse
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import concurrent.futures

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ("-std=c11 -D_POSIX_C_SOURCE=200809L -g -O1 -fsanitize=address,"
         "undefined -fno-sanitize-recover=all -w -Iinclude -Ilib -Itest")
LIBS = "-luv -lwslay -ljansson -lssl -lcrypto -lz -lcmocka"

# What is broken, where, the line, and what it becomes.
MUTANTS = (
    ("a slot isn't freed when its request settles", "rpc/dispatcher.c",
     "  d->slots[id & d->mask] = tombstone(id, how);\n",
     "  (void)id, (void)how;\n"),
    ("a slot keeps no tombstone", "rpc/dispatcher.c",
     "= tombstone(id, how);\n", "= ((void)how, 0);\n"),
    ("an answer settles whoever has its slot now", "rpc/dispatcher.c",
     "if (!is_live(slot) || request_in(slot)->id != id)\n",
     "if (!is_live(slot))\n"),
    ("a request that settles leaves its deadline armed", "rpc/dispatcher.c",
     "  uvow__wheel_disarm(&request->deadline);\n", ""),
    ("a failure is always NOT_SENT", "rpc/dispatcher.c",
     "return request->was_sent ? UVOW_MAYBE_EXECUTED : UVOW_NOT_SENT;",
     "return request->was_sent ? UVOW_NOT_SENT : UVOW_NOT_SENT;"),
    ("that a request was sent is forgotten with its connection",
     "rpc/dispatcher.h", "request->sent = request->was_sent = 1;",
     "request->sent = 1;"),
    ("a message that is kept for a resend leaks", "rpc/dispatcher.c",
     "  uvow__free(&d->rt->mem, request->text);\n", ""),
    ("the ring is walked as if nobody outlived a turn of it",
     "rpc/dispatcher.c", "    run = merge(bins[i], run);\n  return run;\n",
     "    run = i ? run : merge(bins[i], run);\n  return run;\n"),
    ("an answer counts for a request sent on another connection",
     "rpc/client_message.c", "if (!request || !request->sent) {",
     "if (!request) {"),
    ("everything is sent again", "rpc/client_request.c",
     "  if (!request->idempotent || request->text ||\n",
     "  if (request->text ||\n"),
    ("a request overtakes what waits", "rpc/client_request.c",
     "!open || !uvow__backlog_empty(&client->backlog) ||\n", "!open ||\n"),
    ("what is sent again goes behind what waits", "rpc/client_link.c",
     "uvow__dispatcher_lost(&client->dispatcher, &spec, send_again, &again);",
     "again.backlog = client->backlog, "
     "uvow__dispatcher_lost(&client->dispatcher, &spec, send_again, &again), "
     "client->backlog = again.backlog, "
     "uvow__backlog_init(&again.backlog, uvow__client_mem(client), SIZE_MAX);"),
    ("no cap on requests in flight", "rpc/client_request.c",
     "return d->sent + d->owed >= client->config.max_in_flight;",
     "return (void)d, 0;"),
    ("no limit for unsent bytes", "rpc/client_request.c",
     "  return unsent <= max && len <= max - unsent &&\n",
     "  return 1 || unsent <= max && len <= max - unsent &&\n"),
    ("a notification that waits isn't counted", "rpc/client_request.c",
     "    client->notes++;\n", "    client->notes += 0;\n"),
    ("a cancel isn't sent", "rpc/client_request.c",
     "if (request->sent && client->config.send_cancel)",
     "if (0 && client->config.send_cancel)"),
    ("an answer makes no room for what waits", "rpc/client_link.c",
     "  if (client->closing || !uvow__backlog_empty(&client->backlog))\n",
     "  if (client->closing)\n"),
    ("what was given up and is unanswered doesn't count", "rpc/dispatcher.c",
     "  d->owed += (size_t)owed;\n", ""),
    ("an idempotent request is sent again for ever", "rpc/client_link.c",
     "  if (request->resent >= again->most)\n", "  if (0)\n"),
    ("a late deadline doesn't wait for what has come", "future/runtime.c",
     "> LATE_MS && rt->look) {", "> LATE_MS && 0) {"),
    ("the server's close frame settles nothing", "rpc/client_link.c",
     "    requests_lost(client, why);\n  } else {", "  } else {"),
    ("a pause before the next attempt doesn't hold the loop",
     "rpc/client_link.c", "  if (client->unheld) {\n"
     "    uvow__runtime_arm(rt, &link->pause, link->pause_ms);",
     "  if (1) {\n    uvow__runtime_arm(rt, &link->pause, link->pause_ms);"),
    ("an event is dropped", "rpc/client_notice.c",
     "    free_notice(notice, mem);\n  else\n    tell(notice);\n",
     "    free_notice(notice, mem);\n  else\n    free_notice(notice, mem);\n"),
    ("a dead peer is never noticed", "websocket/silence.c",
     "silence->doubt = silence->dead_ms && silence->quiet_ms >= "
     "silence->dead_ms;", "silence->doubt = 0;"),
    ("what gathered during a write stays when that is done",
     "websocket/connection.c", "  set_writing(c, 0);\n"
     "  uvow__connection_write_late(c);\n", "  set_writing(c, 0);\n"),
    ("a deadline is rounded down", "base/deadline.c",
     " + (now_ns % NS_PER_MS != 0);", ";"),
    ("a fragmented message loses its first part", "wire/message.c",
     "  } else if (last && uvow__buf_size(&m->parts) == 0) {\n",
     "  } else if (last) {\n"),
)


def sources(tree):
    """The library's own list, the simulation, and the test's allocator."""
    text = (tree / "lib/meson.build").read_text()
    table = re.search(r"^rooms = {(.*?)^}", text, re.M | re.S)[1]
    names = [f"lib/{room}/{name}.c"
             for room, body in re.findall(r"'(\w+)': \[(.*?)\]", table, re.S)
             for name in re.findall(r"'(\w+)'", body)]
    return names + sorted(str(path.relative_to(tree))
                          for path in (tree / "test/sim").glob("*.c")) + [
        "test/support/support.c"]


def compile_one(tree, name):
    out = name.replace("/", "_") + ".o"
    subprocess.run(["gcc", *FLAGS.split(), "-c", "-o", out, name], cwd=tree,
                   check=True)
    return out


def link(tree, objects):
    subprocess.run(["gcc", *FLAGS.split(), "-o", "sim.out", *objects,
                    *LIBS.split()], cwd=tree, check=True)


def run(tree, seeds):
    """(the seed that failed or None, what was said)"""
    done = subprocess.run(["./sim.out", "--seeds", f"1-{seeds}"], cwd=tree,
                          text=True, stdout=subprocess.PIPE, timeout=600,
                          stderr=subprocess.DEVNULL, errors="replace",
                          env={**os.environ, "ASAN_OPTIONS": "exitcode=99"})
    found = re.search(r"^not ok 1 - seed (\d+), step \d+: (.*)$", done.stdout,
                      re.M)
    if found:
        return int(found[1]), found[2]
    return None, "nothing" if done.returncode == 0 else "a leak at the end"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10000)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as where:
        tree = pathlib.Path(where)
        for part in ("include", "lib", "test/sim", "test/support"):
            shutil.copytree(ROOT / part, tree / part)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(lambda n: compile_one(tree, n),
                                    sources(tree)))
        print("| what is broken | where | found in world | by |")
        print("|---|---|---|---|")
        for what, name, line, instead in MUTANTS:
            path = tree / "lib" / name
            text = path.read_text()
            if args.only not in what:
                continue
            if text.count(line) != 1:
                print(f"{name}: no longer there, or twice: "
                      f"{shlex.quote(line)}", file=sys.stderr)
                missed += 1
                continue
            path.write_text(text.replace(line, instead))
            compile_one(tree, f"lib/{name}")
            link(tree, objects)
            seed, why = run(tree, args.seeds)
            path.write_text(text)
            compile_one(tree, f"lib/{name}")
            missed += seed is None
            why = re.sub(r"\d+", "N", why)[:70].replace("|", " ")
            print(f"| {what} | `{name}` | {seed or 'none'} | {why} |",
                  flush=True)
    return 1 if missed else 0


sys.exit(main())
