"""Files as answers: by the application itself, without a host around it."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, new_replica_id
from dayfly.model.replica import StartOrder
from dayfly.runtimes.python.handler import HandlerUnfit
from dayfly.runtimes.static import site, tree
from dayfly.runtimes.static.conditions import http_date

MODIFIED = 1_700_000_000
LARGE = 700_001


class Answer(msgspec.Struct, frozen=True):
    """What a request was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes
    pieces: int


class Served:
    """A site in a folder."""

    def __init__(self, folder: Path, **env: str) -> None:
        order = StartOrder(
            replica=new_replica_id(), key=FunctionKey(DEFAULT_NAMESPACE, FunctionName("fn")), revision=1, lang="static",
            runtime="static", dialect="auto", handler="handler", code_dir=str(folder), env=env, timeout_s=60.0,
        )  # fmt: skip
        application = site.prepare(order).application
        assert application is not None
        self._application = application

    def get(self, path: str, method: str = "GET", query: str = "", **headers: str) -> Answer:
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http",
            "method": method,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": pairs,
        }
        sent: list[dict[str, Any]] = []
        bodies_to_come = iter((True, True, False))

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            assert method not in ("GET", "HEAD"), "files do not depend on what is sent"
            return {"type": "http.request", "body": b"x", "more_body": next(bodies_to_come)}

        async def main() -> None:
            await self._application(scope, receive, send)

        asyncio.run(main())
        start, *bodies = sent
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        assert not bodies[-1].get("more_body", False)
        assert method in ("GET", "HEAD") or not list(bodies_to_come), "the rest of the body was not taken"
        return Answer(start["status"], found, b"".join(each.get("body", b"") for each in bodies), len(bodies))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for name, content in {
        "index.html": b"<h1>hi</h1>", "ten.txt": b"0123456789", "docs/index.html": b"docs", "none.txt": b"",
        "large.bin": b"x" * LARGE,
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (MODIFIED, MODIFIED))
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Served:
    return Served(folder)


def test_a_file_is_answered_with_all_that_caches_need(served: Served) -> None:
    answer = served.get("/ten.txt")
    assert (answer.status, answer.body) == (200, b"0123456789")
    tag = answer.headers.pop("etag")
    assert tag.strip('"').isalnum()
    assert answer.headers == {
        "content-type": "text/plain; charset=utf-8",
        "content-length": "10",
        "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
        "accept-ranges": "bytes",
        "cache-control": "no-cache",
        "x-content-type-options": "nosniff",
    }


def test_a_tag_is_the_contents_and_outlives_a_deployment(served: Served, folder: Path) -> None:
    before = served.get("/ten.txt").headers["etag"]
    os.utime(folder / "ten.txt", (MODIFIED + 9, MODIFIED + 9))
    assert Served(folder).get("/ten.txt").headers["etag"] == before
    (folder / "ten.txt").write_bytes(b"0123456780")
    assert Served(folder).get("/ten.txt").headers["etag"] != before


def test_head_is_get_without_the_body(served: Served) -> None:
    get, head = served.get("/ten.txt"), served.get("/ten.txt", "HEAD")
    assert (head.status, head.headers, head.body) == (200, get.headers, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(served: Served, method: str) -> None:
    answer = served.get("/ten.txt", method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert json.loads(answer.body)["code"] == "method_not_allowed"


def test_a_large_file_comes_in_pieces_and_an_empty_one_is_whole(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "HASHED_AT_ONCE_BYTES", 1000)
    large = served.get("/large.bin")
    assert (len(large.body), large.pieces, large.headers["content-length"]) == (LARGE, 3, str(LARGE))
    empty = served.get("/none.txt")
    assert (empty.status, empty.body, empty.headers["content-length"]) == (200, b"", "0")


def test_who_has_the_file_is_told_so(served: Served) -> None:
    tag = served.get("/ten.txt").headers["etag"]
    for asked in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = served.get("/ten.txt", if_none_match=asked)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in answer.headers
    assert served.get("/ten.txt", if_none_match='"other"').status == 200
    assert served.get("/ten.txt", if_modified_since=http_date(MODIFIED)).status == 304
    assert served.get("/ten.txt", if_modified_since=http_date(MODIFIED - 1)).status == 200
    assert served.get("/ten.txt", if_modified_since="yesterday").status == 200
    # The tag says more than the date.
    assert served.get("/ten.txt", if_none_match='"other"', if_modified_since=http_date(MODIFIED)).status == 200


@pytest.mark.parametrize(
    ("asked", "body", "told"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-30", b"0123456789", "bytes 0-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
    ],
)
def test_a_part_is_answered_with_a_part(served: Served, asked: str, body: bytes, told: str) -> None:
    answer = served.get("/ten.txt", range=asked)
    assert (answer.status, answer.body, answer.headers["content-range"]) == (206, body, told)
    assert answer.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("asked", ["bytes=1-2,4-5", "bytes=", "bytes=-", "lines=1-2", "bytes=4-2", "bytes=a-b"])
def test_what_is_no_single_part_is_answered_with_the_whole(served: Served, asked: str) -> None:
    assert served.get("/ten.txt", range=asked).status == 200


@pytest.mark.parametrize(
    ("path", "asked"), [("/ten.txt", "bytes=10-"), ("/ten.txt", "bytes=-0"), ("/none.txt", "bytes=0-")]
)
def test_a_part_beyond_the_end_is_refused(served: Served, path: str, asked: str) -> None:
    answer = served.get(path, range=asked)
    assert answer.status == 416
    assert answer.headers["content-range"].startswith("bytes */")


def test_a_part_of_a_file_that_has_changed_is_the_whole(served: Served) -> None:
    tag = served.get("/ten.txt").headers["etag"]
    for condition, status in (
        (tag, 206),
        ('"x"', 200),
        (f"W/{tag}", 200),
        (http_date(MODIFIED), 206),
        (http_date(1), 200),
    ):
        assert served.get("/ten.txt", range="bytes=0-1", if_range=condition).status == status, condition


def test_a_folder_is_its_index_and_leads_to_its_own_path(served: Served) -> None:
    assert served.get("/docs/").body == b"docs"
    answer = served.get("/docs", query="a=1")
    # Relative, as whoever called knows the function by another path.
    assert (answer.status, answer.headers["location"]) == (301, "./docs/?a=1")
    assert served.get("//docs").headers["location"] == "./docs/"


def test_what_is_not_there_is_said_so_or_shown(served: Served, folder: Path) -> None:
    answer = served.get("/missing")
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "not_found")
    (folder / "404.html").write_text("gone")
    answer = served.get("/missing", range="bytes=0-1")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (404, b"gone", "text/html; charset=utf-8")


def test_a_folder_inside_is_all_that_is_served(folder: Path) -> None:
    served = Served(folder, static_path="docs", cache_control="public, max-age=60")
    assert served.get("/").body == b"docs"
    assert served.get("/").headers["cache-control"] == "public, max-age=60"
    assert served.get("/ten.txt").status == 404
    with pytest.raises(HandlerUnfit, match="there is no folder 'public'"):
        Served(folder, static_path="public")
