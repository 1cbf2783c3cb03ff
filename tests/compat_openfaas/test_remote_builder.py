"""`faas-cli up --publish --remote-builder`: sources are sent, built without a container engine, and deployed."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.compat_openfaas.wire import Wire
from tests.system.driver import Platform, eventually
from tests.unit.build.sources import archive, context, seal, signature

NDJSON = {"Content-Type": "application/octet-stream", "Accept": "application/x-ndjson"}
PYTHON = "def handle(event, context):\n    return {'statusCode': 200, 'body': 'built ' + event.body.decode()}\n"
FLASK = "def handle(req):\n    return 'flask ' + req\n"
SCRIPT = "printf 'bash '; cat\n"


@pytest.fixture(scope="module")
def secret(openfaas: Platform) -> str:
    """What an author has in the file that `--payload-secret` names."""
    return openfaas.ok("builder", "secret").strip()


def build(wire: Wire, secret: str, data: bytes) -> list[dict[str, Any]]:
    """Send sources and return the lines of the answer."""
    answer = wire.send("POST", "/build", data, headers={**NDJSON, "X-Build-Signature": signature(data, secret)})
    assert answer.status in (200, 202), answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize(
    ("language", "files", "process", "answer"),
    [
        ("python3-http", {"handler.py": PYTHON, "requirements.txt": ""}, "python index.py", "built x"),
        ("python3-flask", {"handler.py": FLASK, "requirements.txt": ""}, "python index.py", "flask x"),
        ("bash-streaming", {"handler.sh": SCRIPT}, "bash ./function/handler.sh", "bash x"),
    ],
)
def test_the_stock_client_builds_and_deploys_without_docker(
    wire: Wire, secret: str, language: str, files: dict[str, str], process: str, answer: str
) -> None:
    """Behaviour 52: a signed tar is built, NDJSON tells how it goes, and the image's name can be deployed then."""
    name, image = f"built-{language}", f"registry.invalid/team/{language}:1"
    wish = {"image": image, "buildArgs": {"ADDITIONAL_PACKAGE": ""}, "platforms": ["linux/amd64"]}
    told = build(wire, secret, archive(context(language, files), wish))
    assert all(isinstance(line["log"], list) and line["status"] == "in_progress" for line in told[:-1])
    assert (told[-1]["status"], told[-1]["image"]) == ("success", image)
    deployed = {"service": name, "image": image, "envProcess": process, "network": "", "registryAuth": ""}
    assert wire.send("PUT", "/system/functions", deployed).status == 404
    assert wire.send("POST", "/system/functions", deployed).status == 202
    assert wire.function(name)["image"] == image
    eventually("the function answers", lambda: wire.call(name, b"x").text.strip() == answer)


def test_what_the_client_cannot_have_built_it_is_told(wire: Wire, secret: str) -> None:
    """Behaviour 52: a wrong signature is a status, anything else a line that says failed and why."""
    data = archive({"Dockerfile": b"FROM scratch\n"}, {"image": "team/df:1"})
    told = build(wire, secret, data)
    assert [line["status"] for line in told] == ["failed"]
    assert "Dockerfile" in told[0]["error"]
    headers = {**NDJSON, "X-Build-Signature": signature(data, "wrong")}
    assert wire.send("POST", "/build", data, headers=headers).status == 401


def test_secrets_of_a_build_are_sealed_for_the_key_that_is_told(wire: Wire, secret: str) -> None:
    """Behaviour 52: GET /publickey gives a key of 32 bytes, by which sealed secrets are taken."""
    key = wire.send("GET", "/publickey", headers={})
    assert key.status == 200
    told = json.loads(key.text)
    assert (told["algorithm"], told["key_id"]) == ("nacl/box", told["public_key"][:8])
    sealed = seal(told["public_key"], {"pip": b"hush"})
    files = context("python3-http", {"handler.py": PYTHON})
    assert build(wire, secret, archive(files, {"image": "team/sealed:1"}, sealed))[-1]["status"] == "success"


STACK = """\
provider: {name: openfaas}
functions:
  our-flask: {lang: python3-http, handler: ./our-flask, image: 'registry.invalid/team/our-flask:1'}
  our-bash: {lang: bash-streaming, handler: ./our-bash, image: 'registry.invalid/team/our-bash:1'}
"""


def test_our_client_has_it_built_and_deploys_as_the_stock_client_does(
    openfaas: Platform, wire: Wire, secret: str, tmp_path: Path
) -> None:
    """Behaviour 52: from the other side, by the same protocol, and a build that fails is not deployed."""
    for name, file, content in (("our-flask", "handler.py", PYTHON), ("our-bash", "handler.sh", SCRIPT)):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(content)
    (tmp_path / "stack.yaml").write_text(STACK)
    (tmp_path / "payload-secret").write_text(secret)
    (tmp_path / "wrong").write_text("wrong")
    url = openfaas.status()["gateway_url"]
    remote = ("--remote-builder", url, "--payload-secret", "payload-secret")
    told = openfaas.ok("up", "--publish", *remote, cwd=tmp_path)
    assert "A function of the template bash-streaming" in told
    for name, answer in (("our-flask", "built x"), ("our-bash", "bash x")):
        assert wire.function(name)["image"] == f"registry.invalid/team/{name}:1"
        assert wire.call(name, b"x").text.strip() == answer
    (tmp_path / "our-flask" / "handler.py").write_text(PYTHON.replace("built", "again"))
    openfaas.ok("publish", "our-flask", *remote, cwd=tmp_path)
    openfaas.ok("deploy", "our-flask", "--by-image", cwd=tmp_path)
    assert wire.call("our-flask", b"x").text == "again x"
    refused = openfaas.run("publish", "our-flask", *remote[:2], "--payload-secret", "wrong", cwd=tmp_path)
    assert refused.code == 77
    assert "dayfly builder secret" in refused.err
    (tmp_path / "our-flask" / "requirements.txt").write_text("no-such-package-of-anybody==1\n")
    failed = openfaas.run("up", "our-flask", "--publish", *remote, cwd=tmp_path)
    assert failed.code == 65, failed.err
    assert "no-such-package-of-anybody" in failed.err
    assert wire.call("our-flask", b"x").text == "again x"
