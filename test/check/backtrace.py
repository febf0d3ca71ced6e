#!/usr/bin/env python3
"""A debugger's backtrace of a fiber ends at the fiber's entry.

usage: backtrace.py <fiber_trace program>
"""
import os
import re
import shutil
import subprocess
import sys

FRAME = re.compile(r"^#(\d+) +(?:0x[0-9a-f]+ in )?(\S+)", re.M)
COMMANDS = ("set debuginfod enabled off", "set breakpoint pending on",
            "break deepest if depth == 0", "run", "bt")


def backtrace(program):
    command = ["gdb", "-batch", "-nx"]
    for line in COMMANDS:
        command += ["-ex", line]
    # LeakSanitizer can't work under a debugger.
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
    return subprocess.run(command + [program], env=env, text=True, timeout=50,
                          errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout


def main():
    print("1..1")
    if not shutil.which("gdb"):
        print("ok 1 - backtrace # SKIP gdb is not installed")
        return 0
    if os.environ.get("TEST_WRAPPER"):
        print("ok 1 - backtrace # SKIP gdb doesn't run in another tool")
        return 0
    said = backtrace(sys.argv[1])
    if "ptrace" in said.lower() and "not permitted" in said.lower():
        print("ok 1 - backtrace # SKIP gdb may not trace here")
        return 0
    names = [name for _, name in FRAME.findall(said)]
    right = (names[:5] == ["deepest"] * 4 + ["run"] and names[-1] == "begin"
             and len(names) <= 8 and "??" not in names
             and "Backtrace stopped" not in said)
    print("ok 1 - backtrace" if right else "not ok 1 - backtrace")
    if not right:
        for line in said.splitlines():
            print("#", line)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
