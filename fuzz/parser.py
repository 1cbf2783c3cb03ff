"""The parser border: what must hold for any bytes that come over a network.

Read as a client's, they come to a verdict and nothing else, the same one wherever the network cuts them; and what is
accepted is read the same by llhttp, by h11 and by a replica. Read as a replica's, they come to an answer or to
BadAnswer, wherever they are cut, and never past the limits.
"""

from pathlib import Path

from dayfly.http1.answer import MAX_ANSWER_HEAD, Answer, BadAnswer, Switched
from dayfly.http1.sieve import Sieve
from fuzz.differences import LIMITS, cut_differences, differences
from fuzz.engine import read

FINDINGS = Path(__file__).with_name("findings")
"""Bytes that were once read wrongly, one file each; the tests check all of them."""


def check(data: bytes) -> None:
    """Raise AssertionError, or whatever else, where the engine does not keep what is promised of it."""
    verdict = read([data], LIMITS)
    found = differences(data, verdict) + cut_differences(data, [len(data) // 2, len(data) // 3])
    assert not found, found
    check_answer(data)


def check_answer(data: bytes) -> None:
    """Read the bytes as an upstream's answer, whole and cut."""
    ends = []
    for pieces in ([data], [data[: len(data) // 2], data[len(data) // 2 :]]):
        answer, body, end = Answer(Sieve(lambda _: False)), b"", ""
        answer.begin(b"GET")
        try:
            for piece in pieces:
                if piece and not (answer.complete or answer.spoiled):
                    answer.feed(piece)
                    body += answer.take_body()
        except BadAnswer:
            end = "bad"
        except Switched as switch:
            end = f"switched {len(switch.rest)}"
        assert len(answer.lines) <= MAX_ANSWER_HEAD
        assert b"\n" not in answer.lines.replace(b"\r\n", b"")
        ends.append(end == "bad")
    assert ends[0] == ends[1] or answer.spoiled, ends


def play_findings() -> int:
    """Check every finding that is kept; return how many there are."""
    kept = sorted(FINDINGS.glob("*.bin"))
    for finding in kept:
        check(finding.read_bytes())
    return len(kept)
