import asyncio
import os
import sys


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    status, headers, answer = await respond(scope, body)
    head = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(answer)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": answer})


async def respond(scope, body):
    command, _, rest = body.partition(b"\n")
    match command.decode().split(" "):
        case ["echo"]:
            return 200, [], rest
        case ["tell"]:
            mark = dict(scope["headers"]).get(b"x-mark", b"").decode()
            told = f"{scope['method']} {scope['path']} {scope['query_string'].decode()} {mark}"
            return 200, [], told.encode()
        case ["answer"]:
            return 418, [(b"x-mark", b"seen")], b"short and stout"
        case ["raise"]:
            raise RuntimeError("told on purpose")
        case ["log"]:
            print(f"to stdout: {rest.decode()}")
            print(f"to stderr: {rest.decode()}", file=sys.stderr)
            return 200, [], b""
        case ["env", name]:
            return 200, [], os.environ.get(name, "").encode()
        case ["sleep", seconds]:
            await asyncio.sleep(float(seconds))
            return 200, [], b"awake"
