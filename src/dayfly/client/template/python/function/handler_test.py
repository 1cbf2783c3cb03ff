"""Run with pytest, in this folder."""

from types import SimpleNamespace

from handler import handle


def call(body):
    event = SimpleNamespace(body=body, headers={}, method="POST", query={}, path="/")
    return handle(event, SimpleNamespace(hostname="test"))


def test_it_greets_by_name():
    assert call(b"Dayfly\n") == "Hello, Dayfly!\n"


def test_it_greets_whoever_gives_no_name():
    assert call(b"") == "Hello, stranger!\n"
