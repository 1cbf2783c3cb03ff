"""Values as somebody gives them, in several places: what is said later counts more, field by field."""

from typing import Any

from dayfly.model.errors import ConfigError


def merged(earlier: Any, later: Any) -> Any:
    """Return both, mappings joined field by field and everything else replaced. Raises ConfigError for no mapping."""
    if not isinstance(earlier, dict) or not isinstance(later, dict):
        raise ConfigError("The values have to be a mapping, such as `gateway: {replicas: 3}`.")
    return {**earlier, **{name: _joined(earlier.get(name), value) for name, value in later.items()}}


def placed(path: str, text: str) -> dict[str, Any]:
    """Return the value of `--set`: a text below the path of its names, or a list for `{a,b}`.

    Raises ConfigError for a path with an empty name.
    """
    names = path.split(".")
    if not all(names):
        raise ConfigError(f"--set {path[:100]!r} is no path to a value; gateway.replicas is one.")
    value: Any = text
    if text.startswith("{") and text.endswith("}"):
        value = [item.strip() for item in text[1:-1].split(",") if item.strip()]
    for name in reversed(names):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def _joined(earlier: Any, later: Any) -> Any:
    return merged(earlier, later) if isinstance(earlier, dict) and isinstance(later, dict) else later
