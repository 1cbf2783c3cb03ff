"""Listeners: what is bound, what is replaced, what is refused."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from dayfly.model.errors import ConfigError
from dayfly.server.environment import Port
from dayfly.server.ports import Listeners, open_listeners
from dayfly.server.settings import Settings

FREE = Port(0, asked_for=True)


def settings(
    host: str = "127.0.0.1", *, port: Port = FREE, console_port: Port = FREE, metrics_port: Port = FREE
) -> Settings:
    return Settings(
        data_dir="/data",
        host=host,
        insecure_http=True,
        port=port,
        console_port=console_port,
        metrics_port=metrics_port,
    )


@contextlib.contextmanager
def opened(chosen: Settings) -> Iterator[Listeners]:
    listeners = open_listeners(chosen)
    try:
        yield listeners
    finally:
        for each in (listeners.public, listeners.console, listeners.metrics):
            each.close()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_three_listeners_accept_before_anybody_serves() -> None:
    with opened(settings()) as listeners:
        for url in (listeners.gateway_url, listeners.console_url, listeners.metrics_url):
            host, _, port = url.removeprefix("http://").partition(":")
            with socket.create_connection((host, int(port)), timeout=5):
                pass
        assert listeners.notices == ()


def test_a_default_port_that_is_taken_is_replaced_with_a_notice(taken: int) -> None:
    with opened(settings(console_port=Port(taken, asked_for=False))) as listeners:
        (notice,) = listeners.notices
        assert f"Port {taken} is taken" in notice
        assert listeners.console_url.rpartition(":")[2] in notice
        assert "--console-port" in notice


def test_a_port_that_was_asked_for_is_never_replaced(taken: int) -> None:
    with pytest.raises(ConfigError, match=str(taken)) as refused:
        open_listeners(settings(metrics_port=Port(taken, asked_for=True)))
    assert "--metrics-port" in refused.value.hint


def test_a_refusal_leaves_no_listener_behind(taken: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        first = probe.getsockname()[1]
    with pytest.raises(ConfigError):
        open_listeners(settings(port=Port(first, asked_for=True), metrics_port=Port(taken, asked_for=True)))
    with socket.socket() as again:
        again.bind(("127.0.0.1", first))


def test_console_and_metrics_stay_on_loopback_whatever_the_host() -> None:
    with opened(settings(host="0.0.0.0")) as listeners:  # noqa: S104 - what is tested
        assert listeners.public.getsockname()[0] == "0.0.0.0"  # noqa: S104 - the same
        assert {each.getsockname()[0] for each in (listeners.console, listeners.metrics)} == {"127.0.0.1"}
        assert "without encryption" in listeners.notices[0]
        assert listeners.gateway_url.startswith("http://127.0.0.1:")


def test_an_address_this_machine_does_not_have_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        open_listeners(settings(host="192.0.2.1"))
