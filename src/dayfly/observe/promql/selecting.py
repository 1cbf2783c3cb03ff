"""Selectors as they are written: a name, labels in braces, a range in brackets, an offset."""

from dayfly.observe.promql.faults import wrong
from dayfly.observe.promql.lexer import Word
from dayfly.observe.promql.nodes import NAME, Matcher, Node, Selector
from dayfly.observe.promql.pattern import Pattern
from dayfly.observe.promql.reading import Reading, shown


class Selecting(Reading):
    """The part of a parser for selectors."""

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
        return Selector(tuple(matchers), 0, 0, at)

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

    def postfix(self, found: Node) -> Node:
        """Read what may follow a selector."""
        while True:
            sign = self.peek()
            if sign.kind == "sign" and sign.text == "[":
                found = self._ranged(found)
            elif self.operator(sign) == "offset":
                found = self._offset(found)
            elif sign.kind == "sign" and sign.text == "@":
                self.wrong(sign, "the @ modifier of Prometheus is not there; give the time beside the query instead")
            else:
                return found

    def _ranged(self, found: Node) -> Node:
        sign = self.take()
        span = self.take()
        if span.kind != "duration":
            self.wrong(span, f"unexpected {shown(span)}, expected a duration such as 5m")
        if self.peek().text == ":":
            self.wrong(self.peek(), "subqueries such as [1h:1m] are not there: Dayfly answers a subset of PromQL")
        self.expect("]")
        if not isinstance(found, Selector) or found.range_ms or found.offset_ms:
            self.wrong(sign, "ranges only allowed for vector selectors, before an offset")
        return Selector(found.matchers, self.span_ms(span), 0, found.at)

    def _offset(self, found: Node) -> Node:
        word = self.take()
        sign = -1 if self.accept("-") else 1
        span = self.take()
        if span.kind != "duration":
            self.wrong(span, f"unexpected {shown(span)} in offset, expected a duration such as 5m")
        if not isinstance(found, Selector):
            self.wrong(word, "offset modifier must be preceded by an instant vector selector or range vector selector")
        if found.offset_ms:
            self.wrong(word, "offset may not be set multiple times")
        return Selector(found.matchers, found.range_ms, sign * self.span_ms(span), found.at)


def _takes_empty(matcher: Matcher) -> bool:
    match matcher.word:
        case "=":
            return matcher.value == ""
        case "!=":
            return matcher.value != ""
        case "=~":
            return Pattern(matcher.value).matches("")
    return not Pattern(matcher.value).matches("")
