"""An animal that says what is in the body, or something of its own."""

import random
import textwrap

_ANIMALS = (
    r"""
   \   ^__^
    \  (oo)\_______
       (__)\       )\/\
           ||----w |
           ||     ||
""",
    r"""
   \    .--.
    \  |o_o |
       |:_/ |
      //   \ \
     (|     | )
     \_)===(_/
""",
    r"""
   \   /\_/\
    \ ( o.o )
       > ^ <
      /|   |\
     (_|   |_)
""",
    r"""
   \    __
    \  /o \_____
       \__/-=====`
""",
)
_SAYINGS = ("Moo.", "I scale to zero at night.", "Cold start? I was only resting.", "Grass is a stateless resource.")


def handle(event, context):
    """Return the animal, with a bubble."""
    words = event.body.decode("utf-8", "replace").split()
    lines = textwrap.wrap(" ".join(words) or random.choice(_SAYINGS), 40)
    width = max(map(len, lines))
    edge = "-" * (width + 2)
    bubble = [f" {edge}", *(f"| {line.ljust(width)} |" for line in lines), f" {edge}"]
    return "\n".join(bubble) + random.choice(_ANIMALS)
