#!/usr/bin/env python3
"""A peer on python3-websockets, for test/interop/python_websockets.c.

server: says "port N", and answers callback_id's requests until killed.
client URL: sends what is asked, checks what comes, says "passed".
"""
import asyncio
import http
import json
import sys

try:
    import websockets
except ImportError:
    print("missing python3-websockets", flush=True)
    sys.exit(0)


async def serve_one(socket, path=None):
    try:
        async for text in socket:
            asked = json.loads(text)
            name = asked["type"]
            if name == "big":
                result = "x" * asked["size"]
            elif name == "close":
                await socket.close(asked["code"], "as asked")
                return
            else:
                result = asked.get("text", "")
            answer = json.dumps({"result": True,
                                 "callback_id": asked["callback_id"],
                                 "data": result}, ensure_ascii=False)
            if name == "fragments":
                half = len(answer) // 2
                await socket.send([answer[:half], "", answer[half:]])
            else:
                await socket.send(answer)
    except websockets.exceptions.ConnectionClosed as end:
        print("closed", end.code, flush=True)


async def check_request(path, headers):
    if headers.get("Authorization") == "Bearer good":
        return None
    return http.HTTPStatus.UNAUTHORIZED, [("X-Why", "token"), ("WWW-Authenticate", "Bearer")], \
        b"a good token, please\n"


async def server():
    async with websockets.serve(serve_one, "127.0.0.1", 0,
                                max_size=1 << 25,
                                process_request=check_request) as listener:
        port = listener.sockets[0].getsockname()[1]
        print("port", port, flush=True)
        await asyncio.Future()


async def ask(socket, method, params, number):
    await socket.send(json.dumps({"jsonrpc": "2.0", "id": number,
                                  "method": method, "params": params}))
    return json.loads(await socket.recv())


async def client(url):
    async with websockets.connect(url, max_size=1 << 25, origin="http://here",
                                  subprotocols=["other", "two"]) as socket:
        assert socket.subprotocol == "two", socket.subprotocol
        for number, params in enumerate(
                ({"a": 1}, ["\u00fc\U0001f600" * 9], {"x": "y" * 1000000})):
            answer = await ask(socket, "echo", params, number)
            assert answer["id"] == number, answer
            assert answer["result"] == params, answer
        await (await socket.ping(b"payload"))
        await socket.send(["{\"jsonrpc\":\"2.0\",", "\"id\":9,\"method\":",
                           "\"echo\",\"params\":[1]}"])
        assert json.loads(await socket.recv())["result"] == [1]
        await socket.close(1000, "done")
        assert socket.close_code == 1000, socket.close_code
    try:
        async with websockets.connect(url, origin="http://elsewhere"):
            raise AssertionError("it was let in")
    except websockets.exceptions.InvalidStatusCode as refusal:
        assert refusal.status_code == 403, refusal.status_code
    print("passed", flush=True)


asyncio.run(server() if sys.argv[1] == "server" else client(sys.argv[2]))
