"""Whose a host is."""

import msgspec
import pytest

from dayfly.decide.host_claims import collision, standing
from dayfly.model.names import NamespaceName
from dayfly.model.route import HostGrant, RouteSpec


def route(
    namespace: str, host: str = "", path: str = "/*", methods: tuple[str, ...] = (), name: str = "r"
) -> RouteSpec:
    fields = {"name": name, "namespace": namespace, "host": host, "path": path, "methods": methods}
    return msgspec.convert({**fields, "targets": [{"function": "f"}]}, RouteSpec)


def grant(host: str, namespace: str) -> HostGrant:
    return HostGrant(host=host, namespace=NamespaceName(namespace))


def test_the_first_route_at_a_host_takes_somebody_who_answers_for_all_tenants() -> None:
    assert standing(route("ant", "a.example"), [], [], everywhere=False) == "not granted"
    assert standing(route("ant", ""), [], [], everywhere=False) == "not granted"
    assert standing(route("ant", "a.example"), [], [], everywhere=True) == "may"


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_host_that_is_in_use_is_its_users(everywhere: bool) -> None:
    used = [route("ant", "a.example")]
    assert standing(route("ant", "a.example", "/b"), used, [], everywhere=everywhere) == "may"
    refused = "taken" if everywhere else "not granted"
    assert standing(route("bee", "a.example", "/b"), used, [], everywhere=everywhere) == refused
    assert standing(route("bee", "a.example"), [], [grant("a.example", "ant")], everywhere=everywhere) == refused


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_grant_opens_a_host_also_beside_another(everywhere: bool) -> None:
    used = [route("ant", "a.example")]
    for granted in ("a.example", "*.example"):
        assert standing(route("bee", "a.example"), used, [grant(granted, "bee")], everywhere=everywhere) == "may"
    assert standing(route("bee", ""), [route("ant", "")], [grant("", "bee")], everywhere=everywhere) == "may"


def test_a_grant_opens_nothing_else() -> None:
    for granted in ("", "b.example", "*.b.example", "*.a.example"):
        assert standing(route("bee", "a.example"), [], [grant(granted, "bee")], everywhere=False) == "not granted"
    assert standing(route("bee", ""), [], [grant("*.example", "bee")], everywhere=False) == "not granted"


def test_two_routes_cannot_have_the_same_place_and_method() -> None:
    there = route("ant", "a.example", "/x", ("GET",))
    assert collision(route("ant", "a.example", "/x", ("GET", "PUT"), "s"), [there]) is there
    every = route("ant", "a.example", "/x", (), "t")
    assert collision(route("bee", "a.example", "/x", (), "s"), [there, every]) is every
    for other in (
        route("ant", "b.example", "/x", ("GET",)), route("ant", "a.example", "/y", ("GET",)),
        route("ant", "a.example", "/x/*", ("GET",)), route("ant", "a.example", "/x", ("PUT",)),
        route("ant", "a.example", "/x"),
    ):  # fmt: skip
        assert collision(other, [there]) is None
