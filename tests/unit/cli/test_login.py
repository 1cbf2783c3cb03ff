"""login and logout: tried before it is kept, kept privately, forgotten when asked."""

import base64
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from dayfly.cli.main import cli
from dayfly.cli.session import Session
from dayfly.model.access import Principal
from dayfly.model.names import NamespaceName

Run = Callable[..., Any]
URL = "https://faas.example.org"


def test_a_login_is_tried_kept_used_and_forgotten(dayfly: Run, platform: Any, home: Path) -> None:
    outcome = dayfly("login", "-g", URL + "/", "--password-stdin", stdin="s3cret\n")
    assert (outcome.exit_code, outcome.stdout) == (0, f"credentials saved for admin {URL}\n")
    assert "s3cret" not in outcome.stdout + outcome.stderr
    assert (home.parent / "home/.config/dayfly/credentials.json").stat().st_mode & 0o777 == 0o600
    dayfly("list", "-g", URL)
    assert platform.requests[-1].headers["authorization"] == "Basic YWRtaW46czNjcmV0"
    assert dayfly("logout", "-g", URL).exit_code == 0
    assert dayfly("logout", "-g", URL).exit_code == 66
    dayfly("list", "-g", URL)
    assert "authorization" not in platform.requests[-1].headers


def test_a_wrong_password_is_not_kept(dayfly: Run, platform: Any, home: Path) -> None:
    platform.refuse = httpx2.Response(401, text="")
    outcome = dayfly("login", "-g", URL, "-p", "wrong")
    assert outcome.exit_code == 77
    assert "Unable to login, either username or password is incorrect" in outcome.stderr
    assert not (home.parent / "home/.config").exists()


@pytest.mark.parametrize(
    ("args", "stdin"),
    [
        ((), ""),
        (("-s",), "\n"),
        (("-p", ""), ""),
        (("-p", "x", "-s"), "y"),
        (("-p", "x", "-u", "a:b"), ""),
        (("--token-stdin",), "\n"),
        (("--token", "x", "-p", "y"), ""),
        (("--token", "x", "--token-stdin"), "y"),
    ],
)
def test_what_is_no_login_is_refused_before_anything_is_sent(
    dayfly: Run, platform: Any, args: tuple[str, ...], stdin: str
) -> None:
    assert dayfly("login", "-g", URL, *args, stdin=stdin).exit_code == 64
    assert platform.requests == []


def test_a_password_in_the_open_is_warned_of(dayfly: Run) -> None:
    outcome = dayfly("login", "-g", "http://faas.example.org", "-p", "x")
    assert "--password is insecure" in outcome.stderr
    assert "not using an encrypted connection" in outcome.stderr


def test_a_token_is_kept_with_the_namespace_it_is_for(dayfly: Run, platform: Any) -> None:
    platform.caller = Principal("token 4tk8zq0w1c5m", "deploy", NamespaceName("team-a"), "4tk8zq0w1c5m")
    outcome = dayfly("login", "-g", URL, "--token-stdin", stdin="dayfly_4tk8zq0w1c5m_hush\n")
    assert (outcome.exit_code, outcome.stdout) == (0, f"credentials saved for token 4tk8zq0w1c5m {URL}\n")
    assert "the role deploy in the namespace team-a" in outcome.stderr
    assert "hush" not in outcome.stdout + outcome.stderr
    dayfly("list", "-g", URL)
    sent = platform.requests[-1]
    assert sent.url.path == "/v1/namespaces/team-a/functions"
    assert base64.b64decode(sent.headers["authorization"].removeprefix("Basic ")) == b"token:dayfly_4tk8zq0w1c5m_hush"


@pytest.mark.parametrize(
    ("args", "path"),
    [
        (("describe", "hello"), "/v1/namespaces/team-a/functions/hello"),
        (("describe", "hello.team-b"), "/v1/namespaces/team-b/functions/hello"),
        (("describe", "hello", "-n", "team-b"), "/v1/namespaces/team-b/functions/hello"),
        (("invoke", "hello"), "/function/hello.team-a"),
        (("secret", "list"), "/v1/namespaces/team-a/secrets"),
        (("secret", "list", "-n", "openfaas-fn"), "/v1/namespaces/openfaas-fn/secrets"),
        (("token", "list"), "/v1/namespaces/team-a/tokens"),
    ],
)
def test_its_namespace_is_meant_where_none_is_named(
    dayfly: Run, platform: Any, args: tuple[str, ...], path: str
) -> None:
    platform.caller = Principal("token x", "admin", NamespaceName("team-a"), "x")
    dayfly("login", "-g", URL, "--token", "dayfly_4tk8zq0w1c5m_hush")
    dayfly(*args, "-g", URL)
    assert platform.requests[-1].url.path == path


def test_functions_are_deployed_into_it_unless_their_stack_says_another(dayfly: Run, platform: Any, home: Path) -> None:
    platform.caller = Principal("token x", "deploy", NamespaceName("team-a"), "x")
    dayfly("login", "-g", URL, "--token", "dayfly_4tk8zq0w1c5m_hush")
    (home / "code").mkdir()
    (home / "code/handler.py").write_text("def handle(event, context): ...\n")
    (home / "stack.yaml").write_text(
        "functions: {one: {lang: python3-http, handler: ./code}, two: {lang: python3-http, handler: ./code, "
        "namespace: team-b}}\n"
    )
    for option in ((), ("-n", "team-c")):
        outcome = dayfly("deploy", "--no-wait", "-g", URL, *option)
        assert outcome.exit_code == 0, outcome.stderr
    assert sorted(platform.functions) == [("team-a", "one"), ("team-b", "two"), ("team-c", "one"), ("team-c", "two")]
    assert {namespace for namespace, _ in platform.bundles} == {"team-a", "team-b", "team-c"}
    dayfly("remove", "-f", "stack.yaml", "-g", URL)
    assert sorted(platform.functions) == [("team-c", "one"), ("team-c", "two")]


def test_a_token_that_is_not_good_is_not_kept(dayfly: Run, platform: Any, home: Path) -> None:
    platform.refuse = httpx2.Response(401, text="")
    outcome = dayfly("login", "-g", URL, "--token", "dayfly_4tk8zq0w1c5m_hush")
    assert outcome.exit_code == 77
    assert "Unable to login, the token is not, or no longer, good." in outcome.stderr
    assert "--token is insecure" in outcome.stderr
    assert not (home.parent / "home/.config").exists()


def test_functions_are_written_in_it_too(dayfly: Run, platform: Any, home: Path) -> None:
    platform.caller = Principal("token x", "deploy", NamespaceName("team-a"), "x")
    dayfly("login", "-g", URL, "--token", "dayfly_4tk8zq0w1c5m_hush")
    (home / "handler.py").write_text("def handle(event, context): ...\n")
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return httpx2.Response(401)

    session = Session(async_transport=httpx2.MockTransport(answer))
    for options, namespace in (((), "team-a"), (("-n", "team-b"), "team-b")):
        done = CliRunner().invoke(cli, ["dev", "-g", URL, *options], obj=session)
        assert done.exit_code == 77, done.output
        assert {path.rpartition("/functions/")[0] for path in asked} == {f"/v1/namespaces/{namespace}"}
        asked.clear()


CONFIG = """\
auths:
  - {gateway: "https://other.example.org", auth: basic, token: YTpi}
  - {gateway: "HTTPS://faas.example.org/", auth: basic, token: dXNlcjpodXNo}
  - {gateway: "https://iam.example.org", auth: oauth2, token: jwt.of.somebody}
"""


@pytest.fixture
def faas_cli(home: Path) -> Path:
    path = home.parent / "home/.openfaas/config.yml"
    path.parent.mkdir(parents=True)
    path.write_text(CONFIG)
    path.chmod(0o600)
    return path


@pytest.mark.usefixtures("faas_cli")
def test_whoever_is_logged_in_with_faas_cli_is_here_too(dayfly: Run, platform: Any) -> None:
    for url, sent in ((URL, "Basic dXNlcjpodXNo"), ("https://iam.example.org", "Bearer jwt.of.somebody")):
        assert dayfly("list", "-g", url).exit_code == 0
        assert platform.requests[-1].headers["authorization"] == sent
    dayfly("list", "-g", "https://unknown.example.org")
    assert "authorization" not in platform.requests[-1].headers


@pytest.mark.usefixtures("faas_cli")
def test_our_own_login_wins_and_logout_tells_of_the_other(dayfly: Run, platform: Any) -> None:
    dayfly("login", "-g", URL, "-s", stdin="mine")
    dayfly("list", "-g", URL)
    assert platform.requests[-1].headers["authorization"] == "Basic YWRtaW46bWluZQ=="
    done = dayfly("logout", "-g", URL)
    assert (done.exit_code, "faas-cli logout" in done.stderr) == (0, True)
    again = dayfly("logout", "-g", URL)
    assert (again.exit_code, "faas-cli logout" in again.stderr) == (66, True)


def test_where_faas_cli_keeps_them(dayfly: Run, platform: Any, faas_cli: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sends() -> bool:
        dayfly("list", "-g", URL)
        return "authorization" in platform.requests[-1].headers

    assert sends()
    monkeypatch.setenv("CI", "true")
    assert not sends()
    monkeypatch.setenv("OPENFAAS_CONFIG", "~/.openfaas")
    assert sends()
    monkeypatch.setenv("OPENFAAS_CONFIG", str(faas_cli.parent))
    assert sends()


@pytest.mark.parametrize(
    "content", ["auths: 1", "[", "auths: [{gateway: 'https://faas.example.org', token: '!'}]", "\0"]
)
def test_what_is_no_file_of_logins_counts_as_none(dayfly: Run, platform: Any, faas_cli: Path, content: str) -> None:
    faas_cli.write_text(content)
    assert dayfly("list", "-g", URL).exit_code == 0
    assert "authorization" not in platform.requests[-1].headers


def test_a_file_of_logins_that_others_can_read_counts_as_none(dayfly: Run, platform: Any, faas_cli: Path) -> None:
    faas_cli.chmod(0o644)
    dayfly("list", "-g", URL)
    assert "authorization" not in platform.requests[-1].headers


@pytest.mark.usefixtures("faas_cli")
def test_a_token_on_the_command_line_wins(dayfly: Run, platform: Any) -> None:
    assert dayfly("list", "-g", URL, "-k", "given").exit_code == 0
    assert platform.requests[-1].headers["authorization"] == "Bearer given"
    assert dayfly("list", "-g", URL, "--token", "not one").exit_code == 64


def test_a_certificate_is_left_unseen_only_when_asked_and_with_a_warning(dayfly: Run) -> None:
    assert "anybody may answer" in dayfly("list", "-g", URL, "--tls-no-verify").stderr
    assert "anybody may answer" not in dayfly("list", "-g", URL).stderr


KUBECTL = """#!PYTHON
import json, sys
asked = " ".join(sys.argv[1:])
if "get deployment/" in asked:
    container = {"readinessProbe": {"httpGet": {"scheme": "SCHEME"}}}
    print(json.dumps({"spec": {"template": {"spec": {"containers": [container]}}}}))
elif "get secret/" in asked:
    if "--context denied" in asked:
        sys.exit('Error from server (Forbidden): secrets "dayfly-admin" is forbidden: User "ann" cannot get it')
    print(json.dumps({"data": {"password": "czNjcmV0"}}))
elif "--context away" in asked:
    sys.exit("error: unable to listen on any of the requested ports")
else:
    print("Forwarding from 127.0.0.1:31112 -> 8080")
    print("Handling connection for 31112")
    print("lost connection to pod")
"""
HERE = "http://127.0.0.1:31112"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A kubectl whose cluster ends every connection at once."""

    def make(scheme: str = "HTTP") -> None:
        program = tmp_path / "bin" / "kubectl"
        program.parent.mkdir(exist_ok=True)
        program.write_text(KUBECTL.replace("PYTHON", sys.executable).replace("SCHEME", scheme))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))

    make()
    return make


@pytest.mark.usefixtures("cluster")
def test_in_a_cluster_the_password_is_read_and_the_port_held(dayfly: Run, platform: Any) -> None:
    outcome = dayfly("login", "--kubernetes")
    assert outcome.exit_code == 69
    assert "The connection to the cluster has ended" in outcome.stderr
    assert "lost connection to pod" in outcome.stderr
    assert f"credentials saved for admin {HERE}" in outcome.stdout
    assert f"export DAYFLY_URL={HERE}" in outcome.stdout
    assert "s3cret" not in outcome.stdout + outcome.stderr
    dayfly("list", "-g", HERE)
    assert platform.requests[-1].headers["authorization"] == "Basic YWRtaW46czNjcmV0"


@pytest.mark.usefixtures("cluster")
def test_in_a_cluster_that_shows_no_password_one_is_given(dayfly: Run, platform: Any) -> None:
    outcome = dayfly("login", "--kubernetes", "--context", "denied")
    assert outcome.exit_code == 64
    assert "may not read the Secret dayfly-admin" in outcome.stderr
    outcome = dayfly("login", "--kubernetes", "--context", "denied", "--token-stdin", stdin="t0ken\n")
    assert f"export DAYFLY_URL={HERE}" in outcome.stdout
    assert platform.requests[-1].headers["authorization"] == "Basic dG9rZW46dDBrZW4="


def test_in_a_cluster_what_cannot_be_is_told(dayfly: Run, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = dayfly("login", "--kubernetes", "--context", "away")
    assert outcome.exit_code == 78
    assert "unable to listen" in outcome.stderr
    cluster("HTTPS")
    outcome = dayfly("login", "--kubernetes")
    assert outcome.exit_code == 69
    assert "dayfly login --gateway https://HOST" in outcome.stderr
    monkeypatch.setenv("PATH", "/nowhere")
    assert "no kubectl on the PATH" in dayfly("login", "--kubernetes").stderr
