"""Settings: flags over environment over defaults, and what is refused."""

import os
from pathlib import Path

import pytest

from dayfly.http1.limits import Limits
from dayfly.model.errors import ConfigError
from dayfly.model.reach import Reach
from dayfly.model.replica import Ceilings
from dayfly.server.environment import Port
from dayfly.server.given_paths import KEY_CREDENTIAL
from dayfly.server.settings import Settings, StartOptions, data_dir, key_dir


def resolve(*options: StartOptions, **environ: str) -> Settings:
    return Settings.resolve(options[0] if options else StartOptions(data_dir="/data"), environ)


def test_defaults_are_loopback_and_may_be_replaced() -> None:
    settings = resolve()
    assert settings.host == "127.0.0.1"
    assert settings.is_loopback
    assert (settings.port, settings.console_port, settings.metrics_port) == (
        Port(8080, asked_for=False),
        Port(8081, asked_for=False),
        Port(8082, asked_for=False),
    )
    assert settings.gateways == 1


def test_a_flag_beats_the_environment_and_the_environment_the_default() -> None:
    environ = {"DAYFLY_PORT": "9000", "DAYFLY_GATEWAYS": "3", "DAYFLY_HOST": "127.0.0.9"}
    settings = resolve(StartOptions(data_dir="/data", port=9001), **environ)
    assert settings.port == Port(9001, asked_for=True)
    assert resolve(**environ).port == Port(9000, asked_for=True)
    assert (settings.gateways, settings.host) == (3, "127.0.0.9")


def test_a_port_that_was_asked_for_as_the_default_is_asked_for() -> None:
    assert resolve(StartOptions(data_dir="/data", port=8080)).port == Port(8080, asked_for=True)


def test_quantities_are_read_as_people_write_them() -> None:
    settings = resolve(DAYFLY_TEMPLATE_MEMORY="1Gi", DAYFLY_DRAIN_TIMEOUT="1m30s", DAYFLY_MAX_BODY="1Mi")
    assert (settings.template_budget_bytes, settings.drain_s, settings.max_body_bytes) == (2**30, 90.0, 2**20)


def test_limits_are_given_by_name() -> None:
    limits = resolve(DAYFLY_LIMITS="header_timeout_s=2.5, answer_bytes=0").limits
    assert limits == Limits(header_timeout_s=2.5, answer_bytes=0)
    assert resolve().limits == Limits()


def test_how_far_triggers_reach_is_the_operators_to_say() -> None:
    assert resolve().reach == Reach()
    environ = {"DAYFLY_TRIGGER_ALLOW": "Kafka.example.org:9092, [::1]:5672", "DAYFLY_TRIGGER_FOLDERS": "/srv/in/,/b"}
    wanted = Reach(endpoints=("kafka.example.org:9092", "[::1]:5672"), folders=("/srv/in", "/b"))
    assert resolve(**environ).reach == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALLOW", "kafka.example.org"), ("ALLOW", "a:0"), ("ALLOW", "*:9092"), ("ALLOW", "10.0.0.0/8:1"), ("ALLOW", "::1"),
     ("FOLDERS", "in"), ("FOLDERS", "/"), ("FOLDERS", "/srv/../etc")],
)  # fmt: skip
def test_a_reach_that_names_no_place_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match="DAYFLY_TRIGGER_"):
        resolve(**{f"DAYFLY_TRIGGER_{name}": value})


def test_what_a_replica_may_have_at_most_is_the_operators_to_say() -> None:
    given = resolve(DAYFLY_MAX_PROCESSES="1000", DAYFLY_MAX_FILES="300", DAYFLY_MAX_TMP="1Gi").ceilings
    assert given == Ceilings(processes=1000, open_files=300, tmp_bytes=2**30)
    assert resolve().ceilings == Ceilings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DAYFLY_MAX_PROCESSES", "95"),
        ("DAYFLY_MAX_FILES", "1"),
        ("DAYFLY_MAX_TMP", "1"),
        ("DAYFLY_PORT", "http"),
        ("DAYFLY_PORT", "65536"),
        ("DAYFLY_PORT", "-1"),
        ("DAYFLY_PORT", "٣"),
        ("DAYFLY_GATEWAYS", "0"),
        ("DAYFLY_GATEWAYS", "65"),
        ("DAYFLY_ALLOW_SDIST", "perhaps"),
        ("DAYFLY_METRICS_OPEN", "yes"),
        ("DAYFLY_INSECURE_HTTP", "yes"),
        ("DAYFLY_TEMPLATE_MEMORY", "much"),
        ("DAYFLY_DRAIN_TIMEOUT", "soon"),
        ("DAYFLY_LIMITS", "header_timeout=2"),
        ("DAYFLY_LIMITS", "header_timeout_s=soon"),
        ("DAYFLY_LIMITS", "header_count"),
        ("DAYFLY_LIMITS", "idle_s=-1"),
        ("DAYFLY_QUEUE_LIMITS", "dead_days=0"),
        ("DAYFLY_LIMITS", "body_bytes=1"),
        ("DAYFLY_LOG_LEVEL", "loud"),
        ("DAYFLY_HOST", "example.org"),
        ("DAYFLY_TLS_CERT", "/no/such/file"),
    ],
)
def test_a_malformed_variable_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        resolve(**{name: value})
    known = name.removeprefix("DAYFLY_").lower().replace("_", "-")
    assert name in str(refused.value) or known in str(refused.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])  # noqa: S104 - what is refused
def test_another_address_needs_tls_or_the_flag(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without encryption"):
        resolve(DAYFLY_HOST=host)
    assert resolve(DAYFLY_HOST=host, DAYFLY_INSECURE_HTTP="true").host == host
    for name in ("cert", "key"):
        (tmp_path / name).touch()
    tls = {"DAYFLY_TLS_CERT": str(tmp_path / "cert"), "DAYFLY_TLS_KEY": str(tmp_path / "key")}
    assert resolve(DAYFLY_HOST=host, **tls).tls_cert == str(tmp_path / "cert")


@pytest.mark.parametrize(("host", "means"), [("localhost", "127.0.0.1"), ("[::1]", "::1"), ("127.1.2.3", "127.1.2.3")])
def test_loopback_in_every_spelling_is_loopback(host: str, means: str) -> None:
    settings = resolve(DAYFLY_HOST=host)
    assert (settings.host, settings.is_loopback) == (means, True)


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cert").touch()
    with pytest.raises(ConfigError, match="go together"):
        resolve(DAYFLY_TLS_CERT=str(tmp_path / "cert"))


def test_the_data_folder_is_the_one_given_else_the_environments_else_the_accounts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert data_dir("/given", {"DAYFLY_DATA_DIR": "/env"}) == Path("/given")
    assert data_dir(None, {"DAYFLY_DATA_DIR": "/env"}) == Path("/env")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert data_dir(None, {}) == Path("/var/lib/dayfly")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/ann")
    assert data_dir(None, {}) == Path("/home/ann/.local/share/dayfly")


def test_client_and_server_look_for_the_same_folder() -> None:
    from dayfly.client.local import default_data_dir

    for environ in ({"DAYFLY_DATA_DIR": "/env"}, {}):
        assert default_data_dir(environ) == data_dir(None, environ)


def test_the_key_of_the_secrets_is_where_it_was_said_or_where_systemd_put_it(tmp_path: Path) -> None:
    assert resolve().secrets_key_file == ""
    assert resolve(CREDENTIALS_DIRECTORY="").secrets_key_file == ""
    assert resolve(CREDENTIALS_DIRECTORY=str(tmp_path)).secrets_key_file == "", "it was given others only"
    (tmp_path / KEY_CREDENTIAL).touch()
    assert resolve(CREDENTIALS_DIRECTORY=str(tmp_path)).secrets_key_file == str(tmp_path / KEY_CREDENTIAL)
    given = resolve(CREDENTIALS_DIRECTORY=str(tmp_path), DAYFLY_SECRETS_KEY_FILE="/etc/x.key")
    assert given.secrets_key_file == "/etc/x.key"
    assert resolve(DAYFLY_SECRETS_KEY_FILE="~/x.key").secrets_key_file == str(Path.home() / "x.key")


def test_a_key_in_the_data_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for place in ("data/x.key", "data/sub/x.key", "data/../data/x.key", "link/x.key"):
        with pytest.raises(ConfigError, match="lies in the data folder"):
            resolve(StartOptions(data_dir=str(tmp_path / "data")), DAYFLY_SECRETS_KEY_FILE=str(tmp_path / place))
    beside = resolve(StartOptions(data_dir=str(tmp_path / "data")), DAYFLY_SECRETS_KEY_FILE=str(tmp_path / "data.key"))
    assert beside.secrets_key_file == str(tmp_path / "data.key")


def test_without_one_the_account_keeps_it_with_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert key_dir({"XDG_CONFIG_HOME": "/c"}) == Path("/etc/dayfly/keys")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert key_dir({"XDG_CONFIG_HOME": "/c"}) == Path("/c/dayfly/keys")
    assert key_dir({}) == Path.home() / ".config/dayfly/keys"


def test_a_folder_of_certificates_goes_with_the_pair_for_all(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    pair = {"DAYFLY_TLS_CERT": str(tmp_path / "cert.pem"), "DAYFLY_TLS_KEY": str(tmp_path / "key.pem")}
    assert Settings.resolve(StartOptions(tls_folder=str(tmp_path)), pair).tls_folder == str(tmp_path)
    with pytest.raises(ConfigError, match="--tls-folder needs"):
        Settings.resolve(StartOptions(tls_folder=str(tmp_path)), {})
    with pytest.raises(ConfigError, match="is no folder"):
        Settings.resolve(StartOptions(tls_folder=str(tmp_path / "none")), pair)


def test_where_spans_go_is_dayfly_s_word_or_opentelemetry_s() -> None:
    usual = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert Settings.resolve(StartOptions(), {}).otlp_endpoint == ""
    assert Settings.resolve(StartOptions(), usual).otlp_endpoint == "http://collector:4318"
    both = {**usual, "DAYFLY_OTLP_ENDPOINT": "https://other:4318"}
    assert Settings.resolve(StartOptions(), both).otlp_endpoint == "https://other:4318"
    for wrong in ("collector:4318", "grpc://collector:4317", "http://", "http://c:4318/?x=1"):
        with pytest.raises(ConfigError, match="DAYFLY_OTLP_ENDPOINT"):
            Settings.resolve(StartOptions(), {"DAYFLY_OTLP_ENDPOINT": wrong})


def test_the_log_s_format_is_what_was_given_first() -> None:
    environ = {"DAYFLY_LOG_FORMAT": "json"}
    assert Settings.resolve(StartOptions(), {}).log_format == "text"
    assert Settings.resolve(StartOptions(), environ).log_format == "json"
    assert Settings.resolve(StartOptions(log_format="text"), environ).log_format == "text"
    with pytest.raises(ConfigError, match="DAYFLY_LOG_FORMAT"):
        Settings.resolve(StartOptions(), {"DAYFLY_LOG_FORMAT": "xml"})
