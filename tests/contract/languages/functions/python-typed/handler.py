import os
import sys
import time


def handle(command: str, rest: str = "") -> str:
    match command.split(" "):
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
    return rest
