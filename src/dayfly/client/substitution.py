"""`${VAR}` in a stack file: put in over the whole text, comments included, before it is read as YAML.

| written | becomes |
|---|---|
| `${VAR}` | the variable, nothing when it is not set |
| `${VAR:-text}` `${VAR:=text}` `${VAR=text}` | `text` when the variable is not set or empty |
| `${#VAR}` | the number of its characters |
| `${VAR^}` `${VAR^^}` `${VAR,}` `${VAR,,}` | first letter, or all, in upper or lower case |
| `${VAR:2}` `${VAR:2:3}` | from the third character; three from there |
| `${VAR#glob}` `${VAR##glob}` | without the shortest, the longest match at its start |
| `${VAR%glob}` `${VAR%%glob}` | without the shortest, the longest match at its end |
| `${VAR/a/b}` `${VAR//a/b}` | the first, every `a` replaced by `b` |
| `${VAR/#a/b}` `${VAR/%a/b}` | `a` replaced at the start, at the end only |
| `$${` | a plain `${` |

`text`, `glob`, `a` and `b` may hold further `${…}`. `${VAR-x}`, `${VAR+x}`, `${VAR:?x}` and `${VAR:+x}` are refused, as
faas-cli refuses them. A dollar sign without a brace is text.
"""

import re
from collections.abc import Callable, Mapping
from fnmatch import translate

from dayfly.model.errors import InvalidSpec

MAX_RESULT = 4 * 1024 * 1024
_MAX_NESTING = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SLICE = re.compile(r":\s*(\d{1,9})(?::\s*(\d{1,9}))?", re.ASCII)
_CASES: dict[str, Callable[[str], str]] = {
    "^^": str.upper,
    ",,": str.lower,
    "^": lambda value: value[:1].upper() + value[1:],
    ",": lambda value: value[:1].lower() + value[1:],
}


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """Return the text with every `${…}` replaced.

    Raises InvalidSpec, with the line, for an expression that is not closed, unknown or too deep, and for a result of
    more than 4 Mi characters.
    """
    return _Reader(text, environ).read()


class _Reader:
    """The text and how far it was read."""

    def __init__(self, text: str, environ: Mapping[str, str]) -> None:
        self._text = text
        self._environ = environ
        self._at = 0

    def read(self) -> str:
        return self._until(stops="", depth=0)

    def _until(self, *, stops: str, depth: int) -> str:
        """Everything up to the first of `stops` outside a nested expression, substituted."""
        out: list[str] = []
        size = 0
        while self._at < len(self._text):
            letter = self._text[self._at]
            if letter in stops:
                break
            if self._text.startswith("$${", self._at):
                piece, self._at = "${", self._at + 3
            elif self._text.startswith("${", self._at):
                piece = self._expression(depth + 1)
            else:
                piece, self._at = letter, self._at + 1
            out.append(piece)
            size += len(piece)
            if size > MAX_RESULT:
                raise self._too_large(self._at)
        return "".join(out)

    def _expression(self, depth: int) -> str:
        start = self._at
        if depth > _MAX_NESTING:
            raise InvalidSpec(f"line {self._line(start)}: ${{…}} is nested more than {_MAX_NESTING} deep")
        self._at += 2
        wants_length = self._text.startswith("#", self._at)
        self._at += wants_length
        name = _NAME.match(self._text, self._at)
        if name is None:
            raise self._bad(start)
        self._at = name.end()
        value = self._environ.get(name[0], "")
        result = str(len(value)) if wants_length else self._operate(value, start, depth)
        if not self._text.startswith("}", self._at):
            raise self._bad(start)
        self._at += 1
        return result

    def _operate(self, value: str, start: int, depth: int) -> str:
        rest = self._text[self._at : self._at + 2]
        if rest[:1] == "}":
            return value
        if rest in (":-", ":=") or rest[:1] == "=":
            self._at += 2 if rest[:1] == ":" else 1
            default = self._until(stops="}", depth=depth)
            return value or default
        operator = next((known for known in _CASES if rest.startswith(known)), "")
        if operator:
            self._at += len(operator)
            return _CASES[operator](value)
        if rest[:1] in ("#", "%"):
            return self._trim(value, rest, depth)
        if rest[:1] == "/":
            return self._replace(value, rest, start, depth)
        piece = _SLICE.match(self._text, self._at)
        if piece is None:
            raise self._bad(start)
        self._at = piece.end()
        begin = int(piece[1])
        return value[begin:] if piece[2] is None else value[begin : begin + int(piece[2])]

    def _trim(self, value: str, rest: str, depth: int) -> str:
        longest = rest[0] * 2 == rest
        self._at += 2 if longest else 1
        glob = re.compile(translate(self._until(stops="}", depth=depth)))
        lengths = range(len(value) + 1)
        for length in reversed(lengths) if longest else lengths:
            part = value[:length] if rest[0] == "#" else value[len(value) - length :]
            if glob.match(part):
                return value[length:] if rest[0] == "#" else value[: len(value) - length]
        return value

    def _replace(self, value: str, rest: str, start: int, depth: int) -> str:
        kind = rest[1:] if rest[1:] in ("/", "#", "%") else ""
        self._at += 1 + len(kind)
        old = self._until(stops="/}", depth=depth)
        new = ""
        if self._text.startswith("/", self._at):
            self._at += 1
            new = self._until(stops="}", depth=depth)
        if not old:
            return value
        if kind == "#":
            return new + value.removeprefix(old) if value.startswith(old) else value
        if kind == "%":
            return value.removesuffix(old) + new if value.endswith(old) else value
        if kind == "/" and value.count(old) * len(new) > MAX_RESULT:
            raise self._too_large(start)
        return value.replace(old, new, -1 if kind == "/" else 1)

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

    def _too_large(self, at: int) -> InvalidSpec:
        return InvalidSpec(f"line {self._line(at)}: the text is larger than 4 MiB once variables are put in")

    def _bad(self, start: int) -> InvalidSpec:
        shown = self._text[start : start + 40].splitlines()[0]
        text = f"line {self._line(start)}: {shown!r} is not a substitution that is known, or is not closed"
        return InvalidSpec(text, hint="Write ${VAR} or ${VAR:-default}; $${ stands for a plain ${.")
