#!/usr/bin/env python3
"""What the uvow command does on a terminal: a pty is its stdin, stdout, stderr.

usage: terminal.py <uvow> <libedit|plain>

Prints TAP. TEST_WRAPPER, a command such as valgrind's, is put before what runs
on the terminal. Nothing here sleeps or counts time: it waits for what must be
printed, and a limit of 30 s is for what never is.
"""
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import termios
import time
import traceback

LIMIT_S = 30
WRAPPER = shlex.split(os.environ.get("TEST_WRAPPER", ""))
COMMAND, EDITS = sys.argv[1], sys.argv[2] == "libedit"


class Server:
    def __enter__(self):
        self.process = subprocess.Popen(
            [COMMAND, "serve"], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        return self

    def __exit__(self, *why):
        self.process.terminate()
        self.process.wait(LIMIT_S)
        self.process.stdout.close()

    def call(self, *words):
        return subprocess.run([COMMAND, "call", self.url, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LIMIT_S, check=True).stdout


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *words, **env):
        self.got = b""
        self.status = None
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (24, 80))
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [*WRAPPER, COMMAND, *words], stdin=self.slave, stdout=self.slave,
            stderr=self.slave, start_new_session=True,
            preexec_fn=self.control,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "", **env})

    def control(self):
        """Ctrl-C is a signal for who has the terminal."""
        import fcntl
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self, until):
        """Reads until(self.got) is true."""
        ends = time.monotonic() + LIMIT_S
        while not until(self.got):
            ready, _, _ = select.select([self.master], [], [], 0.1)
            if ready:
                self.got += os.read(self.master, 65536)
            elif time.monotonic() > ends:
                raise AssertionError(f"it never came; there is {self.got!r}")

    def expect(self, text):
        """Reads until it's there; what was before it is forgotten."""
        self.read(lambda got: text in got)
        at = self.got.index(text) + len(text)
        before, self.got = self.got[:at], self.got[at:]
        return before

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """Waits for its end; returns the status."""
        def ended(_):
            self.status = self.process.poll()
            return self.status is not None
        self.read(ended)
        self.read_rest()
        self.after = termios.tcgetattr(self.slave)
        os.close(self.slave)
        os.close(self.master)
        return self.status

    def read_rest(self):
        while select.select([self.master], [], [], 0)[0]:
            self.got += os.read(self.master, 65536)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run(*words, **env):
    """What is printed on the terminal, and the status."""
    terminal = Terminal(*words, **env)
    try:
        status = terminal.end()
    finally:
        terminal.kill()
    return terminal.got, status


def same(got, expected):
    assert got == expected, f"{got!r} is not {expected!r}"


def has(text, got):
    assert text in got, f"{text!r} is not in {got!r}"


def colours_are_for_terminals(server):
    words = ("call", server.url, "fail")
    got, status = run(*words)
    has(b"\033[31mUVOW_EREMOTE\033[0m", got)
    same(status, 1)
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        got, _ = run(*words, **env)
        assert b"\033" not in got, got
        has(b"UVOW_EREMOTE", got)
    piped = subprocess.run([COMMAND, *words], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False).stdout
    assert b"\033" not in piped, piped


def controls_of_a_peer_are_escaped(server):
    sent = '["\x7f\x9b31mx\u202e"]'
    got, _ = run("call", server.url, "echo", sent)
    same(got, b'["\\u007f\\u009b31mx\\u202e"]\r\n')
    got, _ = run("call", server.url, "echo", sent, "--pretty")
    has(b"\\u009b31mx", got)
    got, _ = run("call", server.url, "echo", sent, "--raw")
    same(got, sent.encode() + b"\r\n")
    same(server.call("echo", sent), sent.encode() + b"\n")


def controls_in_an_error_are_escaped(server):
    params = '{"message":"a\\u001b[2J\\nb","data":"\x7f"}'
    got, _ = run("call", server.url, "fail", params, NO_COLOR="1")
    same(got, b"uvow: UVOW_EREMOTE, answered: a\\u001b[2J\\u000ab "
              b'(code -32000): "\\u007f"\r\n')


def a_conversation_has_a_prompt(server):
    terminal = Terminal("connect", server.url, NO_COLOR="1")
    try:
        terminal.expect(b"connected to ws://")
        terminal.expect(b"1> ")
        terminal.type("add [1,2]\r")
        terminal.expect(b"#1 add [1,2]: 3  ")
        terminal.expect(b"2> ")
        if EDITS:
            terminal.type("\033[A")  # up: the line before
            terminal.expect(b"add [1,2]")
            terminal.type("\x7f\x7f3]\r")  # two characters back
            terminal.expect(b"#2 add [1,3]: 4  ")
            terminal.expect(b"3> ")
        terminal.type("\x04")
        same(terminal.end(), 0)
        same(terminal.after, terminal.before)
    finally:
        terminal.kill()


def an_event_leaves_what_is_typed(server):
    terminal = Terminal("connect", server.url, NO_COLOR="1")
    try:
        terminal.expect(b"connected to ws://")
        terminal.expect(b"1> ")
        terminal.type("echo [1")
        terminal.expect(b"echo [1")
        server.call("publish", '{"name":"news","params":[7]}')
        before = terminal.expect(b"news [7]\r\n")
        has(b"\r", before)  # the prompt's line is wiped first
        terminal.expect(b"1> echo [1" if EDITS else b"1> ")
        terminal.type(",2]\r")
        terminal.expect(b"#1 echo [1,2]: [1,2]  ")
        terminal.type(".quit\r")
        same(terminal.end(), 0)
        same(terminal.after, terminal.before)
    finally:
        terminal.kill()


def ctrl_c_ends_a_conversation(server):
    terminal = Terminal("connect", server.url, NO_COLOR="1")
    try:
        terminal.expect(b"connected to ws://")
        terminal.expect(b"1> ")
        terminal.type("ad\x03")
        same(terminal.end(), 0)
        same(terminal.after, terminal.before)
    finally:
        terminal.kill()


def a_lost_connection_leaves_the_terminal_as_it_was(_):
    with Server() as server:
        terminal = Terminal("connect", server.url, NO_COLOR="1")
        try:
            terminal.expect(b"connected to ws://")
            terminal.expect(b"1> ")
            terminal.type("ad")
            terminal.expect(b"ad")
            server.process.send_signal(signal.SIGKILL)
            same(terminal.end(), 3)
            has(b"UVOW_ELOST", terminal.got)
            same(terminal.after, terminal.before)
        finally:
            terminal.kill()


def progress_is_wiped(server):
    got, status = run("bench", server.url, "--seconds", "1.2", "--line",
                      NO_COLOR="1")
    same(status, 0)
    has(b"\r\033[K", got)
    line = re.split(rb"\r\033\[K", got)[-1]
    assert line.startswith(b"client=uvow "), got


CASES = (colours_are_for_terminals, controls_of_a_peer_are_escaped,
         controls_in_an_error_are_escaped, a_conversation_has_a_prompt,
         an_event_leaves_what_is_typed, ctrl_c_ends_a_conversation,
         a_lost_connection_leaves_the_terminal_as_it_was, progress_is_wiped)


def main():
    failed = 0
    print(f"1..{len(CASES)}")
    with Server() as server:
        for number, case in enumerate(CASES, 1):
            try:
                case(server)
                print(f"ok {number} - {case.__name__}")
            except Exception:
                failed += 1
                print(f"not ok {number} - {case.__name__}")
                for line in traceback.format_exc().splitlines():
                    print("#", line)
            sys.stdout.flush()
    return 1 if failed else 0


sys.exit(main())
