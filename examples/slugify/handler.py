"""Text in; its slug, words and most frequent words out."""

import re
import unicodedata
from collections import Counter


def handle(event, context):
    """Return facts about the text in the body."""
    text = event.body.decode("utf-8", "replace")
    words = re.findall(r"\w+", text.lower())
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return {
        "slug": re.sub(r"[^a-z0-9]+", "-", plain).strip("-"),
        "words": len(words),
        "characters": len(text),
        "most_frequent": [word for word, _ in Counter(words).most_common(3)],
    }
