"""Two lengths, and lengths that are no plain number: the classic ways to disagree about where a body ends."""

from tests.hostile.corpus.case import POISON, Case, cut_off, get, post, refused, served

LINHART = "Linhart, Klein, Heled, Orrin: HTTP Request Smuggling, 2005"
DESYNC = "Kettle: HTTP Desync Attacks, 2019"
BROWSER = "Kettle: Browser-Powered Desync Attacks, 2022"
MUST_DIE = "Kettle: HTTP/1.1 Must Die, 2025"
TREQS = "Jabiyev, Sprecher, Onarlioglu, Kirda: T-Reqs, CCS 2021"
BOTH = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"


def _length(name: str, value: bytes, source: str = "RFC 9110 8.6") -> Case:
    return refused(name, source, post(b"Content-Length: " + value + b"\r\n", b"abc" + POISON))


CASES = [
    refused("cl-te", f"{DESYNC}, CL.TE", post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nG")),
    refused("te-cl", f"{DESYNC}, TE.CL", post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"5c\r\nGPOST")),
    refused("cl-te-poison", f"{DESYNC}, CL.TE", post(BOTH, b"0\r\n\r\n" + POISON)),
    refused("cl-zero-te", f"{DESYNC}, CL.TE", post(b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")),
    refused("te-cl-lowercase", TREQS, post(b"transfer-encoding: chunked\r\ncontent-length: 4\r\n", b"0\r\n\r\n")),
    refused("get-with-both", "RFC 9112 6.3 point 3", get(BOTH, b"0\r\n\r\n" + POISON)),
    refused("two-lengths-differ", LINHART, post(b"Content-Length: 0\r\nContent-Length: 48\r\n", POISON)),
    refused("two-lengths-equal", "RFC 9112 6.3 point 5", post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc")),
    refused("two-lengths-apart", LINHART, post(b"Content-Length: 3\r\nX: y\r\ncontent-length: 48\r\n", POISON)),
    refused("three-lengths", LINHART, post(b"Content-Length: 3\r\n" * 3, b"abc")),
    _length("length-list-equal", b"3, 3", "RFC 9110 8.6"),
    _length("length-list-differs", b"3, 48", "RFC 9110 8.6"),
    _length("length-plus", b"+3", TREQS),
    _length("length-minus", b"-3"),
    _length("length-minus-zero", b"-0", TREQS),
    _length("length-hex", b"0x3", TREQS),
    _length("length-octal-letter", b"0o3", TREQS),
    _length("length-letters", b"abc"),
    _length("length-trailing-letter", b"3a", TREQS),
    _length("length-leading-letter", b"a3", TREQS),
    _length("length-inner-blank", b"1 2", "CVE-2018-7159 (Node.js)"),
    _length("length-inner-tab", b"1\t2", "CVE-2018-7159 (Node.js)"),
    _length("length-underscore", b"1_0", "Python's int() reads 1_0 as 10"),
    _length("length-point", b"3.0", TREQS),
    _length("length-exponent", b"3e0", TREQS),
    _length("length-quoted", b'"3"', TREQS),
    _length("length-empty", b""),
    _length("length-comma", b",3", TREQS),
    _length("length-semicolon", b"3;q=1", TREQS),
    _length("length-superscript", b"\xc2\xb3", "Python's str.isdigit() is true of superscripts"),
    _length("length-arabic-digit", b"\xd9\xa3", "Python's int() reads digits of any script"),
    _length("length-fullwidth-digit", b"\xef\xbc\x93", "Python's int() reads digits of any script"),
    _length("length-vertical-tab", b"\x0b3", "CVE-2019-18277 (HAProxy)"),
    _length("length-form-feed", b"3\x0c", "CVE-2019-18277 (HAProxy)"),
    _length("length-nul", b"3\x00", TREQS),
    _length("length-no-break-space", b"\xa03", "Python's str.strip() removes it"),
    _length("length-2-to-64-plus-3", b"18446744073709551619", "integer overflow, as in CVE-2021-40346"),
    _length("length-2-to-63", b"9223372036854775808", "integer overflow"),
    _length("length-5000-digits", b"9" * 5000, "CVE-2020-10735 (Python)"),
    refused("length-huge", "RFC 9110 8.6", post(b"Content-Length: 999999999999999999\r\n", b"abc"), 413),
    refused("length-just-over", "RFC 9110 15.5.14", post(b"Content-Length: 1048577\r\n", b"abc"), 413),
    served("length-leading-zeros", "RFC 9110 8.6 allows it", post(b"Content-Length: 003\r\n", b"abc")),
    served("length-blanks-around", "RFC 9110 5.5 allows it", post(b"Content-Length: \t 3 \t\r\n", b"abc")),
    served("length-no-blank", "RFC 9110 5.5 allows it", post(b"Content-Length:3\r\n", b"abc")),
    served("get-with-body", f"{BROWSER}, CL.0", get(b"Content-Length: %d\r\n" % len(POISON), POISON)),
    served("post-with-poison-as-body", f"{BROWSER}, CL.0", post(b"Content-Length: %d\r\n" % len(POISON), POISON)),
    served("post-without-length", f"{BROWSER}, CL.0", post(b"", POISON), 2),
    cut_off(
        "zero-length-then-gpost",
        f"{DESYNC}, GPOST",
        post(b"Content-Length: 0\r\n", b"GPOST / HTTP/1.1\r\nHost: h\r\n\r\n"),
    ),
    refused("zero-cl-early", f"{MUST_DIE}, 0.CL", post(b"Content-Length: 60\r\n", POISON), 408),
    refused("length-in-the-wrong-header", "CVE-2019-16869 (Netty)", post(b"Content-Length : 3\r\n", b"abc")),
    refused("length-folded", "RFC 9112 5.2", post(b"Content-Length:\r\n 50\r\n", POISON)),
    refused(
        "length-and-named-hop", "RFC 9110 7.6.1", post(b"Connection: content-length\r\nContent-Length: 3\r\n", b"abc")
    ),
    refused("length-twin", "underscores become dashes in CGI names", post(b"Content_Length: 50\r\n", POISON)),
    refused("length-twin-beside", "CGI", post(b"Content_Length: 50\r\nContent-Length: 3\r\n", b"abc")),
]
