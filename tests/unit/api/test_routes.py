"""Routes say who may use them, and paths have one spelling."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.routes import Route, Router, Routes
from dayfly.api.scope import Place
from dayfly.api.services import Services


async def handler(_services: Services, _request: Request) -> Response:
    return Response()


def make(method: Any, path: str, access: Any = "admin", scope: Any = None, **fields: Any) -> Route:
    scope = scope or ("open" if access == "public" else "installation")
    return Route(method=method, path=path, access=access, scope=scope, summary="x", handler=handler, **fields)


@pytest.mark.parametrize("missing", ["access", "scope"])
def test_a_route_without_access_or_scope_cannot_be_written(missing: str) -> None:
    given = {"access": "access='admin'", "scope": "scope='installation'"}
    del given[missing]
    source = f"routes.route('GET', '/x', summary='x', {given.popitem()[1]})(handler)"
    with pytest.raises(TypeError, match=missing):
        exec(source, {"routes": Routes(), "handler": handler})  # noqa: S102  stands for the import of a module


@pytest.mark.parametrize("access", ["", "Public", None, "anyone"])
def test_nor_one_with_an_access_that_is_none(access: Any) -> None:
    with pytest.raises(ValueError, match="access"):
        make("GET", "/x", access)


@pytest.mark.parametrize(
    ("access", "scope"),
    [("admin", "everything"), ("admin", ""), ("admin", "open"), ("public", "installation"), ("public", "visible"),
     ("deploy", Place(path="nowhere")), ("deploy", Place(path_name="name")), ("public", Place(path="x")),
     ("admin", {"path": "x"})],
)  # fmt: skip
def test_nor_one_with_a_scope_that_is_none(access: Any, scope: Any) -> None:
    with pytest.raises(ValueError, match=r"scope|none of"):
        Route(method="GET", path="/a/{x}", access=access, scope=scope, summary="x", handler=handler)


def test_nor_the_same_line_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        Router([make("GET", "/a/{x}"), make("GET", "/a/{y}")])


def test_a_parameter_is_one_segment_decoded_once() -> None:
    router = Router([make("GET", "/a/{x}/b/{y}")])
    found = router.find("GET", b"/a/%2541%2f/b/%c3%a9")
    assert dict(found.parameters) == {"x": "%41/", "y": "é"}
    for raw in (b"/a//b/c", b"/a/x/b/", b"/a/x/b/y/", b"//a/x/b/y", b"/a/x/%62/y", b"/A/x/b/y", b"a/x/b/y", b"",
                b"/a/%ff/b/y", b"/a/\xff/b/y", b"/a/x/b"):  # fmt: skip
        assert router.find("GET", raw).at_path == (), raw


def test_open_is_what_needs_no_credential() -> None:
    router = Router(
        [make("GET", "/p", "public"), make("GET", "/m", "public"), make("PUT", "/m"), make("GET", "/i", "invoke")]
    )
    assert router.find("GET", b"/p").open
    assert router.find("POST", b"/p").open
    assert router.find("GET", b"/m").open
    assert not router.find("PUT", b"/m").open
    assert not router.find("DELETE", b"/m").open
    assert not router.find("GET", b"/i").open


def test_head_follows_get_but_for_streams() -> None:
    router = Router([make("GET", "/a"), make("GET", "/s", streams=True), make("HEAD", "/h")])
    assert router.find("HEAD", b"/a").route is router.routes[0]
    assert router.find("HEAD", b"/s").route is None
    assert router.find("HEAD", b"/h").route is router.routes[2]
    assert router.find("GET", b"/a").allow == "GET, HEAD, OPTIONS"
    assert router.find("GET", b"/s").allow == "GET, OPTIONS"
