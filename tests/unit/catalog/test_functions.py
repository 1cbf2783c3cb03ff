"""Each function of the store, called with what people send it."""

import http.server
import io
import threading
import uuid
from collections.abc import Iterator

import pytest
from tests.unit.catalog.calling import data, function, header, text


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A web server on this machine."""

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 200 if self.path == "/page" else 404
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<p>page</p>" if status == 200 else b"none")

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def png(width: int = 40, height: int = 20, colour: str = "#ff0000") -> bytes:
    image = pytest.importorskip("PIL.Image")
    out = io.BytesIO()
    image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


def test_nodeinfo_tells_more_when_asked() -> None:
    call = function("nodeinfo")
    brief, verbose = text(call()), text(call("verbose"))
    assert "Hostname: " in brief
    assert "MemTotal" not in brief
    assert "MemTotal" in verbose


def test_figlet_draws_letters_and_wraps_long_lines() -> None:
    call = function("figlet")
    assert text(call("Hi")).splitlines()[:5] == ["#   # ###", "#   #  #", "#####  #", "#   #  #", "#   # ###"]
    assert max(map(len, text(call("x" * 200)).splitlines())) <= 80
    assert text(call("\u4e2d")).startswith("#####"), "what there is no letter for is a box"


def test_a_cow_says_what_it_is_told() -> None:
    said = text(function("cows")("All animals are equal, but some scale better than others"))
    assert said.splitlines()[1].startswith("| All animals are equal")
    assert text(function("cows")()) != ""


@pytest.mark.parametrize(("body", "headers"), [("10ms", {}), ("", {"X_Sleep": "0.01s"}), (" 0.01 ", {})])
def test_sleep_takes_its_time_from_the_body_or_a_header(body: str, headers: dict[str, str]) -> None:
    assert text(function("sleep")(body, **headers)) == "Slept for 0.01s\n"


def test_sleep_refuses_what_is_no_time() -> None:
    assert function("sleep")("a while").status == 400


def test_printer_logs_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert text(function("printer")("the body", path="/hook", query="a=1&a=2", X_Kind="push")) == "OK\n"
    printed = capsys.readouterr().out
    assert printed.startswith("POST /hook?a=1&a=2\nX-Kind: push\n")
    assert printed.endswith("the body\n")


def test_curl_hands_on_status_and_body(site: str) -> None:
    call = function("curl")
    found = call(f"{site}/page")
    assert (found.status, text(found), found.content_type) == (200, "<p>page</p>", b"text/html")
    assert call(f"{site}/nowhere").status == 404
    assert call("file:///etc/passwd").status == 400
    assert call("http://127.0.0.1:1/").status == 502


def test_certinfo_trusts_no_certificate_that_nobody_vouches_for(site: str) -> None:
    call = function("certinfo")
    assert call("").status == 400
    assert call(site.removeprefix("http://")).status == 502


def test_markdown_becomes_html_and_raw_html_stays_text() -> None:
    pytest.importorskip("markdown_it")
    html = function("markdown")("# Hi\n\n<script>no</script>\n\n| a |\n|---|\n| b |\n")
    assert "<h1>Hi</h1>" in text(html)
    assert "<script>" not in text(html)
    assert "<table>" in text(html)


def test_a_qr_code_is_a_picture() -> None:
    pytest.importorskip("segno")
    call = function("qrcode")
    made = call("https://example.com/").body
    assert isinstance(made, bytes)
    assert made.startswith(b"\x89PNG")
    assert b"<svg" in text(call("x", query="format=svg")).encode()
    assert call("x", query="scale=900").status == 400
    assert call("x" * 5000).status == 413


def test_sentiment_knows_friendly_from_not() -> None:
    call = function("sentimentanalysis")
    good, bad, turned = (
        data(call(each)) for each in ("I love it. Really great!", "An awful mess.", "This is not good.")
    )
    assert good["polarity"] > 0.5 > 0 > bad["polarity"]
    assert turned["polarity"] < 0
    assert good["sentence_count"] == 2
    assert data(call("")) == {"polarity": 0.0, "subjectivity": 0.0, "sentence_count": 0}


def test_a_thumbnail_is_smaller_and_keeps_its_shape() -> None:
    image = pytest.importorskip("PIL.Image")
    call = function("thumbnail")
    made = call(png(400, 200), query="width=100&format=png")
    assert isinstance(made.body, bytes)
    assert image.open(io.BytesIO(made.body)).size == (100, 50)
    refused = call(b"no image")
    assert refused.status == 415
    assert isinstance(refused.body, bytes)
    assert b"object at" not in refused.body
    assert call(png(), query="width=0").status == 400


def test_a_meme_has_text_above_and_below() -> None:
    image = pytest.importorskip("PIL.Image")
    made = function("mememachine")('{"top": "creating a meme", "bottom": "using functions"}')
    assert isinstance(made.body, bytes)
    meme = image.open(io.BytesIO(made.body))
    assert (meme.format, meme.size) == ("JPEG", (800, 600))
    shades = [meme.crop(box).convert("L").getextrema()[1] for box in ((0, 0, 800, 120), (0, 480, 800, 600))]
    assert min(shades) > 240, "white letters"
    assert meme.crop((0, 200, 800, 400)).convert("L").getextrema()[1] < 200


@pytest.mark.parametrize(
    "body", ["no json", "[]", '{"image": "file:///etc/passwd"}', '{"image": "http://127.0.0.1:1/"}']
)
def test_a_meme_of_what_cannot_be_had_is_refused(body: str) -> None:
    pytest.importorskip("PIL")
    assert function("mememachine")(body).status == 400


def test_chaos_answers_as_it_was_told() -> None:
    call = function("chaos")
    assert call().status == 200
    assert call('{"status": 503, "delay": "1ms", "body": "no"}', path="/set").status == 202
    assert (call().status, text(call())) == (503, "no")
    assert call('{"status": 99}', path="/set").status == 400
    assert call("{", path="/set").status == 400


def test_hey_counts_what_came_back(site: str) -> None:
    call = function("hey")
    told = data(call(f'{{"url": "{site}/page", "calls": 20, "workers": 4}}'))
    assert (told["calls"], told["statuses"]) == (20, {"200": 20})
    assert told["milliseconds"]["p50"] > 0
    assert data(call(f'{{"url": "{site}/none", "calls": 2, "workers": 1}}'))["statuses"] == {"404": 2}
    assert call('{"url": "http://x/", "calls": 1000000}').status == 400
    assert call("ftp://x/").status == 400


def test_the_palette_is_ordered_by_share() -> None:
    colours = data(function("palette")(png(), query="colours=4"))
    assert colours[0] == {"colour": "#ff0000", "share": 1.0}
    refused = function("palette")(b"no image")
    assert refused.status == 415
    assert isinstance(refused.body, bytes)
    assert b"object at" not in refused.body


def test_text_is_counted() -> None:
    told = data(function("textstats")("One two three. Four!\n\nFive six seven eight."))
    assert (told["words"], told["sentences"], told["paragraphs"]) == (8, 3, 2)
    assert data(function("textstats")(""))["words"] == 0


def test_the_redirector_sends_on_and_never_splits_a_header() -> None:
    call = function("redirector")
    sent = call("https://example.com/")
    assert (sent.status, header(sent, "location")) == (302, "https://example.com/")
    assert call("https://example.com/\r\nSet-Cookie: a=b").status == 400
    assert call().status == 400


def test_a_name_always_has_the_same_picture() -> None:
    call = function("identicon")
    assert call("ada") == call("ada") != call("bob")
    assert text(call("ada")).startswith("<svg")


def test_csv_becomes_objects() -> None:
    call = function("csv2json")
    assert data(call("a;b\n1;2\n")) == [{"a": "1", "b": "2"}]
    assert data(call("a\n1\n")) == [{"a": "1"}]
    assert call(b"\xff\xfe\x00").status == 415


def test_a_diff_shows_what_changed() -> None:
    call = function("diff")
    assert text(call('{"before": "a\\nb", "after": "a\\nc"}')).splitlines()[-2:] == ["-b", "+c"]
    assert text(call('{"before": "a", "after": "a"}')) == ""
    assert call('{"before": 1}').status == 400


def test_a_token_is_read_and_never_said_to_be_true() -> None:
    call = function("jwt")
    told = data(call("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkYXlmbHkiLCJpYXQiOjE3MDAwMDAwMDB9.x"))
    assert told["claims"]["sub"] == "dayfly"
    assert told["times"] == {"iat": "2023-11-14T22:13:20+00:00"}
    assert told["verified"] is False
    assert call("no token").status == 400


def test_identifiers_are_uuids_of_the_version_asked_for() -> None:
    made = [uuid.UUID(line) for line in text(function("uuid")(query="count=3&version=7")).splitlines()]
    assert [each.version for each in made] == [7, 7, 7]
    assert {each.variant for each in made} == {uuid.RFC_4122}
    assert uuid.UUID(text(function("uuid")()).strip()).version == 4
    assert function("uuid")(query="count=0").status == 400
