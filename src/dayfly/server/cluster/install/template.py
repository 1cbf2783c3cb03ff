"""Nodes as YAML: with Go templates where a choice is Helm's, and without any where nothing is left to choose.

Text goes out as JSON, which is YAML too, unless it is a plain word: nobody has to think about what YAML makes of `no`,
`1.0` or a colon. A value of Helm's goes through `toJson` for the same reason, so that no value can become structure.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from dayfly.server.cluster.install.choices import ABSENT, CLOSE, OPEN, Each, Node, Several, When

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_MARKED = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
_STEP = "  "


def document(node: Node) -> str:
    """Return an object as a document of its own, below a line `---`; of a choice of objects, each."""
    return "".join(f"{line}\n" for line in _documents(node))


def _documents(node: Node) -> Iterator[str]:
    if node is ABSENT:
        return
    if isinstance(node, When):
        yield f"{{{{- if {node.condition} }}}}"
        yield from _documents(node.then)
        if node.otherwise is not ABSENT:
            yield "{{- else }}"
            yield from _documents(node.otherwise)
        yield "{{- end }}"
    elif isinstance(node, Each):
        yield f"{{{{- range {node.variable} := {node.items} }}}}"
        yield from _documents(node.made)
        yield "{{- end }}"
    elif isinstance(node, Several):
        for item in node.items:
            yield from _documents(item)
    else:
        yield "---"
        yield from _mapping(node, "")


def _mapping(node: Mapping[str, Node], pad: str) -> Iterator[str]:
    for key, value in node.items():
        yield from _entry(f"{pad}{scalar(key)}:", value, pad)


def _entry(head: str, value: Node, pad: str) -> Iterator[str]:
    if value is ABSENT:
        return
    if isinstance(value, When):
        yield f"{{{{- if {value.condition} }}}}"
        yield from _entry(head, value.then, pad)
        if value.otherwise is not ABSENT:
            yield "{{- else }}"
            yield from _entry(head, value.otherwise, pad)
        yield "{{- end }}"
    elif isinstance(value, Mapping) and value:
        yield head
        yield from _mapping(value, pad + _STEP)
    elif isinstance(value, list | tuple) and value:
        yield head
        yield from _sequence(value, pad)
    else:
        yield f"{head} {_empty_or_scalar(value)}"


def _sequence(nodes: Sequence[Node], pad: str) -> Iterator[str]:
    for node in nodes:
        yield from _item(node, pad)


def _item(node: Node, pad: str) -> Iterator[str]:
    if node is ABSENT:
        return
    if isinstance(node, When):
        yield f"{{{{- if {node.condition} }}}}"
        yield from _item(node.then, pad)
        if node.otherwise is not ABSENT:
            yield "{{- else }}"
            yield from _item(node.otherwise, pad)
        yield "{{- end }}"
    elif isinstance(node, Each):
        yield f"{{{{- range {node.variable} := {node.items} }}}}"
        yield from _item(node.made, pad)
        yield "{{- end }}"
    elif isinstance(node, Several):
        yield from _sequence(node.items, pad)
    elif isinstance(node, Mapping) and node:
        lines = [*_mapping(node, pad + _STEP)]
        if lines[0].startswith("{{-"):
            # Whichever key comes first is not known, so the dash has a line of its own.
            yield f"{pad}-"
        else:
            lines[0] = f"{pad}- {lines[0].lstrip()}"
        yield from lines
    else:
        yield f"{pad}- {_empty_or_scalar(node)}"


def _empty_or_scalar(value: Node) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return scalar(value)


def scalar(value: Node) -> str:
    """Return a scalar as YAML takes it."""
    if not isinstance(value, str):
        return json.dumps(value)
    text = str.__str__(value)
    if OPEN in text:
        return _pieces(text)
    if "{{" in text:
        return f"{{{{ {json.dumps(text)} | toJson }}}}"
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text)


def _pieces(text: str) -> str:
    found = _MARKED.findall(text)
    if len(found) == 1 and text == f"{OPEN}{found[0]}{CLOSE}":
        return f"{{{{ {found[0]} | toJson }}}}"
    form = json.dumps(_MARKED.sub("%v", text.replace("%", "%%")))
    return f"{{{{ printf {form} {' '.join(f'({each})' for each in found)} | toJson }}}}"
