#!/usr/bin/env python3
"""Plants faults into copies of the library, and counts how many worlds the
simulation needs to find each. Prints a table in Markdown.

  test/sim/mutants.py [--seeds N] [--only WORD]

A fault is looked for by the simulation's worlds, or by those of two sessions
(pair), or by the model of the futures (model).

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

# The programs, and their own sources.
PROGRAMS = {"sim": "test/sim/[!p]*.c",
            "pair": "test/sim/pair*.c",
            "model": "test/model/*.c"}

# What is broken, where, the line, what it becomes; and who is to find it, if not
# the simulation.
MUTANTS = (
    ("a slot isn't freed when its request settles", "rpc/dispatcher.c",
     "  d->slots[id & d->mask] = tombstone(id, how);\n",
     "  (void)id, (void)how;\n"),
    ("a slot keeps no tombstone", "rpc/dispatcher.c",
     "= tombstone(id, how);\n", "= ((void)how, 0);\n"),
    ("an answer settles whoever has its slot now", "rpc/dispatcher.h",
     "if (!uvow__slot_is_live(slot) || uvow__slot_request(slot)->id != id)\n",
     "if (!uvow__slot_is_live(slot))\n"),
    ("a request that settles leaves its deadline armed", "rpc/dispatcher.c",
     "  uvow__wheel_disarm(&request->deadline);\n", ""),
    ("a failure is always NOT_SENT", "rpc/dispatcher.c",
     "return request->was_sent ? UVOW_MAYBE_EXECUTED : UVOW_NOT_SENT;",
     "return request->was_sent ? UVOW_NOT_SENT : UVOW_NOT_SENT;"),
    ("that a request was sent is forgotten with its connection",
     "rpc/dispatcher.h", "request->sent = request->was_sent = 1;",
     "request->sent = 1;"),
    ("a message that is kept for a resend leaks", "rpc/dispatcher.c",
     "    uvow__cache_give(&d->rt->texts, request->text,\n"
     "                     sizeof(*request->text) + request->text->len);\n",
     "    request->text = NULL;\n"),
    ("the ring is walked as if nobody outlived a turn of it",
     "rpc/dispatcher.c", "    run = merge(bins[i], run);\n  return run;\n",
     "    run = i ? run : merge(bins[i], run);\n  return run;\n"),
    ("an answer counts for a request sent on another connection",
     "rpc/session.c", "if (!request || !request->sent) {\n    stray_answer(",
     "if (!request) {\n    stray_answer("),
    ("everything is sent again", "rpc/peer_request.c",
     "  request->idempotent = options->idempotent != 0;\n",
     "  request->idempotent = 1;\n"),
    ("a request overtakes what waits", "rpc/outbox.c",
     "!open || !uvow__backlog_empty(&peer->outbox->backlog) ||\n",
     "!open ||\n"),
    ("what is sent again goes behind what waits", "rpc/link.c",
     "uvow__dispatcher_lost(&peer->dispatcher, &spec, send_again, &again);",
     "again.backlog = peer->outbox->backlog, "
     "uvow__dispatcher_lost(&peer->dispatcher, &spec, send_again, &again), "
     "peer->outbox->backlog = again.backlog, "
     "uvow__backlog_init(&again.backlog, uvow__peer_mem(peer), SIZE_MAX);"),
    ("no cap on requests in flight", "rpc/outbox.c",
     "return d->sent + d->owed >= peer->outbox->max_in_flight;",
     "return (void)d, 0;"),
    ("no limit for unsent bytes", "rpc/outbox.c",
     "  return unsent <= max && len <= max - unsent &&\n",
     "  return 1 || unsent <= max && len <= max - unsent &&\n"),
    ("a notification that waits isn't counted", "rpc/outbox.c",
     "  outbox->notes += request == NULL;\n", "  (void)request;\n"),
    ("a cancel isn't sent", "rpc/peer_session.c",
     "uvow__outbox_send_aside(peer, &op);", "0;"),
    ("a cancel that there's no room for isn't said later",
     "rpc/peer_session.c",
     "  uvow__dispatcher_unsaid(&peer->dispatcher, id);\n", "", "pair"),
    ("an answer makes no room for what waits", "rpc/link.c",
     "  if (peer->life.closing || "
     "!uvow__backlog_empty(&peer->outbox->backlog))\n",
     "  if (peer->life.closing)\n"),
    ("what was given up and is unanswered doesn't count", "rpc/dispatcher.c",
     "  d->owed += (size_t)owed;\n", ""),
    ("an idempotent request is sent again for ever", "rpc/link.c",
     "  if (request->resent >= again->most)\n", "  if (0)\n"),
    ("a late deadline doesn't wait for what has come", "future/runtime.c",
     "> LATE_MS && rt->look) {", "> LATE_MS && 0) {"),
    ("the server's close frame settles nothing", "rpc/link.c",
     "  requests_lost(peer, why); /* told", "  (void)0; /* told"),
    ("a pause before the next attempt doesn't hold the loop",
     "rpc/link.c", "  if (peer->link->unheld) {\n"
     "    uvow__runtime_arm(rt, &link->pause, link->pause_ms);",
     "  if (1) {\n    uvow__runtime_arm(rt, &link->pause, link->pause_ms);"),
    ("an event is dropped", "rpc/callee.c",
     "    if (!all && is_news(call))\n", "    if (0)\n"),
    ("an error without an id is taken for one of two requests",
     "rpc/session.c", "if (d->sent == 1 && session->unclear == 0) {",
     "if (d->sent) {"),
    ("a dead peer is never noticed", "websocket/silence.c",
     "silence->doubt = silence->dead_ms && silence->quiet_ms >= "
     "silence->dead_ms;", "silence->doubt = 0;"),
    ("what gathered during a write stays when that is done",
     "websocket/connection.c", "  set_writing(c, 0);\n"
     "  uvow__connection_write_late(c);\n", "  set_writing(c, 0);\n"),
    ("a deadline is rounded down", "base/deadline.c",
     " + (now_ns % UVOW__NS_PER_MS != 0);", ";"),
    ("an item comes behind the end", "future/stream.c",
     "  if (uvow__stream_ended(s))\n    return uvow__stream_ended_code(s);\n"
     "  int fault", "  int fault"),
    ("a reader that waits isn't woken", "future/stream.c",
     "    s->lost = 0;\n  }\n  uvow__stream_wake(s);\n  return 0;\n",
     "    s->lost = 0;\n  }\n  return 0;\n"),
    ("an item that was dropped isn't counted", "future/stream.c",
     "  missed = uvow__missed_add(missed, 1);\n", ""),
    ("a renewal tells no gap", "rpc/subscription.c",
     "  if (rc == 0 && sub->was_on)\n    uvow__stream_gap(&sub->out, "
     "UVOW_MISSED_UNKNOWN);\n", ""),
    ("a subscription is renewed twice", "rpc/subscription.c",
     "    if (sub->state != UVOW__SUB_LOST)\n      continue;\n"
     "    ask_for(sub, &front);\n",
     "    if (sub->state != UVOW__SUB_LOST && sub->state != UVOW__SUB_ASKING)\n"
     "      continue;\n    ask_for(sub, &front);\n"),
    ("what is held of the old connection is given on the new one",
     "rpc/subscription.c", "      sub->from = sub->family->next;\n",
     "      (void)sub->family->next;\n"),
    ("a request that unsubscribes outlives its connection",
     "rpc/subscription.c",
     "keys. */\n  uvow__future_drop(uvow__sub_take_asked(sub));\n",
     "keys. */\n  uvow_future_unref(uvow__sub_take_asked(sub));\n"),
    ("nobody is told that a subscription is let go of", "rpc/unsubscribe.c",
     "    rc = ask_to_leave(sub);\n", "    rc = 0;\n"),
    ("what unsubscribes and never left isn't said again",
     "rpc/unsubscribe.c",
     "  return code == UVOW_ETIMEDOUT || code == UVOW_EOVERLOAD ||\n"
     "         code == UVOW_ENOMEM;\n", "  return code == 1;\n"),
    ("a method's stream that nobody waits for goes on", "rpc/serve.c",
     "  uvow__stream_leave(stream);\n}\n", "  (void)stream;\n}\n", "pair"),
    ("a stream's end comes before its last item", "rpc/serve.c",
     "  int rc = item.is_gap ? 0 : send_item(call, &item.value);\n",
     "  int rc = stream->items.count == 0 && uvow__stream_ended(stream) ? 0 : "
     "send_item(call, &item.value);\n", "pair"),
    ("a stalled stream is never read again", "rpc/serve.c",
     "    uvow__runtime_push(&callee->loop->rt, task);\n", "", "pair"),
    ("a canceled call goes on", "rpc/callee.c",
     "  call->task.run = run_canceled;\n"
     "  uvow__runtime_push(&callee->loop->rt, &call->task);\n", "", "pair"),
    ("calls of a peer that has gone go on", "rpc/peer.c",
     "    channel->ops->drop(channel);\n"
     "  uvow__callee_drop_calls(&peer->session.callee, 0);\n",
     "    channel->ops->drop(channel);\n", "pair"),
    ("the newest message in memory comes first", "net/channel.c",
     "uvow__list_append(&other->inbox, &letter->link);",
     "uvow__list_append(other->inbox.next, &letter->link);", "pair"),
    ("what is kept while a connection pauses is lost", "websocket/intake.c",
     "  return len ? uvow__buf_append(&c->intake.kept, bytes, len) : 0;\n",
     "  (void)bytes;\n  return 0;\n", "pair"),
    ("a connection that goes on forgets what it kept", "websocket/intake.c",
     "  if (uvow__framer_paused(&c->framer)) {\n    uvow__buf_t kept",
     "  uvow__buf_clear(&in->kept, 0);\n"
     "  if (uvow__framer_paused(&c->framer)) {\n    uvow__buf_t kept", "pair"),
    ("what comes right behind a handshake is lost",
     "websocket/connection.c", "    len -= used;\n", "    len = 0;\n"),
    ("an item comes behind the end", "future/stream.c",
     "  if (uvow__stream_ended(s))\n    return uvow__stream_ended_code(s);\n"
     "  int fault", "  int fault", "model"),
    ("a next that is canceled takes an item", "future/stream_read.c",
     "  uvow__list_remove(&next_of(f)->link);\n"
     "  uvow__future_reject_code(f, code);\n",
     "  uvow__future_reject_code(f, code);\n", "model"),
    ("a copy shares an item's only owner", "future/stream_items.c",
     "    value->type->ref(value->as.ptr);\n", "    (void)ret;\n", "model"),
    ("a stage outlives what it reads", "future/stream_stage.c",
     "    if (stage->up && !uvow__stream_leave_slowly(stage->up))\n"
     "      return;\n",
     "    if (stage->up)\n      uvow_stream_unref(stage->up);\n", "model"),
    ("a fragmented message loses its first part", "wire/message.c",
     "  if (last && uvow__buf_size(&m->parts) == 0) {\n", "  if (last) {\n"),
)


def sources(tree):
    """The library's own list, the simulation, and what tests share."""
    text = (tree / "lib/meson.build").read_text()
    table = re.search(r"^rooms = {(.*?)^}", text, re.M | re.S)[1]
    names = [f"lib/{room}/{name}.c"
             for room, body in re.findall(r"'(\w+)': \[(.*?)\]", table, re.S)
             for name in re.findall(r"'(\w+)'", body)]
    text = (ROOT / "test/meson.build").read_text()
    shared = re.search(r"^support_names = \[(.*?)^\]", text, re.M | re.S)[1]
    names += [f"test/support/{name}.c" for name in re.findall(r"'(\w+)'",
                                                             shared)]
    return names


def own_sources(tree, program):
    return sorted(str(path.relative_to(tree))
                  for path in tree.glob(PROGRAMS[program]))


def compile_one(tree, name):
    out = name.replace("/", "_") + ".o"
    subprocess.run(["gcc", *FLAGS.split(), "-c", "-o", out, name], cwd=tree,
                   check=True)
    return out


def compile_again(tree, name):
    """A module; of a header all of its room, which includes it."""
    path = tree / "lib" / name
    paths = path.parent.glob("*.c") if name.endswith(".h") else [path]
    for one in paths:
        compile_one(tree, str(one.relative_to(tree)))


def link(tree, objects):
    subprocess.run(["gcc", *FLAGS.split(), "-o", "sim.out", *objects,
                    *LIBS.split()], cwd=tree, check=True)


def run_once(tree, seeds):
    """(the seed that failed or None, what was said, whether it was well)"""
    done = subprocess.run(["./sim.out", "--seeds", f"1-{seeds}"], cwd=tree,
                          text=True, stdout=subprocess.PIPE, timeout=600,
                          stderr=subprocess.DEVNULL, errors="replace",
                          env={**os.environ, "ASAN_OPTIONS": "exitcode=99"})
    found = re.search(r"^not ok 1 - (?:seed|world) (\d+)(?:, step \d+)?: (.*)$",
                      done.stdout, re.M)
    if found:
        return int(found[1]), found[2], False
    return None, "nothing", done.returncode == 0


def run(tree, seeds):
    """(the seed that failed or None, what was said)"""
    seed, why, well = run_once(tree, seeds)
    if seed or well:
        return seed, why
    low, high = 0, seeds  # it has just died: in which world?
    while high - low > 1:
        middle = (low + high) // 2
        low, high = ((middle, high) if run_once(tree, middle)[2]
                     else (low, middle))
    return high, "the sanitizer says no, or an assertion"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10000)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as where:
        tree = pathlib.Path(where)
        for part in ("include", "lib", "test/sim", "test/model",
                     "test/support"):
            shutil.copytree(ROOT / part, tree / part)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(lambda n: compile_one(tree, n),
                                    sources(tree)))
            own = {program: list(pool.map(lambda n: compile_one(tree, n),
                                          own_sources(tree, program)))
                   for program in PROGRAMS}
        print("| what is broken | where | found in world | by |")
        print("|---|---|---|---|")
        for what, name, line, instead, *program in MUTANTS:
            finder = program[0] if program else "sim"
            path = tree / "lib" / name
            text = path.read_text()
            if args.only not in what and args.only != finder:
                continue
            if text.count(line) != 1:
                print(f"{name}: no longer there, or twice: "
                      f"{shlex.quote(line)}", file=sys.stderr)
                missed += 1
                continue
            path.write_text(text.replace(line, instead))
            compile_again(tree, name)
            link(tree, objects + own[finder])
            seed, why = run(tree, args.seeds)
            path.write_text(text)
            compile_again(tree, name)
            missed += seed is None
            why = re.sub(r"\d+", "N", why)[:70].replace("|", " ")
            world = f"{seed or 'none'}{' of ' + finder if program else ''}"
            print(f"| {what} | `{name}` | {world} | {why} |", flush=True)
    return 1 if missed else 0


sys.exit(main())
