#!/usr/bin/env python3
"""Python's websockets on asyncio: a task for each request in flight, a future
for each request, in a dict by id.

usage: python_websockets.py <port> <in flight> <seconds>
"""
import asyncio
import itertools
import json
import resource
import sys
import time

import websockets

WARMUP = 0.5


class Client:
    def __init__(self, socket):
        self.socket = socket
        self.ids = itertools.count(1)
        self.pending = {}

    async def request(self, method, params):
        number = next(self.ids)
        future = asyncio.get_running_loop().create_future()
        self.pending[number] = future
        await self.socket.send(json.dumps(
            {"jsonrpc": "2.0", "id": number, "method": method,
             "params": params}))
        return await future

    async def read(self):
        async for message in self.socket:
            answer = json.loads(message)
            future = self.pending.pop(answer["id"])
            if "error" in answer:
                future.set_exception(RuntimeError(answer["error"]["message"]))
            else:
                future.set_result(answer["result"])


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Count:
    def __init__(self, in_flight, seconds):
        self.in_flight, self.seconds = in_flight, seconds
        self.latencies = []
        self.counting = False
        self.start = time.perf_counter()
        self.over = asyncio.get_running_loop().create_future()

    def answered(self, sent, now):
        if self.over.done():
            return
        if self.counting:
            self.latencies.append(now - sent)
            if now - self.start >= self.seconds:
                self.report(now - self.start)
                self.over.set_result(None)
        elif now - self.start >= WARMUP:
            self.counting, self.start, self.cpu = True, now, cpu_seconds()

    def report(self, length):
        cpu = cpu_seconds() - self.cpu
        times = sorted(self.latencies)

        def us(share):
            return 1e6 * times[int(share * (len(times) - 1))]

        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"client=python-websockets inflight={self.in_flight} "
              f"requests={len(times)} seconds={length:.3f} "
              f"rps={len(times) / length:.0f} p50_us={us(.5):.1f} "
              f"p99_us={us(.99):.1f} cpu_s={cpu:.3f} maxrss_kb={rss}",
              flush=True)


async def keep_one_in_flight(client, count, numbers):
    while not count.over.done():
        x = next(numbers)
        sent = time.perf_counter()
        result = await client.request("echo", {"x": x})
        if result["x"] != x:
            raise RuntimeError(f"{result['x']} is not {x}")
        count.answered(sent, time.perf_counter())


async def main(port, in_flight, seconds):
    async with websockets.connect(f"ws://127.0.0.1:{port}/",
                                  compression=None) as socket:
        client = Client(socket)
        count = Count(in_flight, seconds)
        numbers = itertools.count(1)
        tasks = [asyncio.create_task(client.read())] + [
            asyncio.create_task(keep_one_in_flight(client, count, numbers))
            for _ in range(in_flight)]
        done, _ = await asyncio.wait([count.over, *tasks],
                                     return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not count.over.done():
            sys.exit(f"ended early: {done}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
