"""Requests: who is told what, what is tried again, and what is not believed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.unit.oci.registry.double import Double, Fault, Reply, digest_of, refused

from dayfly.model import errors
from dayfly.oci.credentials import Login
from dayfly.oci.reference import parse_reference
from dayfly.oci.registry import manifests
from dayfly.oci.registry.endpoint import Endpoint
from dayfly.oci.registry.request import Request
from dayfly.oci.registry.session import MAX_REDIRECTS, Session

LOGIN = Login("tester", "the-password")
BASIC = {"challenge": 'Basic realm="tests"', "authorization": LOGIN.basic}


def run(test: Callable[[Double], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with Double() as double:
            return await test(double)

    return asyncio.run(main())


def get(session: Session, path: str = "a/blobs/sha256:1", **more: Any) -> Request:
    return Request(doing="give it", method="GET", url=session.url(path), **more)


def test_a_request_is_tried_again_and_waits_as_it_was_told() -> None:
    async def test(double: Double) -> None:
        double.faults = [
            Fault("GET", "blobs", refused(429, "TOOMANYREQUESTS", Retry_After="7")),
            Fault("GET", "blobs", Reply(503)),
            Fault("GET", "blobs", cut_answer_after=0),
            Fault("GET", "blobs", Reply(200, {}, b"here")),
        ]
        async with double.session() as session:
            assert (await session.ask(get(session))).body == b"here"
        assert double.slept == [7.0, 1.0, 2.0]

    run(test)


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    async def test(double: Double) -> None:
        double.faults = [
            Fault("GET", "blobs", Reply(200, {}, b"complete"), cut_answer_after=4),
            Fault("GET", "blobs", Reply(200, {}, b"complete")),
        ]
        async with double.session() as session:
            assert (await session.ask(get(session))).body == b"complete"

    run(test)


def test_it_is_given_up_after_a_while() -> None:
    async def test(double: Double) -> None:
        double.faults = [Fault("GET", "blobs", Reply(502)) for _ in range(20)]
        async with double.session() as session:
            with pytest.raises(errors.Unavailable, match=r"registry\.test could not give it: it answered 502"):
                await session.ask(get(session))
        assert len(double.asked("GET", "blobs")) == 5

    run(test)


def test_nobody_is_made_to_wait_for_an_hour() -> None:
    async def test(double: Double) -> None:
        double.faults = [Fault("GET", "blobs", refused(429, "TOOMANYREQUESTS", Retry_After="3600"))]
        async with double.session() as session:
            with pytest.raises(errors.LimitExceeded) as caught:
                await session.ask(get(session))
        assert (caught.value.retry_after_s, caught.value.hint) == (3600, "It asks to be left alone for 3600s.")
        assert double.slept == []

    run(test)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequest), (403, errors.Forbidden), (404, errors.NotFound), (405, errors.NotSupported),
        (409, errors.Conflict), (413, errors.PayloadTooLarge), (418, errors.InvalidRequest), (501, errors.NotSupported),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_the_registry_s_words_and_not_tried_again(
    status: int, kind: type[errors.DayflyError]
) -> None:
    async def test(double: Double) -> None:
        double.faults = [Fault("GET", "blobs", refused(status, "DENIED", "not for you"))]
        async with double.session() as session:
            with pytest.raises(kind, match=r"registry\.test could not give it: DENIED: not for you"):
                await session.ask(get(session))
        assert len(double.asked("GET", "blobs")) == 1

    run(test)


def test_a_page_of_html_is_no_explanation() -> None:
    async def test(double: Double) -> None:
        double.faults = [Fault("GET", "blobs", Reply(400, {}, b"<html>nginx</html>"))]
        async with double.session() as session:
            with pytest.raises(errors.InvalidRequest, match="it answered 400 without saying why"):
                await session.ask(get(session))

    run(test)


def test_an_answer_has_a_bound() -> None:
    async def test(double: Double) -> None:
        double.faults = [Fault("GET", "blobs", Reply(200, {}, bytes(1_001)))]
        async with double.session() as session:
            with pytest.raises(errors.PayloadTooLarge, match="larger than 1000 bytes"):
                await session.ask(get(session), limit=1_000)

    run(test)


def test_a_password_goes_with_every_request_that_wants_it() -> None:
    async def test(double: Double) -> None:
        double.challenge, double.authorization = BASIC["challenge"], BASIC["authorization"]
        double.blobs["a", digest_of(b"x")] = b"x"
        async with double.session(login=LOGIN) as session:
            for _ in range(2):
                assert (await session.ask(get(session, f"a/blobs/{digest_of(b'x')}"))).body == b"x"
        assert "authorization" not in double.seen[0].headers
        assert [each.headers["authorization"] for each in double.asked("GET", "blobs")] == [LOGIN.basic] * 2

    run(test)


@pytest.mark.parametrize("login", [None, Login("tester", "wrong")])
def test_without_a_good_one_it_is_told_what_to_do(login: Login | None) -> None:
    async def test(double: Double) -> None:
        double.challenge, double.authorization = BASIC["challenge"], BASIC["authorization"]
        async with double.session(login=login) as session:
            with pytest.raises(errors.Unauthenticated) as caught:
                await session.ask(get(session))
        assert "registry-login --save --server registry.test" in caught.value.hint
        assert len(double.asked("GET", "blobs")) == 1

    run(test)


@pytest.mark.parametrize("login", [None, Login("tester", "wrong")])
def test_a_no_without_a_question_is_a_no(login: Login | None) -> None:
    async def test(double: Double) -> None:
        double.faults = [Fault("GET", "blobs", Reply(401))]
        async with double.session(login=login) as session:
            with pytest.raises(errors.Unauthenticated, match=r"a login, and none|login .* is not good"):
                await session.ask(get(session))

    run(test)


def test_what_a_registry_repeats_of_our_secrets_is_not_told() -> None:
    async def test(double: Double) -> None:
        double.challenge, double.authorization = BASIC["challenge"], "nobody"
        said = f"{LOGIN.basic} is the-password of nobody"
        double.faults = [Fault("GET", "blobs", refused(403, "DENIED", said))]
        async with double.session(login=LOGIN) as session:
            with pytest.raises(errors.Forbidden) as caught:
                await session.ask(get(session))
        told = str(caught.value) + caught.value.hint + repr(session.__dict__)
        assert "the-password" not in told
        assert LOGIN.basic.removeprefix("Basic ") not in told
        assert "DENIED: Basic *** is *** of nobody" in str(caught.value)

    run(test)


def test_a_scheme_that_nobody_speaks_is_named() -> None:
    async def test(double: Double) -> None:
        double.challenge = "Negotiate"
        with pytest.raises(errors.Unauthenticated, match="asks for negotiate; Dayfly has Basic and Bearer"):
            async with double.session():
                pass

    run(test)


def test_another_origin_is_told_nothing_that_is_secret() -> None:
    async def test(double: Double) -> None:
        async with Double() as storage:
            double.challenge, double.authorization = BASIC["challenge"], BASIC["authorization"]
            where = f"http://me:too@{storage.host}/signed?x=1"
            double.faults = [Fault("GET", "blobs", Reply(307, {"Location": where}))]
            storage.faults = [Fault("GET", "signed", Reply(200, {}, b"data"))]
            async with double.session(login=LOGIN) as session:
                answer = await session.ask(get(session, headers={"Range": "bytes=0-"}))
            assert (answer.body, answer.url.path) == (b"data", "/signed")
            (seen,) = storage.seen
            assert "authorization" not in seen.headers
            assert seen.headers["range"] == "bytes=0-"

    run(test)


def test_a_redirect_within_the_registry_keeps_its_credentials() -> None:
    async def test(double: Double) -> None:
        double.challenge, double.authorization = BASIC["challenge"], BASIC["authorization"]
        double.blobs["b", digest_of(b"x")] = b"x"
        double.faults = [Fault("GET", "a/blobs", Reply(302, {"Location": f"/v2/b/blobs/{digest_of(b'x')}"}))]
        async with double.session(login=LOGIN) as session:
            assert (await session.ask(get(session))).body == b"x"

    run(test)


def test_redirects_end() -> None:
    async def test(double: Double) -> None:
        circle = Reply(307, {"Location": "/v2/a/blobs/again"})
        double.faults = [Fault("GET", "blobs", circle) for _ in range(50)]
        async with double.session() as session:
            with pytest.raises(errors.InvalidRequest, match="redirects in circles"):
                await session.ask(get(session))
        assert len(double.asked("GET", "blobs")) == MAX_REDIRECTS + 1

    run(test)


def test_what_is_written_is_not_redirected() -> None:
    async def test(double: Double) -> None:
        async with Double() as other:
            double.faults = [Fault("PUT", "manifests", Reply(307, {"Location": f"http://{other.host}/x"}))]
            reference = parse_reference(f"{double.host}/a:1")
            async with double.session() as session:
                with pytest.raises(errors.InvalidRequest, match="answered 307"):
                    await manifests.put(session, reference, *await document(b"{}"))
            assert other.seen == []

    run(test)


async def document(data: bytes) -> Any:
    from dayfly.oci.manifest import OCI_MANIFEST, describe

    return describe(data, OCI_MANIFEST), data


def test_plain_http_is_for_this_machine_or_for_who_asks_for_it() -> None:
    async def test(double: Double) -> None:
        # Reaches this machine, as no name for it that is known does.
        stranger = Endpoint(name="far", host=f"0.0.0.0:{double.port}")
        with pytest.raises(errors.Unavailable, match="far"):
            async with double.session(endpoint=stranger):
                pass
        assert double.seen == []
        asked_for = Endpoint(name="far", host=f"0.0.0.0:{double.port}", insecure=True)
        async with double.session(endpoint=asked_for):
            pass
        assert [each.path for each in double.seen] == ["/v2/"]

    run(test)


def test_what_is_no_registry_is_told_from_one() -> None:
    async def test(double: Double) -> None:
        double.faults = [Fault("GET", "/v2/$", Reply(404))]
        with pytest.raises(errors.NotFound, match="is no registry"):
            async with double.session():
                pass

    run(test)


def test_nobody_there_is_told_at_once() -> None:
    async def test(double: Double) -> None:
        async with Double() as gone:
            endpoint = Endpoint(name="gone", host=gone.host)
        with pytest.raises(errors.Unavailable, match="No registry answers at gone"):
            async with double.session(endpoint=endpoint):
                pass
        assert double.slept == []

    run(test)


def test_silence_is_not_waited_out_for_ever() -> None:
    async def test(double: Double) -> None:
        hold = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if await reader.read(1) != b"\x16":
                await hold.wait()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        endpoint = Endpoint(name="slow", host=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(errors.Unavailable, match="slow went silent"):
            async with double.session(endpoint=endpoint, silence_s=0.1):
                pass
        hold.set()
        server.close()

    run(test)


def test_cookies_are_not_kept() -> None:
    async def test(double: Double) -> None:
        double.faults = [Fault("GET", "blobs", Reply(200, {"Set-Cookie": "a=b"}))]
        async with double.session() as session:
            await session.ask(get(session))
            double.faults = [Fault("GET", "blobs", Reply(200))]
            await session.ask(get(session))
        assert all("cookie" not in each.headers for each in double.seen)

    run(test)
