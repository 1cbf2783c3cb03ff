"""Requests that routes lead to functions, through a real gateway."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from dayfly.model.table import Hello

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Rig

    from dayfly.model.table import Entry


async def named(rig: "Rig", *names: str) -> "list[Entry]":
    """Return functions that answer with their name, the request's line and the prefix that they were told."""
    entries = []
    for name in names:

        async def script(conversation: "Conversation", name: str = name) -> None:
            while await conversation.request():
                prefix = conversation.headers.get("x-forwarded-prefix", "-")
                conversation.reply(f"{name} {conversation.line.rpartition(' ')[0]} {prefix}".encode())

        entries.append(rig.entry(await rig.replica(script, name), name=name))
    return entries


def test_a_route_leads_to_its_function_with_the_path_that_it_says(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (
            rig.route("/shop/*", name="shop", to="f", strip=True),
            rig.route("/whole/*", name="whole", to="f"),
            rig.route("/one", name="one", to="g"),
            rig.route("/*", name="rest", to="g", host="api.example.org"),
        )
        await rig.serve(*await named(rig, "f", "g"))
        async with rig.client() as client:
            for target, host, answer in (
                ("/shop", "h", b"f GET / /shop"),
                ("/shop/", "h", b"f GET / /shop"),
                ("/shop/a/b?x=%2F..", "h", b"f GET /a/b?x=%2F.. /shop"),
                ("/sho%70/%61?q", "h", b"f GET /%61?q /shop"),
                ("/whole/%61", "h", b"f GET /whole/%61 -"),
                ("/one?a", "h", b"g GET /one?a -"),
                ("/one", "127.0.0.1:80", b"g GET /one -"),
                ("/system/functions", "api.example.org", b"g GET /system/functions -"),
                ("/function/f", "api.example.org", b"g GET /function/f -"),
                ("/function/f/x", "h", b"f GET /x -"),
            ):
                got = await client.ask(target, "X-Forwarded-Prefix: /forged", host=host)
                assert (got.status, got.body) == (200, answer), target

    play(scenario)


@pytest.mark.parametrize(
    "host", ["api.example.org", "API.EXAMPLE.ORG", "api.example.org:80", "api.example.org.", "Api.Example.Org.:8080"]
)
def test_a_host_is_found_however_it_is_written(play: "Play", host: str) -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route(host="api.example.org"), rig.route("/a", name="any", to="g"))
        await rig.serve(*await named(rig, "f", "g"))
        async with rig.client() as client:
            assert (await client.ask("/a", host=host)).body == b"f GET /a -"
            assert (await client.ask("/a", f"X-Forwarded-Host: {host}", host="other.example.org")).body == b"g GET /a -"

    play(scenario)


@pytest.mark.parametrize(
    "request_line",
    ["GET http://api.example.org/a HTTP/1.1", "GET //api.example.org/a HTTP/1.1", "GET api.example.org/a HTTP/1.1"],
)
def test_no_other_part_of_a_request_names_a_host(play: "Play", request_line: str) -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route(host="api.example.org"), rig.route("/a", name="any", to="g"))
        await rig.serve(*await named(rig, "f", "g"))
        for lines in ("Host: h", "Host: h\r\nHost: api.example.org", "Host: api.example.org,h", "Host: bücher.example"):
            async with rig.client() as client:
                client.send(f"{request_line}\r\n{lines}\r\n\r\n".encode())
                assert (await client.answer()).status == 400

    play(scenario)


def test_the_platforms_paths_are_nobodys_where_the_host_is_not_a_routes(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route(), rig.route(name="n", host="api.example.org"))
        await rig.serve(*await named(rig, "f"))
        async with rig.client() as client:
            for target in ("/system/functions", "/v1/info", "/%73ystem/functions", "/ui/", "/healthz", "/metrics",
                           "/api/v1/namespaces"):  # fmt: skip
                answer = await client.ask(target)
                assert answer.problem()["code"] == "control_plane_away", target
            assert (await client.ask("/function/unknown")).status == 404
            assert (await client.ask("/async-function/f")).status == 405
            assert (await client.ask("/readyz")).body == b"OK\n"
            assert (await client.ask("/system/function/a%2fb")).problem()["code"] == "control_plane_away"
            assert (await client.ask("/systems")).body == b"f GET /systems -"

    play(scenario)


@pytest.mark.parametrize(
    "target", ["/a%2fb", "/a/../b", "/a/%2e%2e/b", "//a", "/a;b", "/a%00", "/%2561", "/a\\b", "/."]
)
def test_a_path_that_could_be_read_in_two_ways_is_refused_where_there_are_routes(play: "Play", target: str) -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route(host="api.example.org"),)
        await rig.serve(*await named(rig, "f"))
        async with rig.client() as client:
            assert (await client.ask(target, host="api.example.org")).problem()["code"] == "invalid_request"
        async with rig.client() as client:
            assert (await client.ask(target)).status == 503  # passed on to the control plane, as ever
        rig.tell(rig.delta())
        await rig.reroute(rig.route(name="any"))
        async with rig.client() as client:
            assert (await client.ask(target)).status == 400

    play(scenario)


def test_the_wrong_method_is_told_the_right_ones_and_opens_nothing_else(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (
            rig.route("/x/*", name="get", to="f", methods=("GET",)),
            rig.route("/x/*", name="put", to="g", methods=("PUT",)),
            rig.route("/*", name="rest", to="g"),
        )
        await rig.serve(*await named(rig, "f", "g"))
        async with rig.client() as client:
            wrong = await client.ask("/x/y", method="POST", body=b"in")
            assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD, PUT")
            assert wrong.problem()["code"] == "method_not_allowed"
            assert (await client.ask("/x/y", method="PUT", body=b"in")).body == b"g PUT /x/y -"
            assert (await client.ask("/x/y", method="HEAD")).status == 200
            assert (await client.ask("/y", method="POST", body=b"in")).body == b"g POST /y -"

    play(scenario)


def test_a_change_holds_for_the_next_request_of_an_open_connection(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(*await named(rig, "f", "g"))
        async with rig.client() as client:

            async def answers(*, host: str = "api.example.org") -> list[bytes | int]:
                return [
                    got.body if got.status == 200 else got.status
                    for target in ("/a", "/function/f")
                    for got in [await client.ask(target, host=host) for _ in range(2)]
                ][::2]

            assert await answers() == [503, b"f GET / -"]
            await rig.reroute(rig.route(host="api.example.org", to="g"))
            assert await answers() == [b"g GET /a -", b"g GET /function/f -"]
            await rig.reroute(rig.route(host="*.example.org", to="f"))
            assert await answers() == [b"f GET /a -", b"f GET /function/f -"]
            assert await answers(host="api.example.com") == [503, b"f GET / -"]
            await rig.reroute(gone=("r.openfaas-fn",))
            assert await answers() == [503, b"f GET / -"]

    play(scenario)


def test_a_wildcard_stands_for_one_label_and_a_name_comes_before_it(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (
            rig.route(name="wild", host="*.example.org"),
            rig.route("/a/*", name="name", host="a.example.org", to="g"),
        )
        await rig.serve(*await named(rig, "f", "g"))
        async with rig.client() as client:
            for host, target, status in (
                ("b.example.org", "/a", b"f GET /a -"),
                ("a.example.org", "/a", b"g GET /a -"),
                ("a.example.org", "/b", b"f GET /b -"),
            ):
                assert (await client.ask(target, host=host)).body == status
            for host in ("example.org", "b.a.example.org", "xexample.org"):
                assert (await client.ask("/a", host=host)).status == 503

    play(scenario)


def test_weights_spread_calls_and_a_weight_of_zero_gets_none(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        targets = (("f.openfaas-fn", 3), ("g.openfaas-fn", 1), ("h.openfaas-fn", 0))
        rig.routes = (rig.route(targets=targets),)
        await rig.serve(*await named(rig, "f", "g", "h"))
        async with rig.client() as client:
            seen = {(await client.ask("/a")).body for _ in range(200)}
        assert seen == {b"f GET /a -", b"g GET /a -"}

    play(scenario)


def test_a_route_to_a_function_that_is_not_there_says_so_and_counts_where_it_is(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route("/f"), rig.route("/g", name="g", to="nobody"))
        await rig.serve(*await named(rig, "f"))
        async with rig.client() as client:
            assert (await client.ask("/g")).problem()["code"] == "not_found"
            assert (await client.ask("/f")).status == 200
        load = await rig.load(lambda load: bool(load.functions[0].codes))
        assert [(each.function, each.started) for each in load.functions] == [("f.openfaas-fn", 1)]

    play(scenario)


def test_a_body_is_bounded_by_the_route_where_that_is_the_strictest(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route(body_bytes=10),)
        await rig.serve(rig.entry(await rig.replica(rig.echo), body_bytes=20))
        async with rig.client() as client:
            assert (await client.ask("/a", method="POST", body=b"x" * 10)).body == b"x" * 10
            answer = await client.ask("/a", method="POST", body=b"x" * 11)
            assert (answer.status, "of the route" in answer.problem()["hint"]) == (413, True)

    play(scenario)


def test_a_route_that_is_in_trouble_lets_nobody_through_and_does_not_say_why(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route(trouble="there is no secret of-the-crown"),)
        await rig.serve(*await named(rig, "f"))
        async with rig.client() as client:
            answer = await client.ask("/a")
            assert answer.problem()["code"] == "route_closed"
            assert b"crown" not in answer.body

    play(scenario)


def test_a_route_holds_a_call_while_its_function_starts(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route(),)
        await rig.serve(rig.entry())
        async with rig.client() as client:
            asking = asyncio.create_task(client.ask("/a", method="POST", body=b"in"))
            await rig.demand()
            rig.tell(rig.delta(rig.entry(await rig.replica(rig.echo))))
            assert (await asking).body == b"in"

    play(scenario)


def test_a_snapshot_replaces_all_routes(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route("/a"), rig.route("/b", name="b"))
        await rig.serve(*await named(rig, "f"))
        async with rig.client() as client:
            assert (await client.ask("/b")).status == 200
            rig.routes = (rig.route("/a"),)
            await rig.close_link()
            rig.heard.clear()
            await rig.open_link()
            await rig.hear(Hello)
            await rig.heard_all()
            assert (await client.ask("/b")).status == 503
            assert (await client.ask("/a")).status == 200

    play(scenario)
