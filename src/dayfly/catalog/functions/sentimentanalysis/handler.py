"""How friendly an English text sounds, by the words it uses: a list of some two hundred, and who turns them round.

It knows no irony. For more than a first impression, deploy a function with a language model.
"""

import re

_GOOD = set(
    "amazing awesome beautiful best better brilliant calm cheerful clean clear clever comfortable cool correct"
    " cute delicious delightful easy elegant enjoy enjoyed enjoys excellent excited exciting fantastic fast"
    " favourite fine free fresh friendly fun funny generous gentle glad good gorgeous graceful grateful great"
    " happiness happy helpful honest hope impressive incredible interesting joy kind like liked likes love loved"
    " lovely loves lucky magnificent marvellous nice outstanding peaceful perfect pleasant pleased pleasure polite"
    " positive powerful precious pretty proud quick recommend relaxed reliable rich safe satisfied simple smart"
    " smile smooth solid splendid strong stunning succeed success successful super superb sweet terrific thank"
    " thankful thanks useful warm welcome well win winner wise wonderful worth wow yes".split()
)
_BAD = set(
    "abysmal afraid angry annoyed annoying appalling ashamed awful awkward bad bitter boring broken bug bugs"
    " careless clumsy cold complain complaint confused confusing crash crashed crashes cruel cry damage damaged"
    " dangerous dead dirty disappointed disappointing disaster disgusting dreadful dull evil expensive fail failed"
    " failing fails failure fake fear filthy fool foolish frustrated frustrating gloomy guilty hate hated hates"
    " hopeless horrible hostile hurt hurts ill inferior lazy liar lie lonely lose loser lost mad mean mess"
    " miserable mistake mistakes nasty negative noisy painful pathetic poor problem problems regret rotten rude"
    " ruined sad scared scary selfish shame sick silly slow sorry stupid terrible threat tired tragic trouble ugly"
    " unfair unhappy unpleasant unreliable upset useless violent waste weak weird worried worse worst worthless"
    " wrong".split()
)
_TURNS = {"not", "no", "never", "hardly", "without", "nothing", "neither", "nor", "cannot", "aint"}
_STRONGER = {"very", "really", "so", "extremely", "absolutely", "totally", "truly", "incredibly"}


def handle(event, context):
    """Return polarity (-1 to 1), subjectivity (0 to 1: how many words judge) and the number of sentences."""
    text = event.body.decode("utf-8", "replace").strip()
    words = re.findall(r"[a-z]+(?:n't)?", text.lower().replace("’", "'"))
    scores = [score for at in range(len(words)) if (score := _score(words, at))]
    total = sum(scores)
    return {
        "polarity": round(total / (abs(total) + 1.5), 3) if scores else 0.0,
        "subjectivity": round(min(1.0, 3 * len(scores) / len(words)), 3) if words else 0.0,
        "sentence_count": len([part for part in re.split(r"(?<=[.!?])\s+", text) if part]),
    }


def _score(words, at):
    """Return what one word adds, seen with the three before it."""
    value = (words[at] in _GOOD) - (words[at] in _BAD)
    if not value:
        return 0.0
    before = words[max(0, at - 3) : at]
    turned = any(word in _TURNS or word.endswith("n't") for word in before)
    strength = 1.5 if before and before[-1] in _STRONGER else 1.0
    return value * strength * (-0.8 if turned else 1.0)
