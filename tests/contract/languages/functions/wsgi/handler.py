import os
import sys
import time


def app(environ, start_response):
    body = environ["wsgi.input"].read()
    status, headers, answer = respond(environ, body)
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
    return [answer]


def respond(environ, body):
    command, _, rest = body.partition(b"\n")
    match command.decode().split(" "):
        case ["echo"]:
            return "200 OK", [], rest
        case ["tell"]:
            path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
            told = f"{environ['REQUEST_METHOD']} {path} {query} {environ.get('HTTP_X_MARK', '')}"
            return "200 OK", [], told.encode()
        case ["answer"]:
            return "418 I'm a Teapot", [("X-Mark", "seen")], b"short and stout"
        case ["raise"]:
            raise RuntimeError("told on purpose")
        case ["log"]:
            print(f"to stdout: {rest.decode()}")
            print(f"to stderr: {rest.decode()}", file=sys.stderr)
            return "200 OK", [], b""
        case ["env", name]:
            return "200 OK", [], os.environ.get(name, "").encode()
        case ["sleep", seconds]:
            time.sleep(float(seconds))
            return "200 OK", [], b"awake"
