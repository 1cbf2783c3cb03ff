"""Request lines: methods, targets in other forms, versions, and what comes before and between the words."""

from tests.hostile.corpus.case import PATH, POISON, Case, refused, served
from tests.hostile.corpus.lengths import TREQS

GARDEN = "Kallus, Anantharaman, Locasto, Smith: The HTTP Garden, 2024"
LINE = "RFC 9112 3"
FORMS = "RFC 9112 3.2"
_REST = b"\r\nHost: h\r\n\r\n"


def _line(name: str, line: bytes, source: str = LINE, status: int = 400) -> Case:
    return refused(name, source, line + _REST, status)


CASES = [
    _line("absolute-form", b"GET http://h" + PATH + b" HTTP/1.1", f"{FORMS}.2; Host and target may disagree"),
    _line("absolute-form-other-host", b"GET http://evil" + PATH + b" HTTP/1.1", "Kettle: Cracking the Lens, 2017"),
    _line("absolute-form-user", b"GET http://evil@h" + PATH + b" HTTP/1.1", "Kettle: Cracking the Lens, 2017"),
    _line("at-form", b"GET @evil" + PATH + b" HTTP/1.1", "Kettle: Cracking the Lens, 2017"),
    _line("authority-form", b"GET h:80 HTTP/1.1", f"{FORMS}.3"),
    _line("asterisk-form", b"OPTIONS * HTTP/1.1", f"{FORMS}.4"),
    _line("asterisk-with-get", b"GET * HTTP/1.1", f"{FORMS}.4"),
    _line("connect", b"CONNECT h:443 HTTP/1.1", "RFC 9110 9.3.6; no forward proxy"),
    _line("connect-with-a-path", b"CONNECT " + PATH + b" HTTP/1.1", "RFC 9110 9.3.6"),
    _line("relative-target", b"GET function/canary HTTP/1.1", FORMS),
    _line("empty-target", b"GET  HTTP/1.1", FORMS),
    _line("target-with-fragment", b"GET " + PATH + b"#/x HTTP/1.1", f"{FORMS}; {GARDEN}"),
    _line("target-with-blank", b"GET " + PATH + b" x HTTP/1.1", LINE),
    _line("target-with-tab", b"GET " + PATH + b"\tx HTTP/1.1", LINE),
    _line("target-with-nul", b"GET " + PATH + b"\x00 HTTP/1.1", TREQS),
    _line("target-with-delete", b"GET " + PATH + b"\x7f HTTP/1.1", TREQS),
    _line("target-with-utf8", b"GET " + PATH + b"/\xc3\xa4 HTTP/1.1", "RFC 3986 2"),
    _line("target-with-cr", b"GET " + PATH + b"\r HTTP/1.1", "RFC 9112 2.2"),
    _line("target-with-lf", b"GET " + PATH + b"\n HTTP/1.1", "CVE-2023-25690 (Apache), splitting"),
    _line("name-with-encoded-slash", b"GET /function/canary%2fx HTTP/1.1", "Orange Tsai: Breaking Parser Logic, 2018"),
    _line(
        "name-with-encoded-dots", b"GET /function/%2e%2e/system HTTP/1.1", "Orange Tsai: Breaking Parser Logic, 2018"
    ),
    _line("name-with-dots", b"GET /function/../system/functions HTTP/1.1", "Orange Tsai: Breaking Parser Logic, 2018"),
    _line("name-with-parameter", b"GET /function/canary;x HTTP/1.1", "Orange Tsai: Breaking Parser Logic, 2018"),
    _line("name-with-backslash", b"GET /function/canary\\x HTTP/1.1", "Orange Tsai: Breaking Parser Logic, 2018"),
    _line("name-with-encoded-nul", b"GET /function/canary%00 HTTP/1.1", "Orange Tsai: Breaking Parser Logic, 2018"),
    _line("name-encoded-twice", b"GET /function/canary%252fx HTTP/1.1", "Orange Tsai: Breaking Parser Logic, 2018"),
    _line("name-after-two-slashes", b"GET /function//canary HTTP/1.1", "Orange Tsai: Breaking Parser Logic, 2018"),
    _line("two-blanks", b"GET  " + PATH + b" HTTP/1.1", LINE),
    _line("two-blanks-before-version", b"GET " + PATH + b"  HTTP/1.1", LINE),
    _line("blank-after-version", b"GET " + PATH + b" HTTP/1.1 ", LINE),
    _line("blank-before-method", b" GET " + PATH + b" HTTP/1.1", LINE),
    _line("tab-for-blank", b"GET\t" + PATH + b"\tHTTP/1.1", f"{LINE}; {GARDEN}"),
    _line("vertical-tab-for-blank", b"GET\x0b" + PATH + b"\x0bHTTP/1.1", f"{LINE}; {GARDEN}"),
    _line("form-feed-for-blank", b"GET\x0c" + PATH + b"\x0cHTTP/1.1", f"{LINE}; {GARDEN}"),
    _line("method-lower-case", b"get " + PATH + b" HTTP/1.1", "RFC 9110 9.1"),
    _line("method-with-digit", b"GET1 " + PATH + b" HTTP/1.1", TREQS),
    _line("method-unknown", b"GPOST " + PATH + b" HTTP/1.1", "Kettle: HTTP Desync Attacks, 2019"),
    _line("method-with-nul", b"G\x00ET " + PATH + b" HTTP/1.1", TREQS),
    _line("method-utf8", b"G\xc3\x84T " + PATH + b" HTTP/1.1", TREQS),
    _line("method-empty", PATH + b" HTTP/1.1", LINE),
    _line("method-of-rtsp", b"DESCRIBE " + PATH + b" RTSP/1.0", "llhttp speaks RTSP too"),
    _line("http-2-preface", b"PRI * HTTP/2.0", "RFC 9113 3.4", 505),
    _line("version-0-9", b"GET " + PATH + b" HTTP/0.9", "RFC 1945 3.1", 505),
    _line("version-1-2", b"GET " + PATH + b" HTTP/1.2", "RFC 9110 2.5", 505),
    _line("version-2-0", b"POST " + PATH + b" HTTP/2.0", "Kettle: HTTP/2: The Sequel is Always Worse, 2021", 505),
    _line("version-9-9", b"GET " + PATH + b" HTTP/9.9", "RFC 9112 2.3", 505),
    _line("version-1-10", b"GET " + PATH + b" HTTP/1.10", "RFC 9112 2.3"),
    _line("version-01-1", b"GET " + PATH + b" HTTP/01.1", "RFC 9112 2.3"),
    _line("version-1", b"GET " + PATH + b" HTTP/1", "RFC 9112 2.3"),
    _line("version-1-1-letter", b"GET " + PATH + b" HTTP/1.1x", "RFC 9112 2.3"),
    _line("version-plus", b"GET " + PATH + b" HTTP/+1.1", TREQS),
    _line("version-lower-case", b"GET " + PATH + b" http/1.1", "RFC 9112 2.3"),
    _line("version-blank-inside", b"GET " + PATH + b" HTTP/ 1.1", TREQS),
    _line("version-other-protocol", b"GET " + PATH + b" ICE/1.0", "llhttp speaks ICE too"),
    _line("version-missing", b"GET " + PATH, "Linhart 2005; HTTP/0.9"),
    refused("simple-request", "RFC 1945 4.1, HTTP/0.9", b"GET " + PATH + b"\r\n"),
    refused("simple-request-lf", "RFC 1945 4.1, HTTP/0.9", b"GET " + PATH + b"\n"),
    refused("lines-end-with-lf", "RFC 9112 2.2", b"GET " + PATH + b" HTTP/1.1\nHost: h\n\n"),
    refused("line-ends-with-lf", "RFC 9112 2.2", b"GET " + PATH + b" HTTP/1.1\nHost: h\r\n\r\n"),
    refused("line-ends-with-cr", "RFC 9112 2.2", b"GET " + PATH + b" HTTP/1.1\rHost: h\r\n\r\n"),
    refused("line-ends-with-cr-cr-lf", "RFC 9112 2.2", b"GET " + PATH + b" HTTP/1.1\r\r\nHost: h\r\n\r\n"),
    refused("head-ends-with-lf-lf", "RFC 9112 2.2", b"GET " + PATH + b" HTTP/1.1\r\nHost: h\n\n" + POISON),
    refused("head-ends-with-cr-lf-lf", "RFC 9112 2.2", b"GET " + PATH + b" HTTP/1.1\r\nHost: h\r\n\n" + POISON),
    refused("head-ends-with-cr-cr", "RFC 9112 2.2", b"GET " + PATH + b" HTTP/1.1\r\nHost: h\r\r" + POISON),
    refused("two-empty-lines-first", "RFC 9112 2.2 lets one pass", b"\r\n\r\n" + POISON),
    refused("lf-first", "RFC 9112 2.2", b"\n" + POISON),
    refused("cr-first", "RFC 9112 2.2", b"\r" + POISON),
    refused("nul-first", TREQS, b"\x00" + POISON),
    refused("byte-order-mark-first", GARDEN, b"\xef\xbb\xbf" + POISON),
    refused("tls-hello", "a client that speaks TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    refused("ssh-banner", "a client of another protocol", b"SSH-2.0-client\r\n"),
    refused("proxy-protocol", "HAProxy PROXY protocol v1", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + POISON),
    refused("target-too-long", "RFC 9110 15.5.15", b"GET " + PATH + b"/" + b"a" * 9000 + b" HTTP/1.1" + _REST, 414),
    refused("line-endless", "RFC 9112 3", b"GET /" + b"a" * 40_000, 414),
    served("empty-line-first", "RFC 9112 2.2 allows it", b"\r\nGET " + PATH + b" HTTP/1.1" + _REST),
    served("target-with-encoded-bytes", "RFC 3986 2.1", b"GET " + PATH + b"/%00%0d%0a%2f?a=%20 HTTP/1.1" + _REST),
    served(
        "path-with-dots-of-the-functions-own", "the tail is the function's", b"GET " + PATH + b"/../x HTTP/1.1" + _REST
    ),
    served("version-1-0", "RFC 9112 9.3", b"GET " + PATH + b" HTTP/1.0" + _REST, closed=True),
]
