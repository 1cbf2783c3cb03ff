"""What is made at random once, and kept from then on."""

from pathlib import Path

import msgspec
from tests.unit.server.cluster.making import find, made, shake, text

from dayfly.server.cluster.install.credentials import hosts_of, make_credentials


def test_each_is_its_own_and_kept_when_it_is_there() -> None:
    first = make_credentials("dayfly", "", {}, {})
    every = msgspec.structs.astuple(first)
    assert len(set(every)) == len(every)
    assert text(first.queue_password)[0].isalpha()
    assert text(first.queue_password).isalnum()
    internal = {
        "link-token": first.link_token,
        "token-key": first.token_key,
        "queue-password": first.queue_password,
        "queue-system-password": first.queue_system_password,
        "queue-route-password": first.queue_route_password,
        "ca.crt": first.ca,
        "tls.crt": first.cert,
        "tls.key": first.key,
    }
    assert make_credentials("dayfly", "", {"password": first.password}, internal) == first
    before = {name: value for name, value in internal.items() if name != "queue-route-password"}
    older = make_credentials("dayfly", "", {"password": first.password}, before)
    assert older.queue_route_password == first.queue_system_password
    given = make_credentials("dayfly", "given", {"password": first.password}, internal)
    assert text(given.password) == "given"
    del internal["tls.crt"]
    torn = make_credentials("dayfly", "", {}, internal)
    assert torn.ca != first.ca
    assert torn.key != first.key


def test_the_manifests_hold_them() -> None:
    secret = find(made("much"), "Secret", "dayfly-admin")["data"]
    assert (text(secret["username"]), text(secret["password"])) == ("admin", 'it\'s "secret": {{ 1 }}\\')


def test_the_certificate_is_for_the_control_planes_service_and_nobody_else(tmp_path: Path) -> None:
    made_now = make_credentials("faas", "", {}, {})
    assert shake(made_now.ca, made_now.cert, made_now.key, hosts_of("faas")[-1], tmp_path) == "TLSv1.3"
    assert "Hostname mismatch" in shake(made_now.ca, made_now.cert, made_now.key, "other.example.com", tmp_path)
    other = msgspec.structs.replace(made_now, ca=make_credentials("faas", "", {}, {}).ca)
    assert "certificate verify failed" in shake(other.ca, other.cert, other.key, hosts_of("faas")[0], tmp_path)
