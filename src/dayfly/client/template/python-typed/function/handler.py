"""A function with a typed contract: JSON in, checked against the hints, JSON out.

    echo '{"name": "Dayfly", "times": 2}' | dayfly invoke NAME --content-type application/json

What does not fit the hints is refused before `handle` is called. What is printed goes to the log: `dayfly logs`.
"""

from dataclasses import dataclass


@dataclass
class Greeting:
    """What is answered."""

    text: str
    length: int


def handle(name: str, times: int = 1) -> Greeting:
    """Greet somebody, more than once if asked to."""
    text = " ".join([f"Hello, {name}!"] * times)
    return Greeting(text, len(text))
