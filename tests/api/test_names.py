"""Names that are none: at every place of every route, 400 or 404, and nothing changes (threat T7)."""

from __future__ import annotations

import itertools
import json
import string
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from dayfly.model.errors import InvalidName
from dayfly.model.names import DEFAULT_NAMESPACE, parse_secret_name
from dayfly.server.apps import PUBLIC_ROUTES

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

NAMES = [
    "..", ".", "../..", "a/../b", "a\n", "\na", "a\0b", "a\0", "%2e%2e", "%252e%252e", "．．", "a．b", "CON", "a.b.c",
    "a..b", ".a", "a.", ".openfaas-fn", "x" * 64, "x" * 5000, "-a", "a-", "-", "--", "a_b", "a b", " a", "a ", "\ta",
    "A", "é", "ａ", "１", "a٣", "a²", "ﬁ", "a\u202eb", "a\u200bb", "\ufeffa", "a\x7f", "a\x1b[31m", "a;b", "a&b", "a|b",
    "$(touch X)", "`touch X`", "a'b", 'a"b', "a<script>", "a\\b", "..\\..", "a/b", "/etc/passwd", "//a", "a//b", "a:b",
    "a@b", "a#b", "a?b", "a=b", "a+b", "a,b", "a*", "a{b}", "{name}", "a~", "~", "~root", "a%", "%", "%zz", "%00",
    "null\0",     "a\r\nX: y", "a\r", "a\u2028b", "a\u0085b", "a\xa0b", "aux.txt", "😀", "a😀",
    *(f"a{mark}a" for mark in string.punctuation if mark not in "-.%"),
]  # fmt: skip


def is_secret_name(name: str) -> bool:
    try:
        parse_secret_name(name)
    except InvalidName:
        return False
    return True


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_in_every_path(play: Play, method: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        before = list(stage.plane.changes)
        await stage.secrets.put(DEFAULT_NAMESPACE, "hello", b"canary")
        secrets = await stage.kept.all()
        body = json.dumps({"replicas": 3, "bundle": stage.bundle}).encode()
        for path, name in places(method):
            status = (await stage.ask(method, path, body=body)).status
            expected = (204, 405) if method in ("OPTIONS", "PATCH") else (400, 404, 405)
            assert status in (*expected, 404), (method, path, name, status)
        assert stage.plane.changes == before
        assert await stage.kept.all() == secrets

    play(story)


def places(method: str) -> Iterator[tuple[str, str]]:
    """Yield paths with a name that is none in one of the places, and that name; few where no route has the method."""
    for where in dict.fromkeys(route.path for route in PUBLIC_ROUTES):
        same = [route for route in PUBLIC_ROUTES if route.path == where]
        names = NAMES if method in {route.method for route in same} else NAMES[:5]
        for hole, name in itertools.product(same[0].parameters, names):
            if "/secrets/" in where and hole == "name" and is_secret_name(name):
                continue
            if hole == "label" and name.isascii() and name.isidentifier():
                continue
            path = where.replace("{%s}" % hole, quote(name, safe=""))  # noqa: UP031  braces in an f-string
            yield path.replace("{namespace}", "openfaas-fn").replace("{name}", "hello"), name


def test_in_every_body_and_query(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        before = list(stage.plane.changes)
        await stage.secrets.put(DEFAULT_NAMESPACE, "hello", b"canary")
        secrets = await stage.kept.all()
        for name in NAMES:
            asked = quote(name, safe="")
            deployment = {"service": name, "image": stage.bundle}
            elsewhere = {"service": "hello", "image": stage.bundle, "namespace": name}
            tries = [
                ("POST", "/system/functions", deployment), ("PUT", "/system/functions", deployment),
                ("POST", "/system/functions", elsewhere), ("PUT", "/system/functions", elsewhere),
                ("DELETE", "/system/functions", {"functionName": name}),
                ("DELETE", "/system/functions", {"functionName": "hello", "namespace": name}),
                ("DELETE", f"/system/functions?namespace={asked}", {"functionName": "hello"}),
                ("GET", f"/system/functions?namespace={asked}", None),
                ("GET", f"/system/function/hello?namespace={asked}", None),
                ("POST", "/system/scale-function/hello", {"replicas": 3, "namespace": name}),
                ("GET", f"/system/logs?name={asked}", None),
                ("GET", f"/system/logs?name=hello&namespace={asked}", None),
                ("GET", f"/system/logs?name=hello&instance={asked}", None),
                ("GET", f"/v1/namespaces/openfaas-fn/functions/hello/logs?instance={asked}", None),
                ("PUT", "/v1/namespaces/openfaas-fn/functions/hello", {"name": name, "bundle": stage.bundle}),
                ("PUT", "/v1/namespaces/openfaas-fn/functions/hello", {"namespace": name, "bundle": stage.bundle}),
                ("PUT", "/v1/namespaces/openfaas-fn/functions/hello", {"bundle": name}),
                ("PUT", "/v1/namespaces/openfaas-fn/secrets/hello?mode=" + asked, {}),
                ("DELETE", "/v1/namespaces/openfaas-fn/secrets/hello?force=" + asked, {}),
                ("GET", f"/system/secrets?namespace={asked}", None),
                *(
                    (method, path, {"name": which, "namespace": where, "value": "x"})
                    for method in ("POST", "PUT", "DELETE")
                    for path, which, where in (
                        ("/system/secrets", name, ""), ("/system/secrets", "hello", name),
                        (f"/system/secrets?namespace={asked}", "hello", ""),
                    )
                    if which == "hello" or not is_secret_name(name)
                ),
            ]  # fmt: skip
            for method, path, data in tries:
                status = (await stage.ask(method, path, data=data)).status
                assert status in (400, 404), (method, path, data, status)
        assert stage.plane.changes == before
        assert await stage.kept.all() == secrets

    play(story)
