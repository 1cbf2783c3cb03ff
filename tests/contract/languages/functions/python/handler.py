import os
import sys
import time


def handle(event, context):
    command, _, rest = event.body.partition(b"\n")
    match command.decode().split(" "):
        case ["echo"]:
            return rest
        case ["tell"]:
            query = event.target.partition(b"?")[2].decode()
            return f"{event.method} {event.path} {query} {event.headers.get('X-Mark', '')}"
        case ["answer"]:
            return {"statusCode": 418, "headers": {"X-Mark": "seen"}, "body": "short and stout"}
        case ["raise"]:
            raise RuntimeError("told on purpose")
        case ["log"]:
            print(f"to stdout: {rest.decode()}")
            print(f"to stderr: {rest.decode()}", file=sys.stderr)
            return ""
        case ["env", name]:
            return os.environ.get(name, "")
        case ["sleep", seconds]:
            time.sleep(float(seconds))
            return "awake"
