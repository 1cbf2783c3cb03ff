"""`dayfly run`: a handler once; where its input, environment, secrets and output are, and what its failures become."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

TELLS = """
import os, sys
def handle(event, context):
    print("printed", context.function, context.namespace)
    print("on stderr", file=sys.stderr)
    os.system("echo from a child")
    return {
        "text": event.text, "method": event.method, "path": event.path, "query": dict(event.query),
        "type": event.headers["content-type"], "x": event.headers.get("x"), "call": len(context.call_id),
        "env": {name: os.environ.get(name) for name in ("A", "B", "HOME", "OPENFAAS_NAME")},
        "timeout": context.timeout_s,
    }
"""


def write(folder: Path, code: str, stack: str = "") -> None:
    (folder / "fn").mkdir(exist_ok=True)
    (folder / "fn" / "handler.py").write_text(code)
    if stack:
        (folder / "stack.yaml").write_text(f"functions: {{fn: {{lang: python, handler: ./fn, {stack}}}}}")


def test_the_call_is_what_was_asked_for_and_only_the_answer_is_on_standard_output(dayfly: Run, home: Path) -> None:
    write(home, TELLS)
    done = dayfly(
        "run", "./fn", "-m", "put", "--path", "/a/b%20c", "--query", "q=1", "-H", "X: y", "--content-type", "text/html",
        "-e", "A=1", "--timeout", "7s", stdin="input",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == {
        "text": "input", "method": "PUT", "path": "/a/b c", "query": {"q": "1"}, "type": "text/html", "x": "y",
        "call": 36,
        "env": {"A": "1", "B": None, "HOME": "/tmp", "OPENFAAS_NAME": "fn"}, "timeout": 7.0,
    }  # fmt: skip
    assert sorted(done.stderr.splitlines()) == ["from a child", "on stderr", "printed fn openfaas-fn"]


def test_a_function_of_the_stack_has_its_environment_and_its_timeout(dayfly: Run, home: Path) -> None:
    write(home, TELLS, "environment: {A: stack, B: stack}, timeout: 3s")
    told = json.loads(dayfly("run", "fn", "-e", "A=here", stdin="x").stdout)
    assert (told["env"]["A"], told["env"]["B"], told["timeout"]) == ("here", "stack", 3.0)
    assert json.loads(dayfly("run", stdin="x").stdout) == json.loads(dayfly("run", "./fn", stdin="x").stdout)


def test_status_and_headers_are_shown_beside_the_answer(dayfly: Run, home: Path) -> None:
    write(home, "def handle(event, context):\n    return {'statusCode': 201, 'headers': {'X': 'y'}, 'body': 'made'}\n")
    done = dayfly("run", "./fn", "--status")
    assert (done.stdout, done.exit_code) == ("made", 0)
    lines = done.stderr.splitlines()
    assert lines[0] == "201"
    assert "x: y" in lines


def test_an_exception_is_a_traceback_and_exit_code_1(dayfly: Run, home: Path) -> None:
    write(home, "def handle(event, context):\n    raise LookupError('the reason')\n")
    done = dayfly("run", "./fn")
    assert (done.exit_code, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{home}/fn/handler.py", line 2, in handle'
    assert lines[-1] == "Error: the function raised LookupError: the reason"
    assert done.stderr.count("LookupError: the reason") == 2


def test_a_module_that_cannot_be_imported_is_a_traceback_and_exit_code_1(dayfly: Run, home: Path) -> None:
    write(home, "print('importing')\nimport no_such_module\n")
    done = dayfly("run", "./fn")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "importing\n" in done.stderr
    assert "Error: fn does not start: ModuleNotFoundError: No module named 'no_such_module'\n" in done.stderr
    assert f'File "{home}/fn/handler.py", line 2, in <module>' in done.stderr


def test_an_answer_that_is_no_success_is_told_and_exit_code_1(dayfly: Run, home: Path) -> None:
    write(home, "def handle(event, context):\n    return {'statusCode': 404, 'body': 'no such thing'}\n")
    done = dayfly("run", "./fn")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: fn answered 404 Not Found: no such thing\n"


@pytest.mark.parametrize("code", ["import os\ndef handle(event, context):\n    os._exit(3)\n"])
def test_a_function_that_ends_during_the_call_says_how(dayfly: Run, home: Path, code: str) -> None:
    write(home, code)
    done = dayfly("run", "./fn")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "fn ended during the call: the process ended with exit code 3" in done.stderr


def test_a_call_that_takes_longer_than_its_timeout_is_ended(dayfly: Run, home: Path) -> None:
    write(home, "import time\ndef handle(event, context):\n    time.sleep(600)\n")
    done = dayfly("run", "./fn", "--timeout", "300ms")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "fn took longer than its timeout of 300ms" in done.stderr


def test_secrets_are_files_while_it_runs(dayfly: Run, home: Path) -> None:
    code = (
        "import os\ndef handle(event, context):\n    at = os.environ['DAYFLY_SECRETS']\n"
        "    return {'at': at, 'content': open(at + '/key').read(), 'mode': os.stat(at + '/key').st_mode & 0o777}\n"
    )
    write(home, code, "secrets: [key]")
    missing = dayfly("run", "fn")
    assert missing.exit_code == 64
    assert ".secrets/key" in missing.stderr
    (home / ".secrets").mkdir()
    (home / ".secrets" / "key").write_text("hush")
    told = json.loads(dayfly("run", "fn").stdout)
    assert (told["content"], told["mode"]) == ("hush", 0o400)
    assert not os.path.exists(told["at"])


def test_a_stream_is_written_as_it_comes(dayfly: Run, home: Path) -> None:
    write(home, "def handle(event, context):\n    yield 'one\\n'\n    yield 'two\\n'\n")
    assert dayfly("run", "./fn").stdout == "one\ntwo\n"


def test_only_what_it_asked_for_can_be_imported(dayfly: Run, home: Path) -> None:
    write(home, "def handle(event, context):\n    import click\n    return click.__name__\n")
    assert dayfly("run", "./fn").exit_code == 1
    done = dayfly("run", "./fn", "--no-install")
    assert (done.stdout, done.exit_code) == ("click", 0)


def test_a_function_may_bring_its_own_version_of_what_the_runtime_uses(dayfly: Run, home: Path) -> None:
    write(home, "import msgspec\ndef handle(event, context):\n    return msgspec.MINE\n")
    (home / "fn" / "msgspec.py").write_text("MINE = 'its own'\n")
    assert dayfly("run", "./fn").stdout == "its own"


def test_requirements_that_are_refused_are_told_with_their_line(dayfly: Run, home: Path) -> None:
    write(home, TELLS)
    (home / "fn" / "requirements.txt").write_text("flask\n../elsewhere\n")
    done = dayfly("run", "./fn")
    assert done.exit_code == 65
    assert "requirements.txt line 2" in done.stderr


def test_one_function_is_run(dayfly: Run, home: Path) -> None:
    (home / "stack.yaml").write_text("functions: {a: {lang: python, handler: .}, b: {lang: python, handler: .}}")
    done = dayfly("run")
    assert done.exit_code == 64
    assert "name one of a, b" in done.stderr


OTHERS = {
    "exec": ("exec", "fprocess: tr a-z A-Z", {"empty": ""}),
    "bash": ("bash", "", {"handler.sh": 'tr a-z A-Z\n'}),
    "static": ("static", "", {"index.html": "a page"}),
    "http": ("http", "fprocess: python3 serve.py", {"serve.py": (
        "import http.server, os\nclass H(http.server.BaseHTTPRequestHandler):\n    def do_POST(self):\n"
        "        body = self.rfile.read(int(self.headers['content-length'])).upper()\n        self.send_response(200)\n"
        "        self.send_header('content-length', str(len(body)))\n        self.end_headers()\n"
        "        self.wfile.write(body)\n"
        "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), H).serve_forever()\n"
    )}),
    "node": ("node", "", {"handler.js": "module.exports = async (event) => event.body.toString().toUpperCase();\n"}),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_languages_are_run_too(dayfly: Run, home: Path, name: str) -> None:
    lang, more, files = OTHERS[name]
    if lang == "node" and shutil.which("node") is None:
        pytest.skip("there is no Node.js here")
    (home / "fn").mkdir()
    for file, text in files.items():
        (home / "fn" / file).write_text(text)
    (home / "stack.yaml").write_text(f"functions: {{fn: {{lang: {lang}, handler: ./fn, {more}}}}}")
    done = dayfly("run", "fn", "-m", "GET" if lang == "static" else "POST", stdin="" if lang == "static" else "hi")
    assert (done.exit_code, done.stdout) == (0, "a page" if lang == "static" else "HI"), done.stderr


def test_an_exception_in_node_is_a_trace_with_the_authors_path(dayfly: Run, home: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no Node.js here")
    (home / "fn").mkdir()
    (home / "fn" / "handler.js").write_text("module.exports = async () => { throw new Error('the reason'); };\n")
    done = dayfly("run", "./fn", "--lang", "node")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"{home}/fn/handler.js:1" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: the function ")


def test_an_image_is_not_run(dayfly: Run, home: Path) -> None:
    (home / "fn").mkdir()
    (home / "fn" / "Dockerfile").write_text("FROM scratch")
    done = dayfly("run", "./fn")
    assert done.exit_code == 69
    assert "dayfly dev" in done.stderr
