"""The walk-through of OpenFaaS that a widely read book has, as written there, `faas-cli` read as `dayfly`.

One platform, one reader: the steps are one test, because each stands on what the one before it left.
"""

import json
import tarfile
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.compat_openfaas.wire import PASSWORD, Answer, Wire
from tests.contract.registry.real import RealRegistry, why_none
from tests.system.conftest import end
from tests.system.driver import Platform, eventually
from tests.system.prometheus import PROMETHEUS, needs, running
from tests.unit.client.image.making import python_base

from dayfly.client.image_tag import digest_of

HANDLER = '''\
def handle(req):
    """handle a request to the function
    Args:
        req (str): request body
    """

    return req
'''
"""What `new --lang python` made in the book's days."""
STACK = """\
provider:
  name: faas
  gateway: http://localhost:8080

functions:
  hello:
    lang: python
    handler: ./hello
    image: {image}
"""
MEME = {"top": "CREATING A MEME", "bottom": "USING OPENFAAS"}


@pytest.fixture(scope="module")
def reader() -> Iterator[Platform]:
    """A platform and somebody in a folder of their own, logged in as the book's readers were not."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        platform = Platform(folder / "data", {"DAYFLY_ADMIN_PASSWORD": PASSWORD, "HOME": name})
        try:
            platform.start()
            yield platform
        finally:
            end(platform)


def test_the_book_can_be_followed(reader: Platform, tmp_path: Path) -> None:
    url = reader.status()["gateway_url"]

    def dayfly(*args: str, stdin: str = "") -> str:
        return reader.ok(*args, stdin=stdin, cwd=tmp_path)

    assert "CLI:" in dayfly("version", "--gateway", url)
    assert "Function created in folder: hello" in dayfly("new", "--lang", "python", "hello")
    assert (tmp_path / "hello/handler.py").is_file()
    (tmp_path / "hello/handler.py").write_text(HANDLER)
    (tmp_path / "stack.yaml").unlink()
    (tmp_path / "hello.yml").write_text(STACK.format(image="reader/hello"))

    python_base(tmp_path / "base")
    told = dayfly("build", "-f", "hello.yml", "--base", "base", "--output", "images.tar")
    assert "Image: reader/hello:latest built." in told
    assert "docker.io/reader/hello:latest" in listed(tmp_path / "images.tar")

    told = dayfly("deploy", "-f", "hello.yml", "--gateway", url)
    assert f"URL: {url}/function/hello" in told
    assert dayfly("invoke", "hello", "--gateway", url, stdin="test\n") == "test\n"
    name, invocations, replicas, *_ = dayfly("list", "--gateway", url).splitlines()[1].split()
    assert (name, invocations, replicas) == ("hello", "1", "1")
    for text in ("one", "two"):
        assert dayfly("invoke", "hello", "--gateway", url, stdin=text) == text

    dayfly("store", "deploy", "mememachine", "--gateway", url)
    answer = post(url, json.dumps(MEME))
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.body.startswith(b"\xff\xd8\xff"), "an image file comes"


@pytest.mark.skipif(bool(why_none()), reason=why_none())
def test_an_image_is_built_pushed_and_seen(reader: Platform, tmp_path: Path) -> None:
    """`build`, `push` and `deploy` one by one, and `up`, which is all three."""
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello/handler.py").write_text(HANDLER)
    python_base(tmp_path / "base")
    registry = RealRegistry()
    try:
        (tmp_path / "hello.yml").write_text(STACK.format(image=f"{registry.host}/reader/hello"))
        reader.ok("build", "-f", "hello.yml", "--base", "base", cwd=tmp_path)
        told = reader.ok("push", "-f", "hello.yml", cwd=tmp_path)
        assert f"[0] < Pushing hello [{registry.host}/reader/hello:latest] done." in told
        assert tags(registry) == ["latest"]
        url = reader.status()["gateway_url"]
        told = reader.ok("up", "-f", "hello.yml", "--base", "base", "--tag", "digest", "-g", url, cwd=tmp_path)
        assert f"URL: {url}/function/hello" in told
        assert tags(registry) == sorted(["latest", digest_of(tmp_path / "hello")])
        assert (
            reader.describe("hello")["spec"]["image"] == f"{registry.host}/reader/hello:{digest_of(tmp_path / 'hello')}"
        )
    finally:
        registry.close()


def test_what_went_wrong_is_told(reader: Platform) -> None:
    """In the book an image that is too large makes the function fail."""
    url = reader.status()["gateway_url"]
    reader.ok("store", "deploy", "mememachine")
    assert post(url, json.dumps({"image": "data:image/png;base64,AAAA"})).status == 400
    done = reader.run("invoke", "mememachine", "--gateway", url, stdin="no meme")
    assert (done.code, "Server returned unexpected status code: 400" in done.err) == (1, True)


@needs(PROMETHEUS)
def test_prometheus_shows_what_became_of_the_calls(reader: Platform, tmp_path: Path) -> None:
    reader.ok("store", "deploy", "mememachine")
    for body, status in ((json.dumps(MEME), 200), ("no meme", 400)):
        assert post(reader.status()["gateway_url"], body).status == status
    token = tmp_path / "token"
    token.write_text(reader.ok("token", "create", "--all-namespaces", "--role", "view").strip())
    target = urllib.parse.urlsplit(reader.status()["metrics_url"]).netloc
    (tmp_path / "prometheus.yml").write_text(
        f"""\
scrape_configs:
  - job_name: dayfly
    scrape_interval: 1s
    authorization: {{credentials_file: {token}}}
    static_configs: [{{targets: ["{target}"]}}]
"""
    )
    with running(PROMETHEUS, tmp_path) as server:
        address = server.url

        def by_code() -> dict[str, str]:
            query = urllib.parse.urlencode({"query": "gateway_function_invocation_total"})
            with urllib.request.urlopen(f"{address}/api/v1/query?{query}", timeout=60) as answer:
                found = json.load(answer)["data"]["result"]
            return {
                one["metric"]["code"]: one["value"][1]
                for one in found
                if one["metric"]["function_name"] == "mememachine.openfaas-fn"
            }

        eventually("the calls are there, by function and status", lambda: by_code().keys() == {"200", "400"})


def tags(real: RealRegistry) -> list[str]:
    """What the registry says there is of the image."""
    with urllib.request.urlopen(f"http://{real.host}/v2/reader/hello/tags/list", timeout=60) as answer:
        return sorted(tag for tag in json.load(answer)["tags"] if not tag.startswith("sha256-"))


def listed(archive: Path) -> str:
    """The list of the images in an archive."""
    with tarfile.open(archive) as opened:
        index = opened.extractfile("index.json")
        assert index is not None
        return index.read().decode()


def post(url: str, body: str) -> Answer:
    """What the page's button Invoke sends."""
    return Wire(url, "").send("POST", "/function/mememachine", body.encode(), headers={})
