"""Regular expressions as programs for `pattern`: what of RE2's syntax there is.

Literals, `.`, classes, groups, `|`, `* + ? {m,n}` and their lazy forms, `^ $ \\b \\B`, `\\d \\s \\w` and their
opposites, and `(?i)` at the beginning.
"""

import functools

import msgspec

MAX_PROGRAM = 2_000
"""Steps of a pattern: bounds what repetitions within repetitions come to."""
MAX_TIMES = 1_000
_CLASSES = {
    "d": ((48, 57),), "w": ((48, 57), (65, 90), (95, 95), (97, 122)), "s": ((9, 10), (12, 13), (32, 32)),
}  # fmt: skip
_NAMED = {
    "alnum": ((48, 57), (65, 90), (97, 122)), "alpha": ((65, 90), (97, 122)), "digit": ((48, 57),),
    "lower": ((97, 122),), "upper": ((65, 90),), "space": ((9, 13), (32, 32)), "word": _CLASSES["w"],
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)), "xdigit": ((48, 57), (65, 70), (97, 102)),
}  # fmt: skip
_CONTROL = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_LAST = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]


class Step(msgspec.Struct):
    """What a walk does next: take a character, fork, note a place, or look at where it is."""

    what: str
    ranges: Ranges = ()
    to: int = 0
    other: int = 0


@functools.lru_cache(maxsize=256)
def compiled(text: str) -> tuple[list[Step], int, dict[str, int]]:
    """Return the steps, the number of groups, and the numbers of those with names. Raises ValueError."""
    reader = _Reader(text)
    reader.note(0)
    reader.choices()
    if reader.at < len(text):
        raise ValueError("a regular expression has a `)` too many")
    reader.note(1)
    reader.program.append(Step("end"))
    return reader.program, reader.groups, reader.names


class _Reader:
    """Writes the program while it reads."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.program: list[Step] = []
        self.groups = 0
        self.names: dict[str, int] = {}
        self._folds = text.startswith("(?i)")
        self.at = 4 if self._folds else 0
        self._depth = 0

    def note(self, slot: int) -> None:
        """Have the walk note where it is."""
        self._step(Step("note", to=slot))

    def choices(self) -> None:
        """Read what `|` parts."""
        self._depth += 1
        if self._depth > 50:
            raise ValueError("a regular expression is nested deeper than 50 levels")
        begin = len(self.program)
        self._sequence()
        ends: list[Step] = []
        while self._accept("|"):
            self._insert(begin, Step("fork", to=begin + 1, other=len(self.program) + 2))
            ends.append(self._step(Step("go")))
            begin = len(self.program)
            self._sequence()
        for end in ends:
            end.to = len(self.program)
        self._depth -= 1

    def _sequence(self) -> None:
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            begin = len(self.program)
            self._atom()
            self._repeated(begin)

    def _repeated(self, begin: int) -> None:
        while self.at < len(self.text):
            bounds = self._bounds()
            if bounds is None:
                return
            least, most = bounds
            lazy = self._accept("?")
            if (self.at < len(self.text) and self.text[self.at] in "*+?") or self._counted() is not None:
                raise ValueError("a regular expression repeats a repetition")
            self._repeat(begin, least, most, lazy=lazy)

    def _repeat(self, begin: int, least: int, most: int | None, *, lazy: bool) -> None:
        atom, self.program[begin:] = self.program[begin:], []
        for _ in range(least):
            self._copy(atom, begin)
        if most is None:
            top = len(self.program)
            fork = self._step(Step("fork"))
            self._copy(atom, begin)
            self._step(Step("go", to=top))
            self._ways(fork, top + 1, len(self.program), lazy=lazy)
            return
        forks = []
        for _ in range(most - least):
            forks.append((self._step(Step("fork")), len(self.program)))
            self._copy(atom, begin)
        for fork, inside in forks:
            self._ways(fork, inside, len(self.program), lazy=lazy)

    def _ways(self, fork: Step, inside: int, outside: int, *, lazy: bool) -> None:
        fork.to, fork.other = (outside, inside) if lazy else (inside, outside)

    def _copy(self, atom: list[Step], begin: int) -> None:
        shift = len(self.program) - begin
        for step in atom:
            moved = step.what in ("fork", "go")
            self._step(Step(step.what, step.ranges, step.to + shift if moved else step.to, step.other + shift * moved))

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._accept(sign):
                return bounds
        counted = self._counted()
        if counted is None:
            return None
        self.at, least, most = counted
        if max(least, most or 0) > MAX_TIMES or (most is not None and most < least):
            raise ValueError(f"a regular expression repeats something more than {MAX_TIMES} times, or fewer than none")
        return least, most

    def _counted(self) -> tuple[int, int, int | None] | None:
        if not self.text.startswith("{", self.at):
            return None
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : max(end, self.at + 1)].partition(",")
        if end < 0 or not low.isdecimal() or not (high.isdecimal() or not high) or len(low + high) > 12:
            return None
        return end + 1, int(low), int(high) if high else None if comma else int(low)

    def _atom(self) -> None:
        letter = self._next()
        match letter:
            case "(":
                self._group()
            case "[":
                self._take(self._set())
            case ".":
                self._take(((0, 9), (11, _LAST)))
            case "^":
                self._step(Step("begin"))
            case "$":
                self._step(Step("finish"))
            case "\\":
                self._escape()
            case "*" | "+" | "?":
                raise ValueError(f"a regular expression has nothing for its `{letter}` to repeat")
            case _:
                self._take(((ord(letter), ord(letter)),))

    def _group(self) -> None:
        slot = -1
        if self._accept("?:"):
            pass
        elif self._accept("?P<"):
            name, _, _ = self.text[self.at :].partition(">")
            if not name.isidentifier():
                raise ValueError("a regular expression has a group without a name")
            self.at += len(name) + 1
            self.names[name] = self.groups + 1
            slot = 0
        elif self._accept("?"):
            raise ValueError("a regular expression has a group of a kind that is not there")
        else:
            slot = 0
        if slot == 0:
            self.groups += 1
            slot = 2 * self.groups
            self.note(slot)
        self.choices()
        if not self._accept(")"):
            raise ValueError("a regular expression lacks a `)`")
        if slot > 0:
            self.note(slot + 1)

    def _escape(self) -> None:
        letter = self._next()
        looks = {"b": "edge", "B": "inside", "A": "begin", "z": "finish"}
        if letter in looks:
            self._step(Step(looks[letter]))
        else:
            self._take(self._escaped(letter))

    def _escaped(self, letter: str) -> Ranges:
        if letter.lower() in _CLASSES:
            return _CLASSES[letter] if letter.islower() else _others(_CLASSES[letter.lower()])
        if letter in _CONTROL:
            return ((_CONTROL[letter], _CONTROL[letter]),)
        if letter == "x":
            digits = self.text[self.at : self.at + 2]
            self.at += 2
            code = int(digits, 16)
            return ((code, code),)
        if letter.isascii() and letter.isalnum():
            raise ValueError(f"a regular expression has an escape that is not there: \\{letter}")
        return ((ord(letter), ord(letter)),)

    def _set(self) -> Ranges:
        others, found, first = self._accept("^"), list[tuple[int, int]](), True
        while first or not self._accept("]"):
            first = False
            if self._accept("[:"):
                name, _, _ = self.text[self.at :].partition(":]")
                if name not in _NAMED:
                    raise ValueError(f"a regular expression has a class that is not there: {name[:20]!r}")
                self.at += len(name) + 2
                found += _NAMED[name]
                continue
            low = self._of_set()
            if (
                len(low) == 1
                and low[0][0] == low[0][1]
                and self.text.startswith("-", self.at)
                and not (self.text.startswith("-]", self.at))
            ):
                self.at += 1
                high = self._of_set()
                if len(high) > 1 or high[0][1] < low[0][0]:
                    raise ValueError("a regular expression has a class whose range ends before it begins")
                low = ((low[0][0], high[0][1]),)
            found += low
        return _others(tuple(found)) if others else tuple(found)

    def _of_set(self) -> Ranges:
        letter = self._next()
        return self._escaped(self._next()) if letter == "\\" else ((ord(letter), ord(letter)),)

    def _take(self, ranges: Ranges) -> None:
        self._step(Step("take", _folded(ranges) if self._folds else ranges))

    def _step(self, step: Step) -> Step:
        if len(self.program) >= MAX_PROGRAM:
            raise ValueError(f"a regular expression comes to more than {MAX_PROGRAM} steps")
        self.program.append(step)
        return step

    def _insert(self, at: int, step: Step) -> None:
        for other in self.program[at:]:
            if other.what in ("fork", "go"):
                other.to += 1
                other.other += 1
        self.program.insert(at, step)

    def _next(self) -> str:
        if self.at >= len(self.text):
            raise ValueError("a regular expression ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def _accept(self, text: str) -> bool:
        if self.text.startswith(text, self.at):
            self.at += len(text)
            return True
        return False


def _others(ranges: Ranges) -> Ranges:
    found, least = [], 0
    for low, high in sorted(ranges):
        if low > least:
            found.append((least, low - 1))
        least = max(least, high + 1)
    return (*found, (least, _LAST)) if least <= _LAST else tuple(found)


def _folded(ranges: Ranges) -> Ranges:
    upper = [(max(low, 97) - 32, min(high, 122) - 32) for low, high in ranges if low <= 122 and high >= 97]
    lower = [(max(low, 65) + 32, min(high, 90) + 32) for low, high in ranges if low <= 90 and high >= 65]
    return (*ranges, *upper, *lower)
