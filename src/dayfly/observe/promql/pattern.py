"""Regular expressions that take a time in proportion to the text, whatever was written: a query comes from anybody.

Python's own go back and try again, which a pattern such as `(a+)+b` makes last for years, with the interpreter's lock
held. These walk all ways at once (Thompson, Pike), as those of Prometheus do, whose syntax RE2 they follow. A pattern
is for the whole of a text.
"""

from dayfly.observe.promql.program import compiled

_SPECIAL = frozenset("\\.+*?()[]{}^$")
_MAX_KNOWN = 50_000


class Pattern:
    """A pattern, read. Raises ValueError for one that cannot be."""

    def __init__(self, text: str) -> None:
        self._program, self.groups, self._names = compiled(text)
        self._known: dict[str, bool] = {}
        self._words = None if _SPECIAL.intersection(text) else frozenset(text.split("|"))
        """What it matches, where it is words with `|` between them and nothing else."""

    def matches(self, text: str) -> bool:
        """Whether the pattern is one for the whole text."""
        if self._words is not None:
            return text in self._words
        known = self._known.get(text)
        if known is None:
            if len(self._known) > _MAX_KNOWN:
                self._known.clear()
            known = self._known[text] = self.match(text) is not None
        return known

    def cost(self, text: str) -> int:
        """Return how many steps it takes at most to see whether it is one for this text."""
        return 1 if self._words is not None or text in self._known else (len(text) + 1) * len(self._program)

    def match(self, text: str) -> tuple[int, ...] | None:
        """Return where the whole and each group begin and end, -1 for a group without a part; None without a match."""
        program, slots = self._program, 2 * (self.groups + 1)
        blank = (-1,) * slots
        at_once: list[tuple[int, tuple[int, ...]]] = []
        self._add(at_once, set(), 0, blank, text, 0)
        for place, letter in enumerate(text):
            code, following, seen = ord(letter), list[tuple[int, tuple[int, ...]]](), set[int]()
            for step, notes in at_once:
                one = program[step]
                if one.what == "take" and any(low <= code <= high for low, high in one.ranges):
                    self._add(following, seen, step + 1, notes, text, place + 1)
            at_once = following
            if not at_once:
                return None
        return next((notes for step, notes in at_once if program[step].what == "end"), None)

    def expand(self, template: str, text: str, found: tuple[int, ...]) -> str:
        """Return the template with `$1`, `${1}` and `${name}` filled with the groups of a match; `$$` is a `$`."""
        parts, at = [], 0
        while at < len(template):
            dollar = template.find("$", at)
            if dollar < 0 or dollar + 1 == len(template):
                parts.append(template[at:])
                break
            parts.append(template[at:dollar])
            at = dollar + 1
            if template[at] == "$":
                parts.append("$")
                at += 1
                continue
            braced = template[at] == "{"
            end = template.find("}", at) if braced else at
            if not braced:
                while end < len(template) and (template[end].isalnum() or template[end] == "_"):
                    end += 1
            name = template[at + 1 : end] if braced else template[at:end]
            if end < 0 or not name:
                parts.append("$")
                continue
            at = end + braced
            number = int(name) if name.isdecimal() and len(name) < 6 else self._names.get(name, -1)
            if 0 <= number <= self.groups and found[2 * number] >= 0:
                parts.append(text[found[2 * number] : found[2 * number + 1]])
        return "".join(parts)

    def _add(
        self, ways: list[tuple[int, tuple[int, ...]]], seen: set[int], step: int, notes: tuple[int, ...],
        text: str, place: int,
    ) -> None:  # fmt: skip
        waiting = [(step, notes)]
        while waiting:
            at, noted = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            one = self._program[at]
            match one.what:
                case "fork":
                    waiting += [(one.other, noted), (one.to, noted)]
                case "go":
                    waiting.append((one.to, noted))
                case "note":
                    waiting.append((at + 1, (*noted[: one.to], place, *noted[one.to + 1 :])))
                case "begin" | "finish" | "edge" | "inside":
                    if _looks(one.what, text, place):
                        waiting.append((at + 1, noted))
                case _:
                    ways.append((at, noted))


def _looks(what: str, text: str, place: int) -> bool:
    if what in ("begin", "finish"):
        return place == (0 if what == "begin" else len(text))
    before, after = (0 <= at < len(text) and _is_word(text[at]) for at in (place - 1, place))
    return (before != after) == (what == "edge")


def _is_word(letter: str) -> bool:
    return letter.isascii() and (letter.isalnum() or letter == "_")
