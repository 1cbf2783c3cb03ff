"""Selectors as they are written: a name, labels in braces, a range in brackets, an offset, a moment; and subqueries."""

from collections.abc import Mapping

import msgspec

from dayfly.observe.promql.faults import wrong
from dayfly.observe.promql.lexer import Word, number
from dayfly.observe.promql.nodes import KIND_WORDS, NAME, Matcher, Node, Ranged, Selector, Subquery
from dayfly.observe.promql.pattern import Pattern
from dayfly.observe.promql.reading import Reading, shown

EVERY_MS = 60_000
"""The step of a subquery that says none: what Prometheus takes unless it was told otherwise."""
_FARTHEST_MS = 2**53


class Selecting(Reading):
    """The part of a parser for selectors. `bounds` are the moments that `start()` and `end()` mean."""

    def __init__(self, text: str, bounds: Mapping[str, int]) -> None:
        super().__init__(text)
        self._bounds = bounds

    def selector(self, name: str | None, at: int) -> Selector:
        """Read the labels behind a metric's name, or without one."""
        matchers = [Matcher(NAME, "=", name)] if name is not None else []
        if self.accept("{"):
            while not self.accept("}"):
                matchers.append(self._matcher(name))
                if not self.accept(","):
                    self.expect("}")
                    break
        if all(_takes_empty(each) for each in matchers):
            raise wrong(self.text, at, "parse error: vector selector must contain at least one non-empty matcher")
        return Selector(tuple(matchers), 0, at)

    def _matcher(self, name: str | None) -> Matcher:
        label = self.take()
        if label.kind != "name":
            self.wrong(label, f"unexpected {shown(label)} in label matching, expected a label's name")
        if name is not None and label.text == NAME:
            self.wrong(label, f'metric name must not be set twice: "{name}"')
        sign = self.take()
        value = self.take()
        if sign.text not in ("=", "!=", "=~", "!~") or sign.kind != "sign":
            self.wrong(sign, f"unexpected {shown(sign)} in label matching, expected one of = != =~ !~")
        if value.kind != "string":
            self.wrong(value, f"unexpected {shown(value)} in label matching, expected a string")
        if sign.text in ("=~", "!~"):
            self.pattern(value)
        return Matcher(label.text, sign.text, value.text)  # type: ignore[arg-type]  # one of the four

    def pattern(self, word: Word) -> None:
        """Refuse a regular expression that cannot be read."""
        try:
            Pattern(word.text)
        except ValueError as error:
            self.wrong(word, f"{error}")

    def postfix(self, found: Node, begin: Word) -> Node:
        """Read what may follow a selector, or a subquery's expression, which begins with the word."""
        while True:
            sign = self.peek()
            if sign.kind == "sign" and sign.text == "[":
                found = self._in_brackets(found, begin)
            elif self.operator(sign) == "offset":
                found = self._offset(found, begin)
            elif sign.kind == "sign" and sign.text == "@":
                found = self._fixed(found, begin)
            else:
                return found

    def _in_brackets(self, found: Node, begin: Word) -> Node:
        sign = self.take()
        range_ms = self._duration("")
        if self.accept(":"):
            every_ms = EVERY_MS if self.peek().text == "]" else self._duration(" in subquery selector")
            self.expect("]")
            if found.kind != "vector":
                self.wrong(begin, f"subquery is only allowed on instant vector, got {KIND_WORDS[found.kind]}")
            return Subquery(found, range_ms, every_ms, begin.at)
        self.expect("]")
        if not isinstance(found, Selector) or found.range_ms or _is_closed(begin):
            self.wrong(sign, "ranges only allowed for vector selectors")
        if found.offset_ms:
            self.wrong(sign, "no offset modifiers allowed before range")
        if found.fixed_ms is not None:
            self.wrong(sign, "no @ modifiers allowed before range")
        return msgspec.structs.replace(found, range_ms=range_ms)

    def _duration(self, where: str) -> int:
        span = self.take()
        if span.kind != "duration":
            self.wrong(span, f"unexpected {shown(span)}{where}, expected a duration such as 5m")
        return self.span_ms(span)

    def _offset(self, found: Node, begin: Word) -> Node:
        self.take()
        sign = -1 if self.accept("-") else 1
        offset_ms = sign * self._duration(" in offset")
        timed = self._timed(found, begin, "offset")
        if timed.offset_ms:
            self.wrong(begin, "offset may not be set multiple times")
        return msgspec.structs.replace(timed, offset_ms=offset_ms)

    def _fixed(self, found: Node, begin: Word) -> Node:
        self.take()
        fixed_ms = self._moment()
        timed = self._timed(found, begin, "@")
        if timed.fixed_ms is not None:
            self.wrong(begin, "@ <timestamp> may not be set multiple times")
        return msgspec.structs.replace(timed, fixed_ms=fixed_ms)

    def _moment(self) -> int:
        word = self.take()
        if word.kind == "name" and word.text.lower() in self._bounds:
            self.expect("(")
            self.expect(")")
            return self._bounds[word.text.lower()]
        sign = -1 if word.text == "-" else 1
        if word.kind == "sign" and word.text in "+-":
            word = self.take()
        if word.kind != "number":
            self.wrong(word, f"unexpected {shown(word)} in @, expected timestamp literal, start() or end()")
        at_ms = sign * number(word.text) * 1000
        if not abs(at_ms) <= _FARTHEST_MS:
            self.wrong(word, f"timestamp out of bounds for @ modifier: {sign * number(word.text):g}")
        return round(at_ms)

    def _timed(self, found: Node, begin: Word, what: str) -> Ranged:
        if isinstance(found, Subquery) or (isinstance(found, Selector) and not _is_closed(begin)):
            return found
        self.wrong(
            begin,
            f"{what} modifier must be preceded by an instant vector selector or range vector selector or a subquery",
        )


def _is_closed(begin: Word) -> bool:
    """Whether what begins so stands in parentheses."""
    return begin.kind == "sign" and begin.text == "("


def _takes_empty(matcher: Matcher) -> bool:
    match matcher.word:
        case "=":
            return matcher.value == ""
        case "!=":
            return matcher.value != ""
        case "=~":
            return Pattern(matcher.value).matches("")
    return not Pattern(matcher.value).matches("")
