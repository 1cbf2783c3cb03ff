"""What the installation tells of itself, and whom it lets in."""

import base64

import pytest
from tests.compat_openfaas import golike
from tests.compat_openfaas.wire import LOGIN, PASSWORD, Wire

WRONG = {"Authorization": "Basic " + base64.b64encode(b"admin:wrong").decode()}


def test_health_needs_no_credential(wire: Wire) -> None:
    """Behaviour 1: GET /healthz is 200 for everybody."""
    assert wire.send("GET", "/healthz", headers={}).status == 200


def test_info_has_every_part_that_clients_dereference(wire: Wire) -> None:
    """Behaviours 2, 3: nothing of it is null or empty, and the provider is not the one whose tests are cut short."""
    answer = wire.send("GET", "/system/info")
    assert answer.status == 200
    info = answer.read(golike.INFO)
    assert info["provider"]["provider"] == "dayfly"


def test_namespaces_are_a_list_of_their_names(wire: Wire) -> None:
    """Behaviour 4: GET /system/namespaces returns the names."""
    answer = wire.send("GET", "/system/namespaces")
    assert answer.status == 200
    assert "openfaas-fn" in answer.read(golike.NAMESPACES)


@pytest.mark.parametrize("headers", [{}, WRONG, {"Authorization": "Bearer "}, {"Authorization": "Bearer nonsense"}])
def test_who_has_no_good_credential_is_challenged(wire: Wire, headers: dict[str, str]) -> None:
    """Behaviours 41, 42: 401 in Go's words; a junk Bearer is no malformed request."""
    answer = wire.send("GET", "/system/functions", headers=headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="Restricted"'
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "invalid credentials"


def test_a_wrong_password_is_not_led_to_the_page(wire: Wire) -> None:
    """Behaviours 41, 42: /ui/ needs no credential here, but one that is sent has to be good; junk is none."""
    assert wire.send("GET", "/ui/", headers=WRONG).status == 401
    for headers in (LOGIN, {}, {"Authorization": "Bearer "}):
        answer = wire.send("GET", "/ui/", headers=headers)
        assert (answer.status, answer.headers["location"].startswith("http://127.0.0.1:")) == (307, True)
    assert wire.send("GET", "/", headers={}).status == 307


def test_login_asks_for_the_list(wire: Wire) -> None:
    """Behaviour 41: a good password is told by a 200 from the list, and nobody else's name is."""
    assert wire.send("GET", "/system/functions", headers=LOGIN).status == 200
    other = base64.b64encode(f"somebody:{PASSWORD}".encode()).decode()
    assert wire.send("GET", "/system/functions", headers={"Authorization": f"Basic {other}"}).status == 401


def test_junk_is_no_hindrance_where_nothing_is_asked_for(wire: Wire) -> None:
    """Behaviour 42: what needs no credential is answered whatever stands in the Authorization header."""
    for junk in ("Bearer ", "Bearer nonsense", "Basic !", "\xff"):
        assert wire.send("GET", "/healthz", headers={"Authorization": junk}).status == 200
        assert wire.call("nobody", Authorization=junk).status == 404
