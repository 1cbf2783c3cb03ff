"""Names: the one place where text from outside becomes a name we trust.

A name ends up in paths, URLs, metric labels and log lines. It is checked once, here, at the border; behind the border
only the types below travel, so that no inner layer has to ask again (threats T2 and T7 of the threat model).
"""

import re
import secrets
import uuid
from typing import NewType

import msgspec

from dayfly.model.errors import InvalidName

FunctionName = NewType("FunctionName", str)
NamespaceName = NewType("NamespaceName", str)
ReplicaId = NewType("ReplicaId", str)
BundleDigest = NewType("BundleDigest", str)

DEFAULT_NAMESPACE = NamespaceName("openfaas-fn")
"""The namespace of OpenFaaS's clients: `faas-cli invoke` always appends it to the function's name."""

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_REPLICA = re.compile(r"[a-z0-9]{10}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_SECRET = re.compile(r"[a-z0-9](?:[-a-z0-9._]{0,251}[a-z0-9])?", re.ASCII)
_CALL_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}", re.ASCII)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class FunctionKey(msgspec.Struct, frozen=True, order=True):
    """A function's identity: its namespace and its name within it."""

    namespace: NamespaceName
    name: FunctionName

    def __str__(self) -> str:
        """`name.namespace`, as metrics, logs and URLs write it."""
        return f"{self.name}.{self.namespace}"


def parse_function_name(text: str) -> FunctionName:
    """Return `text` as a function name: 1 to 63 of a-z, 0-9 and dashes, no dash at either end.

    Raises InvalidName.
    """
    return FunctionName(_checked(_LABEL, text, "function name"))


def parse_namespace(text: str) -> NamespaceName:
    """Return `text` as a namespace name; the empty text is the default namespace. Raises InvalidName."""
    if not text:
        return DEFAULT_NAMESPACE
    return NamespaceName(_checked(_LABEL, text, "namespace"))


def parse_function_key(text: str) -> FunctionKey:
    """Return the key that `NAME` or `NAME.NAMESPACE` means. Raises InvalidName."""
    name, dot, namespace = text.rpartition(".")
    if not dot:
        return FunctionKey(DEFAULT_NAMESPACE, parse_function_name(text))
    if not namespace:
        raise InvalidName(f"{text!r} ends with a dot; write NAME or NAME.NAMESPACE")
    return FunctionKey(parse_namespace(namespace), parse_function_name(name))


def parse_replica_id(text: str) -> ReplicaId:
    """Return `text` as a replica's id. Raises InvalidName."""
    if not _REPLICA.fullmatch(text):
        raise InvalidName(f"{text!r} is not a replica id: ten of a-z and 0-9")
    return ReplicaId(text)


def parse_bundle_digest(text: str) -> BundleDigest:
    """Return `text` as the digest of a code bundle, `sha256:` and 64 hex digits. Raises InvalidName."""
    if not _DIGEST.fullmatch(text):
        raise InvalidName(f"{text[:80]!r} is not a bundle digest: 'sha256:' and 64 lower-case hex digits")
    return BundleDigest(text)


def parse_secret_name(text: str) -> str:
    """Return `text` as a secret's name. Raises InvalidName."""
    if ".." in text:
        raise InvalidName(f"{text[:80]!r} is not a secret name: it holds '..'")
    return _checked(_SECRET, text, "secret name", "a-z, 0-9, '-', '.' and '_', at most 253")


def parse_route_name(text: str) -> str:
    """Return `text` as a route's name. Raises InvalidName."""
    return _checked(_LABEL, text, "route name")


def parse_flow_name(text: str) -> str:
    """Return `text` as a flow's name. Raises InvalidName."""
    return _checked(_LABEL, text, "flow name")


def parse_budget_name(text: str) -> str:
    """Return `text` as a budget's name. Raises InvalidName."""
    return _checked(_LABEL, text, "budget name")


def parse_trigger_name(text: str) -> str:
    """Return `text` as a trigger's name. Raises InvalidName."""
    return _checked(_LABEL, text, "trigger name")


def parse_alert_name(text: str) -> str:
    """Return `text` as the name of an alert rule, a receiver or a report. Raises InvalidName."""
    return _checked(_LABEL, text, "name")


def parse_env_name(text: str) -> str:
    """Return `text` as the name of an environment variable. Raises InvalidName."""
    return _checked(_ENV_NAME, text, "environment variable name", "letters, digits and '_', no digit first")


def is_call_id(text: str) -> bool:
    """Whether a caller may bring this call id along; any other is replaced by one of ours."""
    return _CALL_ID.fullmatch(text) is not None


def new_replica_id() -> ReplicaId:
    """Return a fresh replica id: ten random characters, short enough for a unix socket's path."""
    return ReplicaId("".join(secrets.choice(_ALPHABET) for _ in range(10)))


def new_call_id() -> str:
    """Return a fresh call id, a random UUID."""
    return str(uuid.uuid4())


def new_run_id() -> str:
    """Return a fresh id of a flow's run, 16 random characters."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(16))


def _checked(
    pattern: re.Pattern[str],
    text: str,
    what: str,
    rule: str = "a-z, 0-9 and dashes, 1 to 63 characters, no dash at either end",
) -> str:
    if not pattern.fullmatch(text):
        article = "an" if what[0] in "aeiou" else "a"
        raise InvalidName(f"{text[:80]!r} is not {article} {what}: {rule}")
    return text
