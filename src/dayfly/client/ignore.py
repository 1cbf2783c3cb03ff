"""`.dayflyignore`: which files of a handler's folder do not belong to the function.

The rules are those of `.gitignore`: a pattern a line, `#` begins a comment, `!` takes a file back in, a slash at the
end means folders only, a slash elsewhere ties the pattern to the top, `*` and `?` stop at slashes, `**` does not, and
the last pattern that matches decides. What is inside a folder that is left out cannot be taken back in.
"""

import re

import msgspec

_MAX_LINES = 1000
_MAX_LINE = 1000


class _Rule(msgspec.Struct, frozen=True):
    pattern: re.Pattern[str]
    folders_only: bool
    takes_in: bool


class IgnoreRules:
    """The patterns of one file. Lines beyond the first thousand, or longer than that, are not looked at."""

    def __init__(self, text: str = "") -> None:
        lines = (line.rstrip() for line in text.splitlines()[:_MAX_LINES])
        self._rules = [_rule(line) for line in lines if line and not line.startswith("#") and len(line) <= _MAX_LINE]

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Whether this path, relative to the folder and with forward slashes, is left out by the rules."""
        for rule in reversed(self._rules):
            if (is_folder or not rule.folders_only) and rule.pattern.fullmatch(path):
                return not rule.takes_in
        return False


def _rule(line: str) -> _Rule:
    takes_in = line.startswith("!")
    glob = line[1:] if takes_in else line.removeprefix("\\")
    folders_only = glob.endswith("/")
    glob = glob.rstrip("/")
    anchored = "/" in glob
    expression = _expression(glob.removeprefix("/"))
    return _Rule(re.compile(expression if anchored else f"(?:.*/)?{expression}", re.DOTALL), folders_only, takes_in)


def _expression(glob: str) -> str:
    out, at = "", 0
    while at < len(glob):
        letter = glob[at]
        if glob.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif glob.startswith("**", at):
            out, at = out + ".*", at + 2
        elif letter == "[" and (end := glob.find("]", at + 2)) > 0:
            out, at = out + _letters(glob[at + 1 : end]), end + 1
        else:
            out, at = out + {"*": "[^/]*", "?": "[^/]"}.get(letter, re.escape(letter)), at + 1
    return out


def _letters(inside: str) -> str:
    negated = inside.startswith(("!", "^"))
    body = re.sub(r"(.)-(.)|(.)", _letter_or_range, inside[1:] if negated else inside, flags=re.DOTALL)
    return f"[{'^' if negated else ''}{body}]" if body else ("[^/]" if negated else "(?!)")


def _letter_or_range(found: re.Match[str]) -> str:
    first, last, letter = found.groups()
    if letter is not None:
        return re.escape(letter)
    # A range that runs backwards, `[z-a]`, holds nothing.
    return f"{re.escape(first)}-{re.escape(last)}" if first <= last else ""
