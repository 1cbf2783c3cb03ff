"""Header lines: names and values that some reader cuts, joins or strips, Host above all, and too many of them."""

from tests.hostile.corpus.case import PATH, POISON, Case, get, post, refused, served
from tests.hostile.corpus.lengths import TREQS

NAME, VALUE, HOST = "RFC 9112 5.1", "RFC 9110 5.5", "RFC 9112 3.2"


def _line(name: str, line: bytes, source: str, status: int = 400) -> Case:
    return refused(name, source, get(line + b"\r\n", POISON), status)


def _host(name: str, *lines: bytes, source: str = HOST) -> Case:
    head = b"GET " + PATH + b" HTTP/1.1\r\n" + b"".join(line + b"\r\n" for line in lines)
    return refused(name, source, head + b"\r\n" + POISON)


CASES = [
    _host("host-missing"),
    _host("host-twice", b"Host: h", b"Host: evil"),
    _host("host-twice-equal", b"Host: h", b"Host: h"),
    _host("host-twice-case", b"Host: h", b"hOST: evil", source="Kettle: HTTP Desync Attacks, 2019"),
    _host("host-empty", b"Host:"),
    _host("host-list", b"Host: h, evil"),
    _host("host-with-user", b"Host: a@h", source="Kettle: Cracking the Lens, 2017"),
    _host("host-with-path", b"Host: h/evil", source="Kettle: Cracking the Lens, 2017"),
    _host("host-with-query", b"Host: h?x"),
    _host("host-with-fragment", b"Host: h#x"),
    _host("host-with-blank", b"Host: h evil", source="aiohttp 3.14 accepts it"),
    _host("host-with-tab", b"Host: h\tevil"),
    _host("host-with-scheme", b"Host: http://h"),
    _host("host-port-letters", b"Host: h:80a", source="Kettle: Cracking the Lens, 2017"),
    _host("host-port-twice", b"Host: h:80:81"),
    _host("host-port-empty", b"Host: h:"),
    _host("host-port-long", b"Host: h:100000"),
    _host("host-encoded", b"Host: h%2eevil"),
    _host("host-utf8", b"Host: h\xc3\xa4"),
    _host("host-nul", b"Host: h\x00evil"),
    _host("host-open-bracket", b"Host: [::1"),
    _host("host-quoted", b'Host: "h"'),
    _host("host-backslash", b"Host: h\\evil"),
    _host("host-semicolon", b"Host: h;evil"),
    _host("host-blank-before-colon", b"Host : h", source=NAME),
    _host("host-first-line-folded", b" Host: h", source="RFC 9112 2.2"),
    _host("host-twin-only", b"Host_: h", source="CGI"),
    _line("name-empty", b": value", "CVE-2023-25725 (HAProxy), empty name"),
    _line("name-empty-length", b": 3\r\nContent-Length: 48", "CVE-2023-25725 (HAProxy), empty name"),
    _line("name-blank-after", b"X-Y : z", NAME),
    _line("name-tab-after", b"X-Y\t: z", NAME),
    _line("name-blank-inside", b"X Y: z", NAME),
    _line("name-nul", b"X\x00Y: z", TREQS),
    _line("name-control", b"X\x01Y: z", TREQS),
    _line("name-utf8", b"X\xc3\xa4: z", "RFC 9110 5.6.2"),
    _line("name-slash", b"X/Y: z", "RFC 9110 5.6.2"),
    _line("name-bracket", b"X[0]: z", "RFC 9110 5.6.2"),
    _line("name-at", b"X@Y: z", "RFC 9110 5.6.2"),
    _line("line-without-colon", b"X-Y", NAME),
    _line("line-of-blanks", b"   ", "RFC 9112 5.2"),
    _line("line-folded", b"X: y\r\n z", "RFC 9112 5.2"),
    _line("line-folded-tab", b"X: y\r\n\tz", "RFC 9112 5.2"),
    _line("line-folded-poison", b"X: y\r\n Content-Length: 48", "CVE-2025-32094 (Akamai): obs-fold"),
    _line("line-first-folded", b" X: y", "RFC 9112 2.2"),
    _line("header-line-ends-with-lf", b"X: y\nContent-Length: 48", "RFC 9112 2.2"),
    _line("header-line-ends-with-cr", b"X: y\rContent-Length: 48", "CVE-2023-30589 (llhttp)"),
    _line("line-ends-with-lf-cr", b"X: y\n\rContent-Length: 48", "RFC 9112 2.2"),
    _line("header-line-ends-with-cr-cr-lf", b"X: y\r", "RFC 9112 2.2"),
    _line("value-nul", b"X: a\x00b", VALUE),
    _line("value-escape", b"X: \x1b[2J", VALUE),
    _line("value-delete", b"X: a\x7f", VALUE),
    _line("value-vertical-tab", b"X: a\x0bb", VALUE),
    _line("value-form-feed", b"X: a\x0cb", VALUE),
    _line("value-backspace", b"X: a\x08", VALUE),
    _line("connection-names-host", b"Connection: close, Host", "Davison: hop-by-hop headers, 2019"),
    _line("connection-names-cookie", b"Connection: Cookie", "Davison: hop-by-hop headers, 2019"),
    _line("connection-names-authorization", b"Connection: Authorization", "CVE-2022-31813 (Apache)"),
    _line("upgrade-twice", b"Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: Upgrade", "RFC 9110 7.8"),
    _line("expect-twice", b"Expect: 100-continue\r\nExpect: 100-continue", "Kettle: HTTP/1.1 Must Die, 2025"),
    _line("expect-unknown", b"Expect: y 100-continue", "Kettle: HTTP/1.1 Must Die, 2025", 417),
    _line("expect-list", b"Expect: 100-continue, x", "Kettle: HTTP/1.1 Must Die, 2025", 417),
    _line("expect-newline", b"Expect:\r\n 100-continue", "CVE-2025-32094 (Akamai)"),
    _line("expect-empty", b"Expect:", "Kettle: HTTP/1.1 Must Die, 2025", 417),
    _line("too-many", b"X: y\r\n" * 120 + b"Z: z", "RFC 6585 5", 431),
    _line("too-many-names", b"".join(b"X%d: y\r\n" % n for n in range(500)) + b"Z: z", "CVE-2011-3414 class", 431),
    _line("too-long", b"X: " + b"y" * 40_000, "RFC 6585 5", 431),
    _line("too-long-name", b"X" * 40_000 + b": y", "RFC 6585 5", 431),
    refused("endless", "RFC 6585 5", b"GET " + PATH + b" HTTP/1.1\r\n" + b"X: y\r\n" * 6000, 431),
    refused("unfinished", "slow headers", b"GET " + PATH + b" HTTP/1.1\r\nHost: h\r\nX: ", 408),
    served("host-port", "RFC 9112 3.2", b"GET " + PATH + b" HTTP/1.1\r\nHost: h:8080\r\n\r\n"),
    served("host-ipv6", "RFC 9112 3.2", b"GET " + PATH + b" HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    served("value-utf8", f"{VALUE}, obs-text", get(b"X: \xc3\xa4\r\n")),
    served("value-tab", VALUE, get(b"X: a\tb\r\n")),
    served("value-empty", VALUE, get(b"X:\r\n")),
    served("value-colons", VALUE, get(b"X: a: b: c\r\n")),
    served("name-odd-but-good", "RFC 9110 5.6.2", get(b"!#$%&'*+.^`|~: x\r\n")),
    served("name-with-underscore-is-dropped", "CGI", get(b"X_Forwarded_For: 1.1.1.1\r\n")),
    served("spoofed-forwarding-is-replaced", "RFC 7239 8.1", get(b"X-Forwarded-Host: evil\r\nForwarded: for=evil\r\n")),
    served("override-is-the-functions-matter", "method overrides", get(b"X-HTTP-Method-Override: DELETE\r\n")),
    served("h2c-offer-is-not-passed-on", "Miller: h2c Smuggling, 2020", get(
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
    )),
    served("upgrade-that-nobody-takes", "0ang3el: WebSocket smuggling, 2019", get(
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1337\r\n", POISON
    ), 2),
    served("upgrade-with-body-is-none", "RFC 9110 7.8", post(
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n", b"abc"
    )),
    served("upgrade-without-connection", "RFC 9110 7.8", get(b"Upgrade: websocket\r\n", POISON), 2),
]  # fmt: skip
