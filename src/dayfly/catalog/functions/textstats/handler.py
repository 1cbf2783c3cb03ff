"""How long a text is, how long it takes to read, and how hard that is."""

import re
from collections import Counter


def handle(event, context):
    """Return counts, reading time and the Flesch reading ease (100 is easy, 0 is hard; made for English)."""
    text = event.body.decode("utf-8", "replace")
    words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text)
    sentences = max(1, len(re.findall(r"[.!?]+(?:\s|$)", text)))
    syllables = sum(_syllables(word) for word in words)
    count = len(words)
    ease = 206.835 - 1.015 * count / sentences - 84.6 * syllables / count if count else 0.0
    return {
        "characters": len(text),
        "words": count,
        "sentences": sentences if count else 0,
        "paragraphs": len([part for part in re.split(r"\n\s*\n", text) if part.strip()]),
        "reading_minutes": round(count / 230, 1),
        "reading_ease": round(ease, 1),
        "most_frequent": [word for word, _ in Counter(word.lower() for word in words if len(word) > 3).most_common(5)],
    }


def _syllables(word):
    vowels = len(re.findall(r"[aeiouyäöüàáâèéêìíîòóôùúû]+", word.lower()))
    silent = word.lower().endswith("e") and vowels > 1
    return max(1, vowels - silent)
