#!/usr/bin/env python3
"""Builds uvow in .build/ and runs its tests; test/run calls it.

The programs come from meson's list, the checks are test/check/*.py; all of
them print TAP. A case that runs in two configurations counts twice.

  asan      gcc, AddressSanitizer and UBSan: every program, those too that
            need much to be installed with --interop
  plain     gcc -O2: what can't be built with sanitizers
  valgrind  gcc -O2: the tests of the rooms below rpc, but those that
            test/meson.build calls slow or no_valgrind, and some seeds of the
            model and of the simulation; every program with --valgrind
  tsan      gcc, ThreadSanitizer: what test/meson.build says crosses threads
  load      gcc -O2: test/load, with --load
  coverage  gcc, gcov: the rooms' programs, once more with a library that
            counts: not less of it is reached than docs/explanation/coverage.md
            says; --coverage writes down how much
  fuzz      clang: the library, and each target of test/fuzz on as many inputs,
            the same each time; with --fuzz for as long as that says
  check     the rules of the house, see test/check/
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
CHECKS = ("layers", "headers", "symbols", "format", "size", "hygiene",
          "docs", "site", "abi", "record", "nulls", "install", "budget")
ASKED_CHECKS = ("analyze", "cross", "packaging")  # only by their options
SLOW_CHECKS = ("install", "budget")
LONGEST_CHECKS = ("analyze", "packaging", "cross", "install", "budget")
VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
            "--show-leak-kinds=definite,indirect,possible",
            "--errors-for-leak-kinds=definite,indirect,possible",
            "--num-callers=30",
            # test/cpp has operators of its own.
            "--soname-synonyms=somalloc=nouserintercepts"]
# What these tests reach, from outside, the rooms' own tests reach too; what those
# of rpc reach, the simulation's sessions do.
FROM_OUTSIDE = ("cli", "conformance", "examples", "fuzz", "interop", "rpc")
SANITIZERS = {
    # cmocka's own signal handlers would hide the report.
    "ASAN_OPTIONS": "handle_segv=2:handle_sigbus=2:handle_sigfpe=2:"
                    "handle_sigill=2:detect_stack_use_after_return=1:"
                    "strict_string_checks=1:exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=99:halt_on_error=1",
}
FUZZ_ARGS = ["-seed=1", "-max_len=4096", "-timeout=10", "-rss_limit_mb=1024"]
FUZZ_RUNS = 20000  # from one seed: the same inputs each time
FUZZ_FEWER = {"deflate": 5000}  # of what takes milliseconds a run
FUZZ_LIMIT = 500  # seconds for those: a bound of what hangs
# What asks the system, whose answers differ: not the same each time.
FUZZ_TIMED = ("bridges",)
LOG_LINES = 60

Job = collections.namedtuple("Job", "config name command env limit")
Case = collections.namedtuple("Case", "kind name notes")
Result = collections.namedtuple("Result", "job cases seconds log")


# ---- running one program ---------------------------------------------------

def kill_group(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def run_limited(command, env, limit, out, err):
    """The exit status, or None: over the time limit. Leaves no child alive."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        env={**os.environ, **env}, cwd=ROOT, start_new_session=True)
    try:
        return process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        kill_group(process.pid)
        process.wait()


def parse_tap(text):
    """The cases and the planned number of them (None: no plan)."""
    cases, plan, before = [], None, []
    for line in text.splitlines():
        planned = re.match(r"1\.\.(\d+)", line)
        found = re.match(r"(not )?ok \d+(?: - )?\s*(.*)", line)
        if planned:
            plan = int(planned[1])
        elif found:
            name, skip, rest = found[2].partition("# SKIP")
            if skip:  # cmocka puts the name behind, and has no reason
                said = [note[7:].strip() for note in before
                        if note.startswith("# skip:")]
                reason = said[-1] if said else (rest.strip() if name else "")
                cases.append(Case("skipped", name.strip(" -") or rest.strip(),
                                  [reason or "no reason given"]))
            else:
                kind = "failed" if found[1] else "passed"
                cases.append(Case(kind, name.strip(), []))
            before = []
        else:
            before.append(line)
            if cases and cases[-1].kind == "failed":
                cases[-1].notes.append(line)
    return cases, plan


def run_job(job):
    start = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        status = run_limited(job.command, job.env, job.limit, out, err)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    cases, plan = parse_tap(texts[0])
    failed = any(case.kind == "failed" for case in cases)
    last = f" (the last case that ended: {cases[-1].name})" if cases else ""
    if status is None:
        wrong = f"over {job.limit} s{last}"
    elif plan is None or plan != len(cases):
        wrong = f"ended early, exit status {status}{last}"
    elif status != 0 and (not failed or status == 99):
        wrong = f"exit status {status}"
    else:
        wrong = None
    if wrong:
        cases.append(Case("failed", wrong, []))
    log = "" if not (failed or wrong) else texts[1]
    return Result(job, cases, time.monotonic() - start, log)


# ---- building --------------------------------------------------------------

def is_debian_12():
    try:
        release = pathlib.Path("/etc/os-release").read_text()
    except OSError:
        return False
    return bool(re.search(r"^ID=debian$", release, re.M)
                and re.search(r'^VERSION_ID="?12"?$', release, re.M))


def build(config, compiler, options, wanted=None):
    """None, or what the build said before it failed.

    wanted: of the tests' programs, only those whose test's name it likes.
    """
    where = BUILD / config
    env = {**os.environ, "CC": compiler}
    options = options + [f"-D{part}=enabled" for part in
                         ("command", "tests", "examples")]
    if config != "plain":
        options.append("-Dc_args=-g1")  # lines are all that a report says
    # The benchmarks are for what users have.
    options.append(f"-Dbench={'enabled' if config == 'plain' else 'disabled'}")
    # Elsewhere another compiler may know more warnings.
    options = options + [f"-Dwerror={str(is_debian_12()).lower()}"]
    ninja = ["ninja", "-C", str(where)]
    asked = where / "uvow-options"
    asking = " ".join([compiler] + options)
    if not asked.exists() or asked.read_text() != asking:
        shutil.rmtree(where, ignore_errors=True)
        log = run_tool(["meson", "setup", str(where), str(ROOT)] + options, env)
    else:
        log = run_tool(ninja + ["build.ninja"], env)
    if log is None:
        asked.write_text(asking)
        log = run_tool(ninja + (targets(config, wanted) if wanted else []), env)
    return log


def run_tool(command, env):
    """None, or what it said before it failed."""
    run = subprocess.run(command, env=env, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors="replace")
    return run.stdout if run.returncode else None


def targets(config, wanted):
    """What ninja must make for the wanted tests and for the checks."""
    known = introspect(config, "targets")
    words = [word for target in known
             if target["name"] == "uvow" for word in target["filename"]]
    for test in introspect(config, "tests"):
        words += test["cmd"] if wanted(test["name"]) else []
    made = {pathlib.Path(word) for target in known
            for word in target["filename"]}
    paths = {pathlib.Path(os.path.normpath(word)) for word in words} & made
    return sorted(str(path.relative_to(BUILD / config)) for path in paths)


def introspect(config, what):
    text = subprocess.run(
        ["meson", "introspect", f"--{what}", str(BUILD / config)],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(text)


def shortened(lines):
    """What a sanitizer says first, and a fuzzer last."""
    if len(lines) <= 2 * LOG_LINES:
        return lines
    return lines[:LOG_LINES] + ["..."] + lines[-LOG_LINES:]


# ---- what there is to run --------------------------------------------------

class Run:
    def __init__(self, args):
        self.options = args
        self.quick = args.quick
        self.fuzz_seconds = args.fuzz
        self.names = [re.sub(r"^(\./)?test/|\.(c|py)$", "", n).strip("/")
                      for n in args.names]
        self.jobs_at_once = args.jobs
        self.counts = collections.Counter()
        self.skips = []
        self.failures = []

    def wanted(self, name):
        return not self.names or any(n in name for n in self.names)

    def skip(self, what, why):
        self.counts["skipped"] += 1
        self.skips.append(f"{what}: {why}")

    def fail(self, what, log):
        self.counts["failed"] += 1
        self.failures.append(what)
        print(f"FAIL  {what}")
        for line in log.splitlines()[-60:]:
            print("      " + line)
        sys.stdout.flush()

    def report(self, result):
        job, cases = result.job, result.cases
        for case in cases:
            if case.kind == "skipped":
                self.skip(f"{job.config} {job.name} {case.name}", case.notes[0])
            else:
                self.counts[case.kind] += 1
        failed = [case for case in cases if case.kind == "failed"]
        print(f"{'FAIL' if failed else 'ok':4}  {job.config:8}  {job.name:26}"
              f"{len(cases):5} cases {result.seconds:7.2f} s")
        for case in failed:
            self.failures.append(f"{job.config} {job.name}: {case.name}")
            print(f"      failed: {case.name}")
            for note in case.notes:
                print("        " + note)
        for line in shortened(result.log.splitlines()):
            print("      | " + line)
        sys.stdout.flush()

    def run(self, jobs):
        with concurrent.futures.ThreadPoolExecutor(self.jobs_at_once) as pool:
            for done in concurrent.futures.as_completed(
                    [pool.submit(run_job, job) for job in jobs]):
                self.report(done.result())

    def programs(self, config, native=False):
        """Jobs for all programs of a build, or for what is native."""
        jobs, without_valgrind = [], []
        build_of = {"valgrind": "plain"}.get(config, config)
        for test in introspect(build_of, "tests"):
            # meson names the suites project:suite.
            suites = {suite.split(":")[-1] for suite in test["suite"]}
            name, command, env = test["name"], test["cmd"], dict(test["env"])
            if not self.wanted(name) or "load" in suites:
                continue
            if "asked" in suites and not (self.options.interop
                                          and config == "asan"):
                if config == "asan":
                    self.skip(name, "--interop runs it")
                continue
            if config == "tsan" and "threads" not in suites:
                continue
            if native != ("native" in suites):
                continue
            if config == "valgrind":
                if not self.options.valgrind and not self.names and (
                        suites & {"slow", "no_valgrind"}
                        or name.split("/")[0] in FROM_OUTSIDE):
                    without_valgrind.append(name)
                    continue
                if "wraps" in suites:
                    env["TEST_WRAPPER"] = shlex.join(VALGRIND)
                else:
                    command = VALGRIND + command
            else:
                env.update(SANITIZERS)
            limit = test["timeout"] * (4 if config == "valgrind" else 1)
            jobs.append(Job(config, name, command, env, limit))
        if without_valgrind:
            self.skip(f"valgrind of {len(without_valgrind)} programs that ran "
                      "with the sanitizers", "--valgrind runs it")
        return jobs

    def asan(self):
        log = build("asan", "gcc", [
            "-Ddebug=true", "-Doptimization=1", "-Dtrace=true",
            "-Db_sanitize=address,undefined"],
            self.wanted if self.names else None)
        if log is not None:
            self.fail("build with gcc and sanitizers", log)
        else:
            self.run(self.programs("asan"))

    def valgrind(self):
        log = build("plain", "gcc", ["--buildtype=debugoptimized"],
                    self.wanted if self.names else None)
        if log is not None:
            self.fail("build with gcc -O2", log)
            return
        jobs = self.programs("plain", native=True)
        if self.quick:
            self.skip("valgrind", "--quick")
        elif not shutil.which("valgrind"):
            self.skip("valgrind", "valgrind is not installed")
        else:
            jobs += self.programs("valgrind")
        self.run(jobs)

    def tsan(self):
        tests = self.wanted_thread_tests()
        if not tests:
            return
        if self.quick:
            self.skip("tsan", "--quick")
            return
        log = build("tsan", "gcc", [
            "-Ddebug=true", "-Doptimization=1", "-Db_sanitize=thread"],
            lambda name: name in tests)
        if log is not None:
            self.fail("build with ThreadSanitizer", log)
        else:
            self.run(self.programs("tsan"))

    def load(self):
        """What takes its time, where it's asked for."""
        log = build("plain", "gcc", ["--buildtype=debugoptimized"],
                    lambda name: name == "load/load")
        if log is not None:
            self.fail("build of test/load", log)
            return
        self.run([
            Job("load", test["name"], test["cmd"], dict(test["env"]),
                test["timeout"])
            for test in introspect("plain", "tests")
            if any(suite.endswith(":load") for suite in test["suite"])])

    def coverage(self, how):
        """What of lib the rooms' programs reach: --check, or --write."""
        if not self.wanted("coverage"):
            return
        if self.quick:
            self.skip("coverage", "--quick")
            return
        log = build("plain", "gcc", ["--buildtype=debugoptimized"],
                    lambda name: False)
        log = log or run_tool(["ninja", "-C", str(BUILD / "plain"), "counted"],
                              None)
        if log is not None:
            self.fail("build with gcov", log)
            return
        for old in (BUILD / "plain").rglob("*.gcda"):
            old.unlink()
        self.run(self.counted())
        self.run([Job("coverage", "coverage", [
            sys.executable, "-B", str(ROOT / "test/coverage.py"),
            str(BUILD / "plain"), how], {}, 300)])

    def counted(self):
        """Jobs for what counts: as its tests, but linked with other objects."""
        made = {path.name: str(path) for path in
                (BUILD / "plain/test").glob("counted_*") if path.is_file()}
        jobs = []
        for test in introspect("plain", "tests"):
            suites = {suite.split(":")[-1] for suite in test["suite"]}
            name = pathlib.Path(test["cmd"][0]).name
            program = made.get("counted_" + re.sub("^test_", "", name))
            if program and not suites & {"asked", "many", "native", "slow"}:
                jobs.append(Job("coverage", test["name"],
                                [program] + test["cmd"][1:], dict(test["env"]),
                                test["timeout"]))
        return jobs

    def wanted_thread_tests(self):
        return [test["name"] for test in introspect("asan", "tests")
                if any(suite.endswith(":threads") for suite in test["suite"])
                and self.wanted(test["name"])]

    def fuzz(self):
        if not self.wanted("fuzz"):
            return
        if self.quick:
            self.skip("fuzz", "--quick")
            return
        if not shutil.which("clang"):
            self.skip("fuzz", "clang is not installed")
            return
        log = build("fuzz", "clang", [
            "-Ddebug=true", "-Doptimization=1", "-Dfuzz=true",
            "-Db_lundef=false", "-Db_sanitize=address,undefined"])
        if log is not None:
            self.fail("build with clang", log)
            return
        programs = [path for path in
                    sorted((BUILD / "fuzz/test/fuzz").glob("fuzz_*"))
                    if path.is_file() and os.access(path, os.X_OK)]
        for name in () if self.fuzz_seconds else FUZZ_TIMED:
            programs.remove(BUILD / f"fuzz/test/fuzz/fuzz_{name}")
            self.skip(f"fuzz/{name}", "--fuzz runs it; its corpus was replayed")
        with concurrent.futures.ThreadPoolExecutor(self.jobs_at_once) as pool:
            for result in pool.map(self.fuzz_target, programs):
                self.report(result)

    def fuzz_target(self, program):
        name = program.name[len("fuzz_"):]
        corpus = ROOT / "test/fuzz/corpus" / name
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as found:
            seeds = [str(corpus)] if corpus.is_dir() else []
            log = pathlib.Path(found) / "log"
            (BUILD / "crashes").mkdir(exist_ok=True)
            with open(log, "wb") as out:
                status = run_limited(
                    [str(program), *FUZZ_ARGS,
                     f"-max_total_time={self.fuzz_seconds}"
                     if self.fuzz_seconds else
                     f"-runs={FUZZ_FEWER.get(name, FUZZ_RUNS)}",
                     f"-artifact_prefix={BUILD}/crashes/{name}-",
                     found + "/"] + seeds, SANITIZERS,
                    (self.fuzz_seconds or FUZZ_LIMIT) + 100, out, out)
            text = log.read_text(errors="replace")
        job = Job("fuzz", name, None, None, None)
        kind = "passed" if status == 0 else "failed"
        return Result(job, [Case(kind, "fuzz", [])], time.monotonic() - start,
                      "" if status == 0 else text)

    def checks(self):
        """Those that are always run, and those that are asked for."""
        jobs = []
        for check in sorted(CHECKS + ASKED_CHECKS, key=how_long):
            name = f"check/{check}"
            asked = getattr(self.options, check, False)
            if not asked and (check in ASKED_CHECKS or not self.wanted(name)):
                continue
            if self.quick and check in SLOW_CHECKS:
                self.skip(name, "--quick")
                continue
            jobs.append(Job("check", name, [
                sys.executable, "-B", str(ROOT / f"test/check/{check}.py"),
                str(BUILD / "plain")], {}, 3600 if asked else 900))
        self.run(jobs)

    def finish(self):
        if self.failures:
            print("\nFailed:")
            for failure in self.failures:
                print("  " + failure)
        if self.skips:
            print("\nSkipped:")
            for skip in self.skips:
                print("  " + skip)
        counts = self.counts
        print(f"\n{counts['passed']} passed, {counts['failed']} failed, "
              f"{counts['skipped']} skipped")
        return 0 if counts["passed"] and not counts["failed"] else 1


def how_long(check):
    """What takes minutes begins first."""
    return (LONGEST_CHECKS + (check,)).index(check)


def git_status():
    """What git calls changed, or None: this is no checkout."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return None
    run = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True)
    return run.stdout if run.returncode == 0 else None


def find_npm():
    """Tells the tests, by TEST_NPM, where test/run has put npm's packages."""
    found = [str(path) for path in sorted(BUILD.glob("npm*/node_modules"))]
    if found:
        os.environ.setdefault("TEST_NPM", os.pathsep.join(found))


def main():
    parser = argparse.ArgumentParser(
        prog="test/run", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="only what has this in its name: future, "
                             "wire/url, check/layers, fuzz")
    parser.add_argument("--quick", action="store_true",
                        help="no valgrind, no fuzzing, no test installation")
    parser.add_argument("--valgrind", action="store_true",
                        help="valgrind for every program, also what is slow "
                             "and what has the library at work from outside")
    parser.add_argument("--fuzz", type=int, default=0,
                        metavar="SECONDS",
                        help="how long each target is fuzzed; else as many "
                             f"inputs as {FUZZ_RUNS:,}, the same each time")
    parser.add_argument("--load", action="store_true",
                        help="also a million requests in flight, and more")
    parser.add_argument("--interop", action="store_true",
                        help="also against browsers, servers and packages "
                             "that are much to install")
    parser.add_argument("--coverage", action="store_true",
                        help="only: writes down what of lib the tests reach")
    parser.add_argument("--built", metavar="NAME",
                        help="only: the programs of .build/NAME, as they are")
    parser.add_argument("--cross", action="store_true",
                        help="also the unit tests on i386, s390x and arm64, "
                             "under qemu-user")
    parser.add_argument("--packaging", action="store_true",
                        help="also Debian's packages, and lintian")
    parser.add_argument("--analyze", action="store_true",
                        help="also cppcheck, gcc -fanalyzer and clang-tidy")
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1,
                        help="how many programs run at once; some wait")
    options = parser.parse_args()
    run = Run(options)
    before = git_status()
    BUILD.mkdir(exist_ok=True)
    find_npm()
    if options.coverage or options.built:
        if options.coverage:
            run.coverage("--write")
        else:
            run.run(run.programs(options.built))
        return run.finish()
    run.asan()
    run.valgrind()
    run.coverage("--check")
    run.tsan()
    if options.load:
        run.load()
    run.fuzz()
    run.checks()
    if before == "":
        left = git_status()
        if left:
            run.fail("the tests leave files in the checkout", left)
        elif run.counts["passed"]:
            run.counts["passed"] += 1
    return run.finish()


sys.exit(main())
