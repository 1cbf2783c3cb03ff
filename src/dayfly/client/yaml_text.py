"""YAML as people mean it in a stack file: every scalar is the text that was written.

YAML's own rules turn `010` into 8, `1.0` into 1 and `yes` into true, which is wrong for environment variables and
labels, and is not what faas-cli does. So the text is parsed to nodes by PyYAML, and the nodes become dicts, lists and
strings here; only a plain `null`, `~` or nothing is None. Other tags than YAML's simple ones are refused, so that no
document can make objects. Anchors, aliases and merge keys work, up to a document that would unfold to more than
100,000 values; one that contains itself is refused.
"""

from typing import Any, TypeAlias

import yaml

from dayfly.model.errors import InvalidSpec

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | None"

_MAX_VALUES = 100_000
_MAX_DEPTH = 100
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = {_TAG + kind for kind in ("str", "int", "float", "bool", "timestamp", "null", "merge", "value")}


class _Loader(yaml.SafeLoader):
    """Resolves no scalar but null and the merge key, so that all others stay text."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, expression) for tag, expression in found if tag in (_TAG + "null", _TAG + "merge")]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(text: str) -> Tree:
    """Return the one document of the text; None for an empty one.

    Raises InvalidSpec, with line and column, for what is not YAML, has a key twice, a key that is no scalar, a tag of
    its own, or unfolds beyond the limits.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InvalidSpec(_told(error)) from error
    except RecursionError as error:
        raise InvalidSpec(f"values are nested more than {_MAX_DEPTH} deep") from error
    return _Unfolding().value(node, depth=0) if node is not None else None


def dump(value: Any) -> str:
    """Return builtins (dicts, lists, text, numbers) as YAML, keys in their order."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000)


class _Unfolding:
    """Nodes to values, counting every value as often as an alias repeats it."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES

    def value(self, node: yaml.Node, *, depth: int) -> Tree:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            what = f"more than {_MAX_VALUES}, aliases unfolded" if self._left < 0 else "nested too deep"
            raise _refusal(node, f"values are {what}")
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, depth=depth + 1) for item in node.value]
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _TEXT_TAGS:
            raise _refusal(node, f"the tag {node.tag[:60]} is not understood")
        return None if node.tag == _TAG + "null" else str(node.value)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> Tree:
        own: dict[str, Tree] = {}
        merged: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refusal(key_node, "a key must be plain text")
            value = self.value(value_node, depth=depth + 1)
            if key_node.tag == _TAG + "merge":
                self._merge(merged, value, value_node)
                continue
            key = str(key_node.value)
            if key in own:
                raise _refusal(key_node, f"the key {key[:60]!r} is there twice")
            own[key] = value
        return {**merged, **own}

    def _merge(self, merged: dict[str, Tree], value: Tree, node: yaml.Node) -> None:
        for source in value if isinstance(value, list) else [value]:
            if not isinstance(source, dict):
                raise _refusal(node, "<< takes a mapping or a list of them")
            for key, item in source.items():
                merged.setdefault(key, item)


def _refusal(node: yaml.Node, what: str) -> InvalidSpec:
    mark = node.start_mark
    return InvalidSpec(f"line {mark.line + 1}, column {mark.column + 1}: {what}")


def _told(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        return f"{where}{error.problem or error.context or 'this is not YAML'}"
    return " ".join(str(error).split())
