"""Every example is deployed as it is and called as its README says."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.system.driver import EXAMPLES, Platform, eventually

from dayfly.client.building import is_there
from dayfly.client.stack import load_stack

NAMES = sorted(folder.name for folder in EXAMPLES.iterdir() if folder.is_dir() and folder.name != "triggers")
"""Those of triggers are tested with the servers that they need, in test_trigger_examples.py."""
STACK = EXAMPLES / "stack.yaml"
MISSING = {one.spec.name: one.template.needs for one in load_stack(STACK).functions() if not is_there(one.template)}
"""The examples in languages that this machine lacks, and what they need."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def examples(shared_platform: Platform) -> Platform:
    done = shared_platform.run("deploy", "-f", str(STACK), "--skip-missing")
    assert done.code == 0, done.err
    assert [line for line in done.err.splitlines() if "is left out" in line] == [
        f"{name} is left out: it needs {needs}." for name, needs in sorted(MISSING.items())
    ]
    return shared_platform


def needs(name: str) -> pytest.MarkDecorator:
    """Leave out the test of an example whose language is not here."""
    return pytest.mark.skipif(name in MISSING, reason=f"left out: {name}, which needs {MISSING.get(name)}")


def test_the_stack_names_every_folder(examples: Platform) -> None:
    assert sorted({*examples.ok("list", "--output", "name").split(), *MISSING}) == NAMES


def test_the_readme_tells_how_to_call_every_one() -> None:
    text = (EXAMPLES / "README.md").read_text()
    assert [name for name in NAMES if f"/function/{name}" not in text] == []


def test_slugify(examples: Platform) -> None:
    reply = examples.ask("POST", "/function/slugify", "Crème brûlée, twice".encode())
    assert reply.json()["slug"] == "creme-brulee-twice"
    assert reply.json()["words"] == 3


def test_todo(examples: Platform) -> None:
    created = examples.ask("POST", "/function/todo/items", b'{"text": "buy milk"}')
    assert created.status == 201
    path = f"/function/todo/{created.headers['location']}"
    assert examples.ask("PUT", path).json()["done"] is True
    assert examples.ask("GET", path).json() == {"number": created.json()["number"], "text": "buy milk", "done": True}
    assert examples.ask("DELETE", path).status == 204
    assert examples.ask("GET", path).status == 404
    assert examples.ask("POST", "/function/todo/items", b"nonsense").status == 400


def test_thumbnail(examples: Platform) -> None:
    reply = examples.ask("POST", "/function/thumbnail?width=64", png(640, 480))
    assert reply.status == 200
    assert reply.headers["content-type"] == "image/webp"
    assert (reply.body[:4], reply.body[8:12]) == (b"RIFF", b"WEBP")
    assert examples.ask("POST", "/function/thumbnail", b"no image").status == 415


def test_sales_report(examples: Platform) -> None:
    csv = (EXAMPLES / "sales-report" / "sales.csv").read_bytes()
    report = examples.ask("POST", "/function/sales-report", csv).json()
    assert report["revenue"] == 201.75
    assert list(report["by_product"]) == ["coffee", "tea", "cocoa"]
    assert report["by_month"] == {"2026-01": 81.0, "2026-02": 120.75}


def test_countdown_comes_piece_by_piece(examples: Platform) -> None:
    connection = examples.connect()
    connection.request("GET", "/function/countdown?from=3")
    assert connection.getresponse().read() == b"3\n2\n1\nlift-off\n"
    eventually("the call is counted", lambda: examples.describe("countdown")["invocations"])
    calls = examples.describe("countdown")["invocations"]
    connection.request("GET", "/function/countdown?from=100")
    assert connection.getresponse().readline() == b"100\n"
    assert examples.describe("countdown")["invocations"] == calls, "it is at it for twenty seconds more"
    connection.close()


def test_bookshop(examples: Platform) -> None:
    assert examples.ask("GET", "/function/bookshop/books/1984").json()["author"] == "George Orwell"
    assert examples.ask("GET", "/function/bookshop/books/nothing").status == 404
    book = json.dumps({"title": "T", "author": "A", "price": "much"}).encode()
    json_type = {"Content-Type": "application/json"}
    assert examples.ask("PUT", "/function/bookshop/books/t", book, headers=json_type).status == 422


def test_loan(examples: Platform) -> None:
    wish = {"principal": 200000, "rate_percent": 3.5, "years": 25}
    reply = examples.ask("POST", "/function/loan", json.dumps(wish).encode())
    assert reply.json() == {"monthly": 1001.25, "payments": 300, "interest": 100374.14}
    assert examples.ask("POST", "/function/loan", b'{"principal": "much"}').status in (400, 422)


@pytest.mark.parametrize(
    ("name", "method", "path", "query", "body"),
    [
        ("slugify", "POST", "", "", "Crème brûlée, twice"),
        ("countdown", "GET", "", "from=2", ""),
        ("bookshop", "GET", "books/1984", "", ""),
        ("loan", "POST", "", "", '{"principal": 200000, "rate_percent": 3.5, "years": 25}'),
    ],
)
def test_run_answers_as_the_platform_does(
    examples: Platform, tmp_path: Path,
    name: str, method: str, path: str, query: str, body: str,
) -> None:  # fmt: skip
    where = f"/function/{name}" + (f"/{path}" if path else "") + (f"?{query}" if query else "")
    reply = examples.ask(method, where, body.encode())
    asked = ["--query", query] if query else []
    once = Platform(examples.data_dir, {"XDG_CACHE_HOME": str(tmp_path)})
    done = once.run("run", name, "-m", method, "--path", path, *asked, "--status", stdin=body, cwd=EXAMPLES)
    assert (done.code, done.out) == (0, reply.body.decode()), done.err
    assert f"content-type: {reply.headers['content-type']}" in done.err.splitlines()
    if (EXAMPLES / name / "requirements.txt").is_file():
        again = once.run("run", name, "-m", method, "--path", path, "--status", stdin=body, cwd=EXAMPLES)
        assert (again.code, again.out) == (0, done.out)
        assert len(list((tmp_path / "dayfly" / "layers").glob("*/site"))) == 1


@needs("checksum")
def test_checksum(examples: Platform) -> None:
    data = b"0123456789abcdef" * 300_000
    told = examples.ask("PUT", "/function/checksum", data).json()
    assert told == {"bytes": len(data), "sum": hashlib.sha256(data).hexdigest()}
    told = examples.ask("PUT", "/function/checksum?algorithm=md5", b"abc").json()
    assert told["sum"] == "900150983cd24fb0d6963f7d28e17f72"
    assert examples.ask("PUT", "/function/checksum?algorithm=crc", b"abc").status == 400


@needs("primes")
def test_primes(examples: Platform) -> None:
    assert examples.ask("GET", "/function/primes?up-to=10").json() == {"up_to": 10, "primes": 4}
    assert examples.ask("GET", "/function/primes").json() == {"up_to": 1_000_000, "primes": 78_498}
    for wrong in ("many", "-1", "100000001"):
        assert examples.ask("GET", f"/function/primes?up-to={wrong}").status == 400


@needs("receipt")
def test_receipt(examples: Platform) -> None:
    order = {"customer": "Ada <b>", "items": [{"name": "Tea", "count": 2, "price": 3.5}]}
    reply = examples.ask("POST", "/function/receipt", json.dumps(order).encode())
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert b"Receipt for Ada &lt;b&gt;" in reply.body
    assert b"<tr><th>Total<th>7.00" in reply.body
    assert examples.ask("POST", "/function/receipt", b"[]").status == 400


@needs("top-words")
def test_top_words(examples: Platform) -> None:
    reply = examples.ask("POST", "/function/top-words", "The cat and the dog, ÜBER the bird and über all".encode())
    assert [line.split() for line in reply.body.decode().splitlines()][:3] == [
        ["3", "the"],
        ["2", "and"],
        ["2", "über"],
    ]
    assert examples.ask("POST", "/function/top-words", b"").body == b""


@needs("markdown")
def test_markdown(examples: Platform) -> None:
    reply = examples.ask("POST", "/function/markdown", b"# Hello *you*")
    assert (reply.status, reply.body) == (200, b"<h1>Hello <em>you</em></h1>\n")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert examples.ask("POST", "/function/markdown?inline", b"*you*").body == b"<em>you</em>"
    assert examples.ask("POST", "/function/markdown", b" ").status == 400


def test_the_function_that_new_writes_passes_its_own_test(scratch: Path, shared_platform: Platform) -> None:
    shared_platform.ok("new", "fresh", "--lang", "python", cwd=scratch)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(scratch / "fresh")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=scratch)
    shutil.rmtree(scratch / "fresh")
    assert done.returncode == 0, done.stdout


def png(width: int, height: int) -> bytes:
    """Return a grey image."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([row % 256]) * width for row in range(height))
    out = io.BytesIO(b"")
    out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)))
    out.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return out.getvalue()
