import os
import sys
import time


def handle(req):
    command, _, rest = req.partition("\n")
    match command.split(" "):
        case ["echo"]:
            return rest
        case ["raise"]:
            raise RuntimeError("told on purpose")
        case ["log"]:
            print(f"to stdout: {rest}")
            print(f"to stderr: {rest}", file=sys.stderr)
            return ""
        case ["env", name]:
            return os.environ.get(name, "")
        case ["sleep", seconds]:
            time.sleep(float(seconds))
            return "awake"
