"""Run with pytest, in this folder."""

import json
from wsgiref.util import setup_testing_defaults

from handler import app


def get(query):
    environ, answer = {"QUERY_STRING": query}, {}
    setup_testing_defaults(environ)
    body = b"".join(app(environ, lambda status, headers: answer.update(status=status)))
    return answer["status"], json.loads(body)


def test_it_greets_by_name():
    assert get("name=Dayfly") == ("200 OK", {"greeting": "Hello, Dayfly!"})


def test_it_greets_whoever_gives_no_name():
    assert get("") == ("200 OK", {"greeting": "Hello, stranger!"})
