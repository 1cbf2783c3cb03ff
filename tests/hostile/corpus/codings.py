"""Transfer codings disguised so that one of two readers overlooks them (TE.TE)."""

from tests.hostile.corpus.case import POISON, Case, post, refused, served
from tests.hostile.corpus.lengths import DESYNC, TREQS

_BODY = b"0\r\n\r\n" + POISON
_TE_TE = f"{DESYNC}, TE.TE"


def _coding(name: str, line: bytes, source: str = _TE_TE) -> Case:
    return refused(name, source, post(line + b"\r\n", _BODY))


def _beside(name: str, line: bytes, source: str = _TE_TE) -> Case:
    return refused(name, source, post(b"Content-Length: 4\r\n" + line + b"\r\n", _BODY))


CASES = [
    _coding("te-xchunked", b"Transfer-Encoding: xchunked"),
    _coding("te-chunkedx", b"Transfer-Encoding: chunkedx"),
    _coding("te-chunk", b"Transfer-Encoding: chunk", "CVE-2022-32213 (llhttp)"),
    _coding("te-identity", b"Transfer-Encoding: identity", "RFC 9112 7 dropped it"),
    _coding("te-identity-chunked", b"Transfer-Encoding: identity, chunked", "RFC 9112 7"),
    _coding("te-chunked-identity", b"Transfer-Encoding: chunked, identity", "CVE-2024-1135 (gunicorn)"),
    _coding("te-gzip", b"Transfer-Encoding: gzip", "RFC 9112 6.1"),
    _coding("te-gzip-chunked", b"Transfer-Encoding: gzip, chunked", "RFC 9112 6.1"),
    _coding("te-chunked-gzip", b"Transfer-Encoding: chunked, gzip", "RFC 9112 6.3 point 4"),
    _coding("te-chunked-chunked", b"Transfer-Encoding: chunked, chunked", "RFC 9112 6.1"),
    _coding("te-cow", b"Transfer-Encoding: cow"),
    _coding("te-empty", b"Transfer-Encoding:", TREQS),
    _coding("te-comma-first", b"Transfer-Encoding: ,chunked", "CVE-2022-32213 (llhttp)"),
    _coding("te-comma-last", b"Transfer-Encoding: chunked,", "CVE-2022-32213 (llhttp)"),
    _coding("te-comma-only", b"Transfer-Encoding: ,", TREQS),
    _coding("te-parameter", b"Transfer-Encoding: chunked;q=1", TREQS),
    _coding("te-quoted", b'Transfer-Encoding: "chunked"'),
    _coding("te-single-quoted", b"Transfer-Encoding: 'chunked'"),
    _coding("te-vertical-tab", b"Transfer-Encoding: \x0bchunked", "CVE-2019-18277 (HAProxy)"),
    _coding("te-form-feed", b"Transfer-Encoding: \x0cchunked", "CVE-2019-18277 (HAProxy)"),
    _coding("te-nul-after", b"Transfer-Encoding: chunked\x00", TREQS),
    _coding("te-nul-before", b"Transfer-Encoding: \x00chunked", TREQS),
    _coding("te-backspace", b"Transfer-Encoding: chunked\x08", TREQS),
    _coding("te-no-break-space", b"Transfer-Encoding: \xa0chunked", TREQS),
    _coding("te-ff-byte", b"Transfer-Encoding: \xffchunked", TREQS),
    _coding("te-kelvin-sign", b"Transfer-Encoding: chun\xe2\x84\xaaed", "Unicode lower case of the Kelvin sign is k"),
    _coding("te-blank-before-colon", b"Transfer-Encoding : chunked", "CVE-2021-22959 (llhttp)"),
    _coding("te-tab-before-colon", b"Transfer-Encoding\t: chunked", "RFC 9112 5.1"),
    _coding("te-blank-before-name", b" Transfer-Encoding: chunked", "RFC 9112 2.2"),
    _coding("te-tab-before-name", b"\tTransfer-Encoding: chunked", "RFC 9112 2.2"),
    _coding("te-no-colon", b"Transfer-Encoding chunked", TREQS),
    _coding("te-folded", b"Transfer-Encoding:\r\n chunked", "RFC 9112 5.2"),
    _coding("te-folded-tab", b"Transfer-Encoding:\r\n\tchunked", "CVE-2022-32215 (llhttp)"),
    _coding("te-folded-later", b"X: y\r\n Transfer-Encoding: chunked", _TE_TE),
    _coding("te-after-bare-lf", b"X: y\nTransfer-Encoding: chunked", f"{_TE_TE}; RFC 9112 2.2"),
    _coding("te-after-bare-cr", b"X: y\rTransfer-Encoding: chunked", f"{_TE_TE}; CVE-2023-30589 (llhttp)"),
    _coding("te-cr-in-value", b"Transfer-Encoding: chunked\rX", "RFC 9110 5.5"),
    _coding("te-twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "CVE-2020-8287 (Node.js)"),
    _coding("te-twice-cow", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow"),
    _coding("te-cow-first", b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked"),
    _coding("te-identity-first", b"Transfer-Encoding: identity\r\nTransfer-encoding: chunked", "CVE-2020-8287"),
    _coding("te-name-quoted", b'"Transfer-Encoding": chunked', TREQS),
    _coding("te-name-nul", b"Transfer-Encoding\x00: chunked", TREQS),
    _coding("te-name-ff", b"Transfer-Encoding\xff: chunked", TREQS),
    _coding("te-name-control", b"Transfer\x7fEncoding: chunked", TREQS),
    _coding("te-name-utf8", b"Tr\xc3\xa4nsfer-Encoding: chunked", "RFC 9110 5.6.2"),
    _coding("te-twin", b"Transfer_Encoding: chunked", "underscores become dashes in CGI names"),
    _coding("te-twin-upper", b"TRANSFER_ENCODING: chunked", "underscores become dashes in CGI names"),
    _coding("te-named-hop", b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked", "RFC 9110 7.6.1"),
    _beside("cl-te-blank-before-colon", b"Transfer-Encoding : chunked"),
    _beside("cl-te-xchunked", b"Transfer-Encoding: xchunked"),
    _beside("cl-te-twin", b"transfer_encoding: chunked"),
    _beside("cl-te-vertical-tab", b"Transfer-Encoding:\x0bchunked", "CVE-2019-18277 (HAProxy)"),
    _beside("cl-te-folded", b"Foo: bar\r\n Transfer-Encoding: chunked"),
    refused("te-in-1-0", "RFC 9112 6.1", post(b"Transfer-Encoding: chunked\r\n", _BODY, b"HTTP/1.0")),
    refused(
        "te-in-1-0-keep-alive",
        "RFC 9112 6.1",
        post(b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", _BODY, b"HTTP/1.0"),
    ),
    served("te-mixed-case", "RFC 9112 7 allows it", post(b"tRANSFER-eNCODING: cHUNKED\r\n", _BODY), 2),
    served("te-blanks-before", "RFC 9110 5.5 allows it", post(b"Transfer-Encoding: \t chunked\r\n", _BODY), 2),
    refused(
        "te-blanks-after", "RFC 9110 5.5 allows it, llhttp does not", post(b"Transfer-Encoding: chunked \t\r\n", _BODY)
    ),
    served("te-look-alike", "a header of another name", post(b"X-Transfer-Encoding: chunked\r\n", POISON), 2),
]
