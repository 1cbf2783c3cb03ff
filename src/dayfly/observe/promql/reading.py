"""The words of a query one after the other, and what is read of them in several places: labels and spans."""

from typing import NoReturn

from dayfly.observe.promql.faults import wrong
from dayfly.observe.promql.lexer import Word, duration_ms, words

_MOST_MS = 100 * 31_536_000_000


class Reading:
    """A query being read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._words = words(text)
        self._next = 0

    def peek(self) -> Word:
        """Return the next word."""
        return self._words[self._next]

    def take(self) -> Word:
        """Return the next word, and go on behind it."""
        word = self._words[self._next]
        if word.kind != "end":
            self._next += 1
        return word

    def accept(self, sign: str) -> bool:
        """Go on behind a sign if it is next; return whether it was."""
        word = self.peek()
        if word.kind == "sign" and word.text == sign:
            self._next += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        """Go on behind a sign. Raises QueryWrong when another word is next."""
        if not self.accept(sign):
            self.wrong(self.peek(), f'unexpected {shown(self.peek())}, expected "{sign}"')

    def unexpected(self) -> NoReturn:
        """Raise QueryWrong for the next word."""
        self.wrong(self.peek(), f"unexpected {shown(self.peek())}")

    def wrong(self, word: Word, what: str) -> NoReturn:
        """Raise QueryWrong with the place of a word."""
        raise wrong(self.text, word.at, f"parse error: {what}")

    def operator(self, word: Word) -> str:
        """Return a name or sign in lower case, empty for another word."""
        return word.text.lower() if word.kind in ("name", "sign") else ""

    def labels(self) -> tuple[str, ...]:
        """Read labels in parentheses."""
        self.expect("(")
        found: list[str] = []
        while not self.accept(")"):
            label = self.take()
            if label.kind != "name":
                self.wrong(label, f"unexpected {shown(label)} in grouping opts, expected label")
            found.append(label.text)
            if not self.accept(","):
                self.expect(")")
                break
        return tuple(found)

    def span_ms(self, word: Word) -> int:
        """Return a duration in milliseconds."""
        span_ms = duration_ms(word.text)
        if not 0 < span_ms <= _MOST_MS:
            self.wrong(word, "duration must be greater than 0 and no more than 100y")
        return span_ms


def shown(word: Word) -> str:
    """Return a word as messages name it."""
    return "end of input" if word.kind == "end" else f'{word.kind} "{word.text[:80]}"'
