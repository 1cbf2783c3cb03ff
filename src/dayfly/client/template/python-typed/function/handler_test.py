"""Run with pytest, in this folder."""

from handler import Greeting, handle


def test_it_greets_by_name():
    assert handle("Dayfly") == Greeting("Hello, Dayfly!", 14)


def test_it_greets_as_often_as_asked():
    assert handle("Dayfly", times=2).text == "Hello, Dayfly! Hello, Dayfly!"
