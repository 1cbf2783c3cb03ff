"""What somebody searches logs for, as they wrote it: words that a line has, in the way of search engines.

    order failed            both words
    "order failed"          one after the other
    time*                   words that begin so
    -health                 lines without it

A text is never handed on as it is: each part becomes a `Term`, and whoever keeps an index says it in that one's tongue.
Words are letters and digits in a row; what is between them parts them, so that `/api/orders` is two words that follow
each other. Upper and lower case, and accents, make no difference.
"""

import msgspec

from dayfly.model.errors import InvalidRequest

MAX_SEARCH = 500
MAX_TERMS = 20


class Term(msgspec.Struct, frozen=True):
    """Words that follow each other."""

    text: str
    is_prefix: bool = False
    """Whether the last may go on."""
    is_absent: bool = False
    """Whether a line must not have them."""


def parse_search(text: str) -> tuple[Term, ...]:
    """Return what is searched for; nothing for an empty text. Raises InvalidRequest."""
    if len(text) > MAX_SEARCH:
        raise InvalidRequest(f"search: has {len(text)} characters, more than the {MAX_SEARCH} it may have")
    terms, rest = [], text.strip()
    while rest:
        is_absent = rest.startswith("-")
        term, rest = _quoted(rest[is_absent:]) if rest[is_absent:].startswith('"') else _bare(rest[is_absent:])
        is_prefix = rest.startswith("*")
        rest = rest[is_prefix:].lstrip()
        if any(letter.isalnum() for letter in term):
            terms.append(Term(term, is_prefix, is_absent))
    if len(terms) > MAX_TERMS:
        raise InvalidRequest(f"search: has {len(terms)} words, more than the {MAX_TERMS} it may have")
    if text.strip() and all(term.is_absent for term in terms):
        raise InvalidRequest(
            "search: names no word that a line is to have", hint='Write for example: timeout "order failed" -health'
        )
    return tuple(terms)


def _quoted(text: str) -> tuple[str, str]:
    term, quote, rest = text[1:].partition('"')
    if not quote:
        raise InvalidRequest('search: a quotation mark is left open; write "words that follow each other"')
    return term, rest


def _bare(text: str) -> tuple[str, str]:
    term = text.split(maxsplit=1)[0] if text and not text[0].isspace() else ""
    return term.rstrip("*"), text[len(term.rstrip("*")) :]
