"""Run with pytest, in this folder."""

from handler import handle


def test_it_greets_by_name():
    assert handle("Dayfly\n") == "Hello, Dayfly!\n"


def test_it_greets_whoever_gives_no_name():
    assert handle("") == "Hello, stranger!\n"
