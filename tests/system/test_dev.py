"""`dayfly dev` as its author runs it: a save becomes an answer, a broken one costs nothing, Ctrl-C leaves nothing."""

import re
import signal
from pathlib import Path

import pytest
from tests.system.author import Author
from tests.system.driver import Platform, children_of, eventually, is_alive

SERVES_AT = re.compile(r"A private platform serves at (http://127\.0\.0\.1:\d+)")


def test_a_save_becomes_an_answer_and_a_broken_one_leaves_the_other_at_work(scratch: Path) -> None:
    author = Author(scratch)
    author.write("def handle(event, context):\n    print('called')\n    return 'one'\n")
    author.start("hello")
    try:
        author.sees("hello  revision 1 answers at ")
        platform = author.platform()
        found = SERVES_AT.search(author.text)
        assert found is not None
        assert found[1] == platform.status()["gateway_url"]
        assert platform.ask("GET", "/function/hello").body == b"one"
        author.sees("hello | called")

        author.write("def handle(event, context):\n    return 'two'\n")
        author.sees("hello  revision 2 answers, ")
        assert platform.ask("GET", "/function/hello").body == b"two"

        author.write("def handle(event, context):\n    return 'three'\n1 / 0\n")
        author.sees("hello  Revision 3 of hello is failing: its handler could not be imported")
        author.sees(f'File "{author.folder}/hello/handler.py", line 3, in <module>')
        author.sees("hello  revision 2 goes on answering")
        assert author.text.count("ZeroDivisionError: division by zero") == 2, author.text
        assert platform.ask("GET", "/function/hello").body == b"two"
        eventually("the attempt is over", lambda: platform.describe("hello")["rollout"] is None)

        author.write("def handle(event, context):\n    return 1 / int(event.text)\n")
        author.sees("hello  revision 4 answers")
        reply = platform.ask("POST", "/function/hello", b"0", headers={"User-Agent": "curl/8.0"})
        assert reply.status == 500
        assert reply.body.decode().splitlines()[0] == "Traceback (most recent call last):"
        assert f'File "{author.folder}/hello/handler.py", line 2, in handle' in reply.body.decode()
        author.sees("hello | ZeroDivisionError: division by zero")

        everything = children_of(author.pid)
        assert len(everything) > 5
    finally:
        code = author.end()
    assert code == 0, author.text
    author.left_nothing(everything)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_it_leaves_nothing(scratch: Path, number: signal.Signals) -> None:
    author = Author(scratch)
    author.write("def handle(event, context):\n    return 1\n")
    author.start("./hello")
    try:
        author.sees("revision 1 answers")
        everything = children_of(author.pid)
    finally:
        code = author.end(number)
    assert code == 0, author.text
    author.left_nothing(everything)


def test_even_killed_it_takes_its_platform_along(scratch: Path) -> None:
    author = Author(scratch)
    author.write("def handle(event, context):\n    return 1\n")
    author.start("./hello")
    try:
        author.sees("revision 1 answers")
        everything = children_of(author.pid)
    finally:
        author.end(signal.SIGKILL)
    eventually("the platform is gone", lambda: not any(map(is_alive, everything)))


def test_ctrl_c_while_it_starts_leaves_nothing(scratch: Path) -> None:
    author = Author(scratch)
    author.write("def handle(event, context):\n    return 1\n")
    author.start("./hello")
    try:
        eventually("it has begun", lambda: list(author.temporary.glob("dayfly-dev-*/data/run")))
        everything = children_of(author.pid)
    finally:
        author.end()
    author.left_nothing(everything)


def test_on_a_platform_that_runs_functions_stay_and_tell_no_tracebacks_any_more(
    shared_platform: Platform, scratch: Path
) -> None:
    author = Author(scratch)
    author.write("def handle(event, context):\n    return 1 / 0\n")
    author.start("./hello", DAYFLY_DATA_DIR=str(shared_platform.data_dir))
    try:
        author.sees(f"Writing on the platform at {shared_platform.status()['gateway_url']}. Ctrl-C ends it.")
        author.sees("hello  revision 1 answers")
        assert "WARNING" in shared_platform.ok("describe", "hello")
        assert b"Traceback" in shared_platform.ask("GET", "/function/hello").body
    finally:
        code = author.end()
    assert code == 0, author.text
    assert "hello  stays deployed, without tracebacks in its answers" in author.text
    eventually("it serves so", lambda: shared_platform.describe("hello")["rollout"] is None)
    eventually("no answer tells one", lambda: b"Traceback" not in shared_platform.ask("GET", "/function/hello").body)
    assert shared_platform.describe("hello")["spec"]["debug"] is None
    shared_platform.ok("remove", "hello")


def test_what_cannot_be_meant_is_refused_before_anything_is_started(scratch: Path) -> None:
    author = Author(scratch)
    author.start("nothing")
    assert author.ended() == 64
    assert "nothing is neither a function nor a folder" in author.text
    assert list(author.temporary.iterdir()) == []


def test_secrets_come_from_files_and_nothing_of_them_stays(scratch: Path) -> None:
    author = Author(scratch)
    author.write(
        "import os\ndef handle(event, context):\n    return open(os.environ['DAYFLY_SECRETS'] + '/key').read()\n"
    )
    author.write("hush\n", ".secrets/key")
    author.write("functions: {hello: {lang: python, handler: ./hello, secrets: [key]}}", "stack.yaml")
    author.start(XDG_CONFIG_HOME=str(scratch / "config"))
    try:
        author.sees("hello  revision 1 answers")
        assert author.platform().ask("GET", "/function/hello").body == b"hush"
        everything = children_of(author.pid)
    finally:
        code = author.end()
    assert code == 0, author.text
    author.left_nothing(everything)
    assert not (scratch / "config").exists()


def test_a_platform_that_does_not_start_says_why_and_leaves_nothing(scratch: Path) -> None:
    author = Author(scratch)
    author.write("def handle(event, context):\n    return 1\n")
    author.start("hello", DAYFLY_ADMIN_PASSWORD="short")
    assert author.ended() == 78
    assert "password" in author.text
    assert list(author.temporary.iterdir()) == []
