"""Where functions may connect: on the address that is connected to, whatever the name said."""

import ipaddress
import socket

import pytest

from dayfly.model.egress import Network, check_allow, parse_grant
from dayfly.model.errors import InvalidSpec
from dayfly.runtimes.jail.egress.policy import Rules, is_closed, is_public, literal

CLOSED = [
    "0.1.2.3", "127.0.0.1", "127.8.8.8", "169.254.169.254", "169.254.170.2", "100.100.100.200",
    "168.63.129.16", "192.0.0.192", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.1.1.1", "::", "::1",
    "fe80::1", "ff02::1", "fd00:ec2::254", "fd20:ce::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "::a9fe:a9fe", "2002:a9fe:a9fe::1", "2001::1",
]  # fmt: skip
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1", "192.0.0.8", "192.0.2.1",
    "fc00::1", "fd12::1", "fec0::1", "2001:db8::1", "192.88.99.1", "203.0.113.1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"]
ODD = ["2130706433", "0x7f000001", "127.1", "127.0.0.1.", "0x7f.1", "①②⑦.0.0.1", "a b", "", "-", "%31",
       "exa$mple", "017700000001", "1.2.3.4.5", "127.0.0.0x1"]  # fmt: skip


def judge(allow: tuple[str, ...], host: str, address: str = "", port: int = 443) -> str:
    return Rules(allow).judge(host, ipaddress.ip_address(address or host), port)


@pytest.mark.parametrize("address", CLOSED)
def test_closed_addresses_open_to_no_name_and_not_to_public(address: str) -> None:
    assert is_closed(ipaddress.ip_address(address))
    assert judge(("public",), address)
    assert judge(("public", "evil.example"), "evil.example", address)
    assert judge(("public", "*.example"), "evil.example", address)
    assert judge(("tcp://evil.example:443",), "evil.example", address)


@pytest.mark.parametrize("address", [each for each in CLOSED if not each.startswith("::ffff")])
def test_closed_addresses_open_to_a_grant_of_the_address(address: str) -> None:
    written = f"[{address}]" if ":" in address else address
    assert judge((written,), address) == ""
    assert judge((f"{written}:443",), address) == ""
    assert judge((f"{written}:80",), address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_open_to_a_name_or_the_address(address: str) -> None:
    parsed = ipaddress.ip_address(address)
    assert not is_public(parsed)
    assert not is_closed(parsed)
    assert judge(("public",), address)
    assert judge((), address)
    assert judge(("db.internal",), "db.internal", address) == ""
    assert judge(("*.internal:443",), "db.internal", address) == ""
    assert judge(("*.internal",), "internal", address)
    assert judge(("db.internal:5432",), "db.internal", address)
    assert judge((f"{'[' + address + ']' if ':' in address else address}",), address) == ""


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_open_to_public_alone(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    assert judge(("public",), "any.example", address) == ""
    assert judge(("other.example",), "any.example", address)
    assert judge((), "any.example", address)


def test_an_address_of_this_machine_is_closed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address beside loopback")
        own = probe.getsockname()[0]
    assert is_closed(ipaddress.ip_address(own))
    assert "of this machine" in judge(("public",), own)


@pytest.mark.parametrize("host", ODD)
def test_odd_spellings_are_neither_names_nor_addresses(host: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        literal(host)


def test_names_and_addresses_are_told_apart() -> None:
    assert literal("example.com") is literal("example.com.") is None
    assert literal("[::1]") == ipaddress.ip_address("::1")
    assert literal("10.0.0.1") == ipaddress.ip_address("10.0.0.1")


@pytest.mark.parametrize(
    "text",
    ["", "http://x", "tcp://x", "tcp://x:0", "tcp://*.x:1", "tcp://10.0.0.0/8:1", "tcp://[::1]:1", "x:65536", "x:",
     "*.", "*", "a..b", "10.0.0.0/33", "127.1", "tcp://127.0.0.1:3128", "x y", "a" * 64, "host:port"],
)  # fmt: skip
def test_what_grants_nothing_clear_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="allow"):
        parse_grant(text)


def test_grants_go_with_the_proxy_alone() -> None:
    check_allow("proxy", ("public", "db:5432", "tcp://db:5432"))
    check_allow("none", ("public",))
    networks: tuple[Network, ...] = ("none", "host")
    for network in networks:
        with pytest.raises(InvalidSpec, match="network"):
            check_allow(network, ("db",))
    with pytest.raises(InvalidSpec, match="at most"):
        check_allow("proxy", tuple(f"tcp://db:{port}" for port in range(1, 40)))
