"""The variables of OpenFaaS's watchdogs: what they mean, and which are refused when a function is deployed."""

from typing import Any

import msgspec
import pytest

from dayfly.model.errors import InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.watchdog import ExecSettings, HttpSettings, StaticSettings


def spec(runtime: Any, timeout: str = "", **env: str) -> FunctionSpec:
    process = "cat" if runtime in ("exec", "http") else ""
    return FunctionSpec(name="fn", runtime=runtime, process=process, timeout=timeout, env=env)


def test_without_variables_a_program_is_run_as_the_classic_watchdog_does() -> None:
    assert ExecSettings.of({}) == ExecSettings(
        mode="classic", combine_output=False, content_type="", cgi_headers=True, marshal_request=False
    )
    assert HttpSettings.of({}) == HttpSettings(port=8080, fixed=False, ready_path="", start_timeout_s=60.0)
    assert StaticSettings.of({}) == StaticSettings(folder="", cache_control="no-cache")


def test_variables_are_read() -> None:
    asked = ExecSettings.of(
        {"mode": "streaming", "combine_output": "TRUE", "content_type": "text/html", "cgi_headers": "0",
         "marshal_request": "1", "write_debug": "yes"}
    )  # fmt: skip
    assert asked == ExecSettings(
        mode="streaming", combine_output=True, content_type="text/html", cgi_headers=False, marshal_request=True,
        write_debug=True,
    )  # fmt: skip
    http = HttpSettings.of({"PORT": "3000", "ready_path": "/ready", "start_timeout": "1m"})
    assert http == HttpSettings(port=3000, fixed=True, ready_path="/ready", start_timeout_s=60.0)
    assert StaticSettings.of({"static_path": "public/site/", "cache_control": "max-age=60"}) == StaticSettings(
        folder="public/site", cache_control="max-age=60"
    )


@pytest.mark.parametrize(
    ("env", "port"),
    [
        ({"upstream_url": "http://127.0.0.1:5000"}, 5000),
        ({"upstream_url": "http://localhost:3000/"}, 3000),
        ({"http_upstream_url": "http://[::1]:81", "upstream_url": "http://127.0.0.1:82"}, 81),
        ({"upstream_url": "http://0.0.0.0", "PORT": "9"}, 80),
    ],
)
def test_a_program_with_a_port_of_its_own_is_reached_there(env: dict[str, str], port: int) -> None:
    found = HttpSettings.of(env)
    assert (found.port, found.fixed) == (port, True)


@pytest.mark.parametrize(
    ("runtime", "env", "told"),
    [
        ("exec", {"mode": "http"}, "mode: http is a runtime of its own here"),
        ("exec", {"mode": "afterburn"}, "mode: 'afterburn' must be one of classic, streaming, serializing"),
        ("exec", {"combine_output": "maybe"}, "combine_output: 'maybe' must be true or false"),
        ("exec", {"content_type": "text/plain\r\nx: y"}, "content_type: "),
        ("exec", {"exec_timeout": "soon"}, "exec_timeout: 'soon' is not a span of time"),
        ("http", {"upstream_url": "http://example.com:80"}, "upstream_url: .* must be http://127.0.0.1:PORT"),
        ("http", {"upstream_url": "http://127.0.0.1:99999"}, "upstream_url"),
        ("http", {"upstream_url": "unix:///tmp/x"}, "upstream_url"),
        ("http", {"PORT": "0"}, "PORT: '0' must be a port"),
        ("http", {"PORT": "80a"}, "PORT"),
        ("http", {"PORT": "6553600000"}, "PORT"),
        ("http", {"ready_path": "ready"}, "ready_path: 'ready' must be a path"),
        ("http", {"ready_path": "/a HTTP/1.1\r\n"}, "ready_path"),
        ("http", {"start_timeout": "10m"}, "start_timeout: '10m' must be more than 0s and at most 110s"),
        ("http", {"start_timeout": "0"}, "start_timeout"),
        ("static", {"static_path": "/home/app/public"}, "static_path: .* must be a folder inside the bundle"),
        ("static", {"static_path": "a/../../b"}, "static_path"),
        ("static", {"cache_control": "a\nb"}, "cache_control"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_deployed(runtime: str, env: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidSpec, match=f"env: {told}"):
        spec(runtime, **env).check()
    if "exec_timeout" not in env:
        spec("python", **env).check()  # there they are the function's own affair


def test_a_function_has_one_timeout_and_exec_timeout_is_a_name_for_it() -> None:
    assert spec("exec").timeout_s == 60
    assert spec("exec", exec_timeout="5m").timeout_s == 300
    assert spec("exec", exec_timeout="0").timeout_s == 60
    assert spec("exec", "30s", exec_timeout="10").timeout_s == 10
    assert spec("http", "30s", exec_timeout="1m").timeout_s == 30
    assert spec("python", exec_timeout="5m").timeout_s == 300, "OpenFaaS has a watchdog for every function"
    with pytest.raises(InvalidSpec, match="env: exec_timeout: 'soon'"):
        spec("python", exec_timeout="soon").check()
    with pytest.raises(InvalidSpec, match="timeout: 172800s"):
        spec("exec", exec_timeout="48h").check()


def test_the_stricter_limit_of_calls_counts_and_the_variables_makes_nobody_wait() -> None:
    """The variable is OpenFaaS's, for functions of every kind; the field is ours, and calls beyond it wait."""

    def limits(own: int, **env: str) -> tuple[int, bool]:
        found = msgspec.structs.replace(spec("python", **env), max_inflight=own)
        found.check()
        return found.inflight, found.turns_away

    assert limits(0) == (0, False)
    assert limits(5) == (5, False)
    assert limits(0, max_inflight="2") == (2, True)
    assert limits(5, max_inflight="2") == (2, True)
    assert limits(1, max_inflight="2") == (1, False)
    assert limits(3, max_inflight="0") == (3, False)
    for text in ("many", "-1", "1.5", "1000000", "٣"):
        with pytest.raises(InvalidSpec, match="env: max_inflight"):
            limits(0, max_inflight=text)
