#!/usr/bin/env python3
"""What bench/compare runs once all is built: the rounds, the table, the chart.

Every client speaks to a server of its own kind on CPU 0 and is itself on CPU 1,
by turns, so that a machine that is busy for a while is so for all of them. Only
ratios within one run mean much: each is taken within a round, and of these
ratios, not of the rates, it says the median and the extremes.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
LINE = re.compile(r"(\w+)=(\S+)")
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NODE_PATHS = "/usr/share/nodejs:/usr/lib/nodejs"

# What the name in the table stands for.
ABOUT = {
    "bare-tcp": "a bound: libuv TCP, as many bytes; no WebSocket, no JSON",
    "epoll-ws": "the practical bound: written by hand for this traffic only",
    "uvow": "params and results as bytes, a future each",
    "uvow-json": "the same, a json_t for each",
    "hiredis": "hiredis on libuv; Redis, in order, no ids",
    "websocketpp": "websocketpp on asio, rapidjson",
    "libwebsockets": "libwebsockets, jansson",
    "node-ws": "Node ws, promises",
    "node-ws-corked": "the same, one write per tick",
    "python-websockets": "Python websockets, asyncio",
}

# No peers: what nobody can be faster than, and what no library needs to be.
BOUNDS = ("bare-tcp", "epoll-ws")
# Its server is another, which answers in order: nothing to be compared.
OTHERS = ("hiredis",)


class Processes:
    """What was started, so that it is ended: each by its own pid."""

    def __init__(self):
        self.running = []

    def start(self, args, cpu, **options):
        process = subprocess.Popen(args, preexec_fn=pinned(cpu), **options)
        self.running.append(process)
        return process

    def end(self, process):
        """Politely, then not."""
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
        self.running.remove(process)

    def end_all(self):
        for number in STOPS:  # the second Ctrl-C too
            signal.signal(number, signal.SIG_IGN)
        for process in list(self.running):
            self.end(process)


def cpus():
    """The server's and the client's, or None where nothing can be pinned."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[:2] if len(allowed) > 1 else None


def pinned(cpu):
    both = cpus()
    if not both:
        return None
    return lambda: os.sched_setaffinity(0, {both[cpu]})


def listening(processes, args):
    """A server that says its port; the port."""
    process = processes.start(args, 0, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    found = re.search(r":(\d+)/", line)
    if not found:
        raise RuntimeError(f"{args[0]} did not say its port")
    return int(found[1])


def answers_ping(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as peer:
            peer.sendall(b"PING\r\n")
            return peer.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def redis(processes, where):
    """Redis can't choose a port itself: one that was free a moment ago."""
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = processes.start(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(port),
             "--save", "", "--appendonly", "no", "--dir", where], 0,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 5
        while process.poll() is None and time.monotonic() < until:
            if answers_ping(port):
                return port
            time.sleep(0.02)
        processes.end(process)
    raise RuntimeError("redis-server did not start")


def works(args, **options):
    return subprocess.run(args, stdout=subprocess.DEVNULL, timeout=30,
                          stderr=subprocess.DEVNULL, **options).returncode == 0


def node_environment():
    given = os.environ.get("NODE_PATH")
    paths = f"{given}:{NODE_PATHS}" if given else NODE_PATHS
    return dict(os.environ, NODE_PATH=paths)


def uvow_clients(options, port):
    base = [options.uvow, "bench", "--url", f"ws://127.0.0.1:{port}/",
            "--line", "--verify"]

    def command(*more):
        return lambda in_flight, seconds: base + [
            "--inflight", str(in_flight), "--seconds", str(seconds), *more]
    return {"uvow": command(), "uvow-json": command("--json-values")}


def clients(options, processes, where, wanted):
    """name -> (in flight, seconds) -> command line, of those that can run."""
    found = {}

    def add(name, port, *command):
        if name in wanted:
            found[name] = lambda in_flight, seconds: [
                *command, str(port), str(in_flight), str(seconds),
                *(["corked"] if name == "node-ws-corked" else [])]

    def leave_out(name, why):
        if name in wanted:
            print(f"{name} is left out: {why}", file=sys.stderr)

    peers = pathlib.Path(options.peers)
    port = listening(processes, [options.uvow, "serve", "--port", "0"])
    if (peers / "bare_tcp").exists() and "bare-tcp" in wanted:
        add("bare-tcp", listening(processes, [peers / "bare_tcp", "serve"]),
            peers / "bare_tcp")
    if (peers / "epoll_ws").exists():
        add("epoll-ws", port, peers / "epoll_ws")
    found.update((name, command) for name, command
                 in uvow_clients(options, port).items() if name in wanted)
    if "hiredis" in wanted and (peers / "hiredis").exists():
        if shutil.which("redis-server"):
            add("hiredis", redis(processes, where), peers / "hiredis")
        else:
            leave_out("hiredis", "redis-server is not installed")
    for name in ("websocketpp", "libwebsockets"):
        if (peers / name).exists():
            add(name, port, peers / name)
    if shutil.which("node") and works(["node", "-e", "require('ws')"],
                                      env=node_environment()):
        for name in ("node-ws", "node-ws-corked"):
            add(name, port, "node", HERE / "peers" / "node_ws.js")
    else:
        leave_out("node-ws", "nodejs or node-ws is not installed")
    if works([sys.executable, "-c", "import websockets"]):
        add("python-websockets", port, sys.executable,
            HERE / "peers" / "python_websockets.py")
    else:
        leave_out("python-websockets",
                  "python3-websockets is not installed")
    return found


def measured(processes, command, seconds):
    """What one run says; None if it failed."""
    process = processes.start(command, 1, stdout=subprocess.PIPE, text=True,
                              env=node_environment())
    try:
        out, _ = process.communicate(timeout=10 + 5 * seconds)
    except subprocess.TimeoutExpired:
        out = ""
    processes.end(process)
    values = dict(LINE.findall(out))
    if process.returncode != 0 or "rps" not in values:
        return None
    values = {key: float(value) for key, value in values.items()
              if key != "client"}
    values["cpu_us"] = 1e6 * values["cpu_s"] / max(values["requests"], 1)
    return values


def run_rounds(options, processes, commands, in_flight):
    """name -> what each round says, None where it failed."""
    runs = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            run = measured(processes, command(in_flight, options.seconds),
                           options.seconds)
            runs[name].append(run)
            if not run:
                print(f"{name} failed with {in_flight} in flight",
                      file=sys.stderr)
    return runs


def ratio_of(mine, others, key):
    """Mine as a multiple of the other's, of each round in which both ran:
    median, least, most."""
    all_of = [a[key] / b[key] for a, b in zip(mine, others)
              if a and b and b[key]]
    return {"median": statistics.median(all_of), "min": min(all_of),
            "max": max(all_of)} if all_of else None


def summed_up(runs):
    """name -> medians, and uvow's ratios to it."""
    out = {}
    for name, of in runs.items():
        ran = [run for run in of if run]
        if ran:
            out[name] = {key: statistics.median(run[key] for run in ran)
                         for key in ran[0]} | {"rounds": len(ran)}
            out[name]["uvow_is"] = {
                key: ratio_of(runs.get("uvow", []), of, key)
                for key in ("rps", "p50_us", "p99_us", "cpu_us")}
    return out


def faster(of, name):
    """uvow's rate as a multiple of this one's."""
    ratio = of[name]["uvow_is"]["rps"]
    return ratio["median"] if ratio else None


def dearer(of, name):
    """What this one spends on a request as a multiple of uvow's."""
    ratio = of[name]["uvow_is"]["cpu_us"]
    return 1 / ratio["median"] if ratio and ratio["median"] else None


def spread(ratio):
    return (f"{ratio['median']:.2f} ({ratio['min']:.2f} to "
            f"{ratio['max']:.2f})")


def summary(in_flight, of):
    """How far from the bound, how far ahead of the best peer; or nothing."""
    parts = []
    if "uvow" not in of:
        return None
    bound = of.get("epoll-ws", {}).get("uvow_is", {})
    if bound.get("rps"):
        parts.append(f"{spread(bound['rps'])} of the practical bound, with "
                     f"{spread(bound['cpu_us'])} times its CPU a request")
    if in_flight == 1 and bound.get("p50_us"):
        parts[-1] += (f", p50 {spread(bound['p50_us'])} and "
                      f"p99 {spread(bound['p99_us'])} of its")
    peers = [name for name in of if not name.startswith("uvow")
             and name not in BOUNDS + OTHERS and of[name]["uvow_is"]["rps"]]
    if peers:
        best = max(peers, key=lambda name: of[name]["rps"])
        parts.append(f"{spread(of[best]['uvow_is']['rps'])} times {best}, "
                     "the best peer")
    return f"{in_flight} in flight: uvow is " + "; ".join(parts) + "." \
        if parts else None


def times(ratio):
    return f"{ratio:.2f}x" if ratio else ""


def memory(kb):
    """Linux counts what a process was before exec too, and that was us."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"{kb / 1024:.0f}" if kb > own else f"&lt;{own / 1024:.0f}"


def table(results):
    """In Markdown, fastest first."""
    lines = []
    for in_flight, of in results.items():
        lines += [f"{in_flight} requests in flight", "",
                  "| client | requests/s | uvow's | p50 us | p99 us "
                  "| CPU us a request | of uvow's | peak MiB |",
                  "|---|---:|---:|---:|---:|---:|---:|---:|"]
        for name in sorted(of, key=lambda n: -of[n]["rps"]):
            one = of[name]
            lines.append(
                f"| {name} | {one['rps']:,.0f} | {times(faster(of, name))} "
                f"| {one['p50_us']:.1f} | {one['p99_us']:.1f} "
                f"| {one['cpu_us']:.2f} | {times(dearer(of, name))} "
                f"| {memory(one['maxrss_kb'])} |")
        lines.append("")
    return "\n".join(lines)


STYLE = """<style>
.bg { fill: #ffffff; } .own { fill: #0969da; } .other { fill: #afb8c1; }
.bound { fill: none; stroke: #818b98; stroke-dasharray: 4 3; }
text { fill: #1f2328; font: 12px system-ui, sans-serif; }
.quiet { fill: #59636e; } .end { text-anchor: end; }
.title { font-weight: 600; font-size: 15px; }
@media (prefers-color-scheme: dark) {
.bg { fill: #0d1117; } .own { fill: #58a6ff; } .other { fill: #656c76; }
text { fill: #e6edf3; } .quiet { fill: #9198a1; }
}
</style>"""
WIDTH, LEFT, BAR, STEP, HEAD = 760, 150, 16, 24, 44
ROOM = WIDTH - LEFT - 220  # for the longest bar; numbers follow


def short(rate):
    return f"{rate / 1e6:.2f}M" if rate >= 999500 else f"{rate / 1e3:.0f}k"


def bar(y, width, kind, goes_on):
    """Without its right side if it's longer than drawn."""
    end = "" if goes_on else "z"
    return (f'<path d="M{LEFT + width:.1f} {y}H{LEFT}v{BAR}h{width:.1f}{end}" '
            f'class="{kind}"/>')


def bars(of, in_flight, top):
    """A group of the chart, and where it ends. A bound may be longer than there
    is room for: the others set the scale."""
    names = sorted(of, key=lambda n: -of[n]["rps"])
    scale = max((of[n]["rps"] for n in names if n not in BOUNDS),
                default=max(of[n]["rps"] for n in names))
    out = [f'<text x="16" y="{top + 16}" class="title">'
           f'{in_flight} in flight, requests/s</text>']
    y = top + 32
    for name in names:
        rate = of[name]["rps"]
        width = max(1.0, ROOM * min(1.1, rate / scale))
        kind = ("own" if name.startswith("uvow") else
                "bound" if name in BOUNDS else "other")
        ratio = faster(of, name)
        note = "" if not ratio or name == "uvow" else \
            f"uvow is {ratio:.1f}x" if ratio >= 1 else \
            f"uvow is {ratio:.2f} of it"
        out += [f'<text x="{LEFT - 8}" y="{y + 13}" class="end">{name}</text>',
                bar(y, width, kind, rate / scale > 1.1),
                f'<text x="{LEFT + width + 6:.1f}" y="{y + 13}">'
                f'{short(rate)}<tspan class="quiet" dx="8">{note}</tspan></text>']
        y += STEP
    return out, y + 14


def chart(results):
    parts, top = [], HEAD
    for in_flight, of in results.items():
        group, top = bars(of, in_flight, top)
        parts += group
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
        f'height="{top}" viewBox="0 0 {WIDTH} {top}" role="img" '
        'aria-label="Requests per second of each client">', STYLE,
        f'<rect class="bg" width="{WIDTH}" height="{top}" rx="6"/>',
        '<text x="16" y="28" class="quiet">One connection, JSON-RPC echo, '
        'medians of interleaved rounds. Dashed: bounds, open if longer than '
        'drawn.</text>', *parts, "</svg>", ""])


def arguments():
    parser = argparse.ArgumentParser(prog="bench/compare")
    parser.add_argument("--uvow", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--peers", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--svg", help="where to draw the chart")
    parser.add_argument("--json", help="where to write all the medians")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--inflight", default="1,64,1024")
    parser.add_argument("--only", help="the clients to run, with commas")
    options = parser.parse_args()
    try:
        options.inflight = [int(n) for n in options.inflight.split(",")]
    except ValueError:
        parser.error("--inflight wants numbers")
    options.only = options.only.split(",") if options.only else list(ABOUT)
    unknown = set(options.only) - set(ABOUT)
    if unknown:
        parser.error(f"no client {unknown.pop()}; there are {', '.join(ABOUT)}")
    if options.rounds < 1 or options.seconds <= 0 or min(options.inflight) < 1:
        parser.error("--rounds, --seconds and --inflight want more")
    return options


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def compare(options):
    processes = Processes()
    print(f"load before: {load()}; "
          f"{'server and client each on a CPU' if cpus() else 'not pinned'}")
    with tempfile.TemporaryDirectory() as where:
        try:
            commands = clients(options, processes, where, options.only)
            runs = {n: run_rounds(options, processes, commands, n)
                    for n in options.inflight}
        finally:
            processes.end_all()
    print(f"load after: {load()}; medians of {options.rounds} rounds of "
          f"{options.seconds:g} s; {platform.machine()}\n")
    results = {n: summed_up(of) for n, of in runs.items()}
    print(table(results))
    for in_flight, of in results.items():
        print("-", summary(in_flight, of)
              or f"{in_flight} in flight: no ratios.")
    print("\nRatios are medians of the rounds' own (the least to the most).\n")
    for name in options.only:
        if name in commands:
            print(f"- {name}: {ABOUT[name]}")
    if options.svg:
        pathlib.Path(options.svg).write_text(chart(results))
    if options.json:
        pathlib.Path(options.json).write_text(
            json.dumps(results, indent=1) + "\n")
    return 0 if all(set(of) == set(commands) for of in results.values()) else 1


def stop(number, frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in STOPS:
        signal.signal(number, stop)
    try:
        sys.exit(compare(arguments()))
    except KeyboardInterrupt:
        sys.exit(130)
