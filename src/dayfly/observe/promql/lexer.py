"""A query as words: names, numbers, durations, strings and signs, each with its place in the text."""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from dayfly.observe.promql.faults import wrong

Kind = Literal["name", "number", "duration", "string", "sign", "end"]
UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
_WORD = re.compile(
    r"""
    (?P<space>[ \t\r\n]+|\#[^\n]*)
  | (?P<duration>[0-9]+(?:ms|[smhdwy])(?:[0-9]+(?:ms|[smhdwy]))*(?![A-Za-z0-9_]))
  | (?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_:]*)
  | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
  | (?P<sign>=~|!~|==|!=|>=|<=|[-+*/%^=<>(){}\[\],:@])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}


class Word(msgspec.Struct, frozen=True):
    """One word; `text` of a string is what it says."""

    kind: Kind
    text: str
    at: int


def words(text: str) -> list[Word]:
    """Return the words of the query, an end behind them. Raises QueryWrong."""
    return [*_words(text), Word("end", "", len(text))]


def duration_ms(text: str) -> int:
    """Return a duration such as `1h30m` in milliseconds."""
    return sum(int(count) * UNITS_MS[unit] for count, unit in re.findall(r"([0-9]+)(ms|[smhdwy])", text))


def number(text: str) -> float:
    """Return a number as it is written in a query. Raises ValueError."""
    return float(int(text, 16)) if text[:2].lower() == "0x" else float(text)


def _words(text: str) -> Iterator[Word]:
    at = 0
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            what = "a string that does not end" if text[at] in "\"'`" else f"the character {text[at]!r}"
            raise wrong(text, at, f"parse error: unexpected {what}")
        kind = found.lastgroup
        if kind == "string":
            yield Word("string", _unquoted(text, found), at)
        elif kind == "name" and found[0].lower() in ("inf", "nan"):
            yield Word("number", found[0], at)
        elif kind in ("name", "number", "duration", "sign"):
            yield Word(kind, found[0], at)  # type: ignore[arg-type]  # one of the four
        at = found.end()


def _unquoted(text: str, found: re.Match[str]) -> str:
    inner = found[0][1:-1]
    if found[0][0] == "`":
        return inner

    def said(escape: re.Match[str]) -> str:
        letter = escape[1]
        if letter in _PLAIN:
            return _PLAIN[letter]
        try:
            return chr(int(letter, 8) if len(letter) == 3 and letter.isdigit() else int(letter[1:], 16))
        except (ValueError, OverflowError):
            at = found.start() + 1 + escape.start()
            raise wrong(text, at, f"parse error: unknown escape sequence {escape[0]!r} in a string") from None

    return _ESCAPE.sub(said, inner)
