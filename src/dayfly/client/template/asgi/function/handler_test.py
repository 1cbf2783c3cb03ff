"""Run with pytest, in this folder."""

import asyncio
import json

from handler import app


def get(query):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": []}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))


def test_it_greets_by_name():
    assert get(b"name=Dayfly") == (200, {"greeting": "Hello, Dayfly!"})


def test_it_greets_whoever_gives_no_name():
    assert get(b"") == (200, {"greeting": "Hello, stranger!"})
