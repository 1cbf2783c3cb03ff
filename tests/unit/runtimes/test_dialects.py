"""What each dialect makes of a call and of what the handler returns."""

import json
from typing import Any

import pytest

from dayfly.runtimes.python.handler import HandlerUnfit


@pytest.mark.parametrize(
    ("returned", "status", "content_type", "body"),
    [
        ("None", 200, None, b""),
        ("'text é'", 200, "text/plain; charset=utf-8", "text é".encode()),
        ("b'\\x00\\xff'", 200, "application/octet-stream", b"\x00\xff"),
        ("{'a': [1, None]}", 200, "application/json", b'{"a":[1,null]}'),
        ("[1, 'b']", 200, "application/json", b'[1,"b"]'),
        ("3.5", 200, "application/json", b"3.5"),
        ("{'statusCode': 201, 'body': 'made'}", 201, "text/plain; charset=utf-8", b"made"),
        ("{'statusCode': '202', 'body': {'a': 1}}", 202, "application/json", b'{"a":1}'),
        ("{'body': 'x', 'headers': {'content-type': 'text/html'}}", 200, "text/html", b"x"),
        ("{'statusCode': 204}", 204, None, b""),
        ("{'body': 'data', 'author': 'me'}", 200, "application/json", b'{"body":"data","author":"me"}'),
        ("__import__('datetime').date(2026, 1, 2)", 200, "application/json", b'"2026-01-02"'),
    ],
)
@pytest.mark.parametrize("prefix", ["", "async "])
def test_what_a_handler_returns_becomes_the_answer(
    serve: Any, prefix: str, returned: str, status: int, content_type: str | None, body: bytes
) -> None:
    served = serve(f"{prefix}def handle(event, context):\n    return {returned}\n")
    answer = served.call()
    assert (answer.status, answer.headers.get("content-type"), answer.body) == (status, content_type, body)


def test_headers_of_an_answer_may_repeat_and_never_split_it(serve: Any) -> None:
    source = """
def handle(event, context):
    value = event.query["value"]
    pairs = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-value", value), ("content-length", "9")]
    return {"headers": pairs, "body": ""}
"""
    served = serve(source)
    connection = served.connect()
    connection.request("GET", "/?value=good")
    response = connection.getresponse()
    assert response.msg.get_all("set-cookie") == ["a=1", "b=2"]
    assert response.msg.get_all("content-length") == ["0"]
    assert response.read() == b""
    connection.close()
    assert served.call(target="/?value=evil%0d%0ax-evil:1").status == 500


def test_an_event_shows_the_whole_request(serve: Any) -> None:
    source = """
def handle(event, context):
    return [event.method, event.path, event.query["a"], event.query.getlist("a"), event.query.get("c"),
            event.headers["x-one"], event.headers.get("X-ONE"), "x-two" in event.headers, event.headers["x-many"],
            len(event.body), context.function, context.namespace, context.hostname, context.call_id,
            0 < context.remaining_s <= 60]
"""
    served = serve(source)
    connection = served.connect()
    connection.putrequest("PUT", "/a%20b/c?a=1&a=2&b=")
    for name, value in [("X-One", "1"), ("x-many", "a"), ("X-Many", "b"), ("X-Call-Id", "id-1")]:
        connection.putheader(name, value)
    connection.putheader("Content-Length", "3")
    connection.endheaders(b"abc")
    told = json.loads(connection.getresponse().read())
    connection.close()
    assert told == [
        *("PUT", "/a b/c", "1", ["1", "2"], None, "1", "1", False, "a, b", 3),
        *("fn", "openfaas-fn", "replica", "id-1", True),
    ]


def test_a_chunked_body_arrives_whole(serve: Any) -> None:
    served = serve("def handle(event, context):\n    return event.body\n")
    assert served.call(iter([b"one ", b"two ", b"x" * 300_000])).body == b"one two " + b"x" * 300_000


def test_head_has_the_length_and_no_body(serve: Any) -> None:
    served = serve("def handle(event, context):\n    return 'four'\n")
    connection = served.connect()
    for _ in range(2):
        connection.request("HEAD", "/")
        response = connection.getresponse()
        assert (response.headers["content-length"], response.read()) == ("4", b"")
    connection.close()


@pytest.mark.parametrize("prefix", ["", "async "])
def test_an_exception_is_a_500_without_its_text_and_logged_with_it(
    serve: Any, prefix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    served = serve(f"{prefix}def handle(event, context):\n    raise LookupError('the secret')\n")
    answer = served.call(headers={"X-Call-Id": "id-2"})
    assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
    told = json.loads(answer.body)
    assert (told["code"], told["call_id"], told["status"]) == ("function_failed", "id-2", 500)
    assert b"secret" not in answer.body
    logged = capfd.readouterr().err
    assert "LookupError: the secret" in logged
    assert "host.py" not in logged


@pytest.mark.parametrize("returned", ["object()", "{'statusCode': 99}", "{'statusCode': 'many'}"])
def test_what_cannot_be_sent_is_a_500(serve: Any, returned: str) -> None:
    assert serve(f"def handle(event, context):\n    return {returned}\n").call().status == 500


def test_a_call_that_exits_does_not_end_its_replica(serve: Any) -> None:
    served = serve("import sys\ndef handle(event, context):\n    sys.exit(3)\n")
    assert [served.call().status for _ in range(8)] == [500] * 8


def test_classic_takes_text_and_gives_text(serve: Any) -> None:
    served = serve("def handle(req):\n    return req.upper() if req else None\n")
    assert served.call("grüße".encode()).body == "GRÜSSE".encode()
    assert served.call().body == b""


TYPED = """
import dataclasses, datetime, enum
class Colour(enum.Enum):
    RED = "red"
@dataclasses.dataclass
class Point:
    x: int
    y: int = 0
Day = datetime.date
def place(point: Point, colour: Colour = Colour.RED, tags: list[str] = [], *, day: Day | None = None) -> Point:
    tags.append(colour.value)
    return {"x": point.x + point.y, "tags": tags, "day": day}
"""


@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        ('{"point": {"x": 1, "y": 2}}', 200, '{"x":3,"tags":["red"],"day":null}'),
        (
            '{"point": {"x": 1}, "tags": ["a"], "day": "2026-01-02"}',
            200,
            '{"x":1,"tags":["a","red"],"day":"2026-01-02"}',
        ),
        ('{"point": {"x": "one"}}', 422, "$.point.x"),
        ('{"colour": "red"}', 422, "point"),
        ('{"point": {"x": 1}, "colour": "blue"}', 422, "$.colour"),
        ('{"point": {"x": 1}, "extra": 1}', 422, "extra"),
        ("[1]", 422, "array"),
        ("{not json", 400, "JSON"),
    ],
)
def test_typed_checks_what_comes_by_the_hints(serve: Any, sent: str, status: int, told: str) -> None:
    answer = serve(TYPED).call(sent.encode())
    assert answer.status == status
    assert told in answer.body.decode()


def test_a_default_changed_by_one_call_is_whole_for_the_next(serve: Any) -> None:
    served = serve(TYPED)
    bodies = {served.call(b'{"point": {"x": 1}}').body for _ in range(3)}
    assert bodies == {b'{"x":1,"tags":["red"],"day":null}'}


def test_typed_takes_the_query_when_there_is_no_body(serve: Any) -> None:
    served = serve("def add(a: int, b: float = 0.5, c: list[int] = []) -> float:\n    return a + b + sum(c)\n")
    assert served.call(method="GET", target="/?a=2&b=1.5&c=1&c=2").body == b"6.5"
    assert served.call(method="GET", target="/?a=two").status == 422


ASGI = """
state = {"up": 0}
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        scope["state"]["db"] = "open"
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        state["up"] = -1
        await send({"type": "lifespan.shutdown.complete"})
        return
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 203, "headers": [(b"x-db", scope["state"]["db"].encode())]})
    await send({"type": "http.response.body", "body": scope["path"].encode() + b" ", "more_body": True})
    await send({"type": "http.response.body", "body": str(size).encode()})
"""


def test_asgi_streams_both_ways_and_lives_its_lifespan(serve: Any) -> None:
    served = serve(ASGI)
    connection = served.connect()
    for _ in range(2):
        connection.request("POST", "/a", iter([b"x" * 400_000, b"y" * 400_000]), encode_chunked=True,
                           headers={"transfer-encoding": "chunked"})  # fmt: skip
        response = connection.getresponse()
        assert (response.status, response.headers["x-db"], response.read()) == (203, "open", b"/a 800000")
    connection.close()
    served.channel.send(b"d")
    assert served.wait() == 0
    assert served.module.state["up"] == -1


def test_asgi_without_lifespan_is_served_and_failures_are_answered(serve: Any) -> None:
    source = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    if scope["path"] == "/raise":
        raise ValueError
    if scope["path"] == "/silent":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
    served = serve(source)
    assert served.call().body == b"ok"
    assert served.call(target="/raise").status == 500
    assert served.call(target="/silent").status == 500
    connection = served.connect()
    for target in ("/", "/_/health", "/", "/_/ready"):
        connection.request("GET", target)
        assert connection.getresponse().read().lower() == b"ok"
    connection.close()


def test_an_application_that_refuses_to_start_ends_its_replica(serve: Any) -> None:
    source = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""
    served = serve(source)
    assert served.channel.recv(16) == b"f"
    assert served.wait() == 1


def test_wsgi_gets_its_environ_and_is_streamed(serve: Any) -> None:
    source = """
closed = []
class Pieces:
    def __init__(self, text):
        self.left = [b"", text, b" and more"]
    def __iter__(self):
        return iter(self.left)
    def close(self):
        closed.append(True)
def application(environ, start_response):
    start_response("418 I'm a teapot", [("X-One", environ["HTTP_X_ONE"]), ("Content-Type", "text/x")])
    text = "|".join((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"],
                     environ["wsgi.input"].read().decode()))
    return Pieces(text.encode())
"""
    served = serve(source)
    answer = served.call(b"body", target="/p%C3%A4th?q=1", headers={"X-One": "1", "X_Two": "no"})
    assert (answer.status, answer.headers["x-one"], answer.headers["content-type"]) == (418, "1", "text/x")
    assert answer.body.decode().encode("latin-1") == "POST|/päth|q=1|body and more".encode()
    assert served.module.closed == [True]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("def handle(event, context): return ''", "sync"),
        ("async def handle(event, context): return ''", "async"),
        ("def handle(req): return req", "sync"),
        ("def only(a: int) -> int: return a", "sync"),
        ("def app(environ, start_response): return []", "threads"),
        ("class App:\n    def wsgi_app(self): pass\n    def __call__(self, *a): pass\napp = App()", "threads"),
    ],
)
def test_the_dialect_is_found_by_looking(serve: Any, source: str, kind: str) -> None:
    assert serve(source).handler.kind == kind


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("value = 1", "none of handle"),
        ("def a(x: int): pass\ndef b(x: int): pass", "none of handle"),
        ("def handle(a, b, c): pass", "fits no dialect"),
        ("def only(*parts: int): pass", "by name only"),
        ("handle = 3", "none of handle"),
    ],
)
def test_a_module_that_cannot_serve_is_refused_in_words(serve: Any, source: str, told: str) -> None:
    with pytest.raises(HandlerUnfit, match=told):
        serve(source)


def test_a_missing_attribute_is_named(serve: Any) -> None:
    with pytest.raises(HandlerUnfit, match="no 'missing'"):
        serve("def handle(event, context): return ''", handler=":missing")


HTML = "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("returned", "status", "content_type", "body"),
    [
        ("None", 200, None, b""),
        ("'<p>é'", 200, HTML, "<p>é".encode()),
        ("b'\\x00'", 200, "application/octet-stream", b"\x00"),
        ("{'a': 1}", 200, "application/json", b'{"a":1}'),
        ("('made', 201)", 201, HTML, b"made"),
        ("('made', '201 CREATED')", 201, HTML, b"made"),
        ("('x', {'Content-Type': 'text/css'})", 200, "text/css", b"x"),
        ("({'a': 1}, 404, [('X-A', '1')])", 404, "application/json", b'{"a":1}'),
        ("{'statusCode': 202, 'body': 'x'}", 202, HTML, b"x"),
        ("{'body': 'x', 'headers': {'content-type': 'text/plain'}}", 200, "text/plain", b"x"),
        ("{'statusCode': 200, 'body': [1]}", 200, "application/json", b"[1]"),
    ],
)
@pytest.mark.parametrize(
    "written", ["def handle(req)", "def handle(event, context)", "async def handle(event, context)"]
)
def test_a_handler_of_a_template_with_flask_may_return_what_a_view_may(
    serve: Any, written: str, returned: str, status: int, content_type: str | None, body: bytes
) -> None:
    served = serve(f"{written}:\n    return {returned}\n", dialect="python-flask")
    answer = served.call()
    assert (answer.status, answer.headers.get("content-type"), answer.body) == (status, content_type, body)


@pytest.mark.parametrize(("raw", "kind"), [("", "str"), ("false", "str"), ("true", "bytes")])
def test_a_handler_of_one_parameter_gets_text_or_bytes(
    serve: Any, monkeypatch: pytest.MonkeyPatch, raw: str, kind: str
) -> None:
    monkeypatch.setenv("RAW_BODY", raw)
    served = serve("def handle(req):\n    return type(req).__name__\n", dialect="python-flask")
    assert served.call(body=b"x").body == kind.encode()
