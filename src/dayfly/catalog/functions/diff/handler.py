"""What changed between two texts: `{"before": "…", "after": "…"}` in, a unified diff out."""

import difflib


def handle(event, context):
    """Return the diff; empty when the texts are equal."""
    try:
        texts = event.json()
        before, after = texts["before"].splitlines(keepends=True), texts["after"].splitlines(keepends=True)
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"statusCode": 400, "body": 'write JSON: {"before": "…", "after": "…"}\n'}
    lines = difflib.unified_diff(before, after, "before", "after")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
