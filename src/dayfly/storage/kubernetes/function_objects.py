"""Functions as objects and back: no request is made here.

What is true of a function is its object's status: which revisions there are, which one serves, which is to take over,
how many replicas somebody set. The `spec` is a wish, and after a deployment over HTTP a mirror of it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from dayfly.cluster.kinds import FUNCTION, MANAGER, REVISION, Object, name_of, namespace_of, owner_of
from dayfly.cluster.records import FunctionStatus, Trial
from dayfly.model.errors import StoreUnavailable
from dayfly.model.function import Candidate, Function, FunctionSpec, Revision
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, NamespaceName
from dayfly.storage.port import KEPT_REVISIONS

FUNCTION_LABEL = "dayfly.dev/function"
_IDENTITY = ("name", "namespace")
_RECORD = ("number", "createdUnixMs")


def key_of(obj: Object) -> FunctionKey:
    """Return which function an object is about."""
    return FunctionKey(NamespaceName(namespace_of(obj)), FunctionName(name_of(obj)))


def status_of(obj: Object) -> FunctionStatus:
    """Return the status of a Function's object. Raises StoreUnavailable for one that is none."""
    try:
        return msgspec.convert(obj.get("status") or {}, FunctionStatus)
    except msgspec.ValidationError as error:
        raise _damaged(f"the status of the function {key_of(obj)}", error) from error


def plain(struct: Any) -> Any:
    """Return a struct as objects have it."""
    return msgspec.json.decode(msgspec.json.encode(struct))


def mirrored(function: Function) -> Object:
    """Return the `spec` that says what a function's newest revision is."""
    spec = _without(plain(function.newest.spec), _IDENTITY)
    if function.candidate is not None and function.candidate.canary is not None:
        spec["canary"] = plain(function.candidate.canary)
    return with_replicas(spec, function.replicas)


def with_replicas(spec: Object, replicas: int | None) -> Object:
    """Return the spec with so many replicas set by hand."""
    spec = _without(spec, ("replicas",))
    return spec if replicas is None else {**spec, "replicas": replicas}


def digest_of(spec: Object) -> str:
    """Return a digest of all that a spec says but how many replicas there are to be.

    It is the same for what we write and for what the API server makes of it, which writes 1.0 as 1.
    """
    text = msgspec.json.encode(_as_served(_without(spec, ("replicas",))), order="deterministic")
    return hashlib.sha256(text).hexdigest()[:32]


def revision_object(owner: Object, revision: Revision, name: str) -> Object:
    """Return the object of a revision of the function whose object is given."""
    record = {"number": revision.number, "createdUnixMs": revision.created_unix_ms}
    meta = {"labels": {FUNCTION_LABEL: name_of(owner)}, "ownerReferences": [owner_of(owner)]}
    spec = _without(plain(revision.spec), _IDENTITY) | record
    return REVISION.object(name, namespace_of(owner), metadata=meta, spec=spec)


def revision_of(obj: Object) -> Revision:
    """Return the revision that an object holds. Raises StoreUnavailable for one that is none."""
    meta, spec = obj["metadata"], obj.get("spec", {})
    identity = _identity(meta.get("labels", {}).get(FUNCTION_LABEL), meta["namespace"])
    try:
        return msgspec.convert(
            {"number": spec.get("number"), "created_unix_ms": spec.get("createdUnixMs"),
             "spec": _without(spec, _RECORD) | identity},
            Revision,
        )  # fmt: skip
    except msgspec.ValidationError as error:
        raise _damaged(f"the revision {name_of(obj)} of the namespace {meta['namespace']}", error) from error


def function_of(obj: Object, revisions: Mapping[str, Revision]) -> Function | None:
    """Return the function that an object and its revisions, by their objects' names, make; None if one is missing."""
    status = status_of(obj)
    serving = revisions.get(status.revisions.get(str(status.revision), ""))
    candidate = None
    if status.candidate is not None:
        trial = revisions.get(status.revisions.get(str(status.candidate.revision), ""))
        if trial is None:
            return None
        candidate = Candidate(revision=trial, canary=status.candidate.canary)
    if serving is None:
        return None
    return Function(
        key=key_of(obj), revision=serving, candidate=candidate, outcome=status.outcome,
        created_unix_ms=status.created_unix_ms, replicas=status.wanted_replicas,
    )  # fmt: skip


def needed(status: FunctionStatus) -> list[str]:
    """Return the names of the revisions' objects that the function itself rests on."""
    numbers = [status.revision, *([status.candidate.revision] if status.candidate is not None else [])]
    return [status.revisions[str(number)] for number in numbers if str(number) in status.revisions]


def changed_status(status: FunctionStatus, function: Function, names: Mapping[str, str]) -> FunctionStatus:
    """Return what is true once the function is as given; `names` are its revisions' objects, of which it keeps some."""
    named = {function.revision.number, function.newest.number}
    numbers = sorted(map(int, names))
    kept = {number for at, number in enumerate(reversed(numbers)) if at < KEPT_REVISIONS or number in named}
    served = {*status.served, function.revision.number} & kept
    newest = function.newest.spec
    candidate = function.candidate
    return msgspec.structs.replace(
        status, revision=function.revision.number, outcome=function.outcome, wanted_replicas=function.replicas,
        candidate=None if candidate is None else Trial(revision=candidate.revision.number, canary=candidate.canary),
        created_unix_ms=function.created_unix_ms, served=tuple(sorted(served)),
        revisions={str(number): names[str(number)] for number in sorted(kept)},
        code=newest.image if newest.runtime == "image" else newest.lang,
    )  # fmt: skip


def with_status(obj: Object, status: FunctionStatus) -> Object:
    """Return the object with this status; what a newer Dayfly keeps there stays."""
    known = {field.encode_name for field in msgspec.structs.fields(FunctionStatus)}
    foreign = {name: value for name, value in (obj.get("status") or {}).items() if name not in known}
    return {**obj, "status": foreign | plain(status)}


def is_leftover(obj: Object) -> bool:
    """Whether a Function was made by us and never became true: a write that was broken off."""
    managers = {each.get("manager") for each in obj["metadata"].get("managedFields") or ()}
    return not status_of(obj).revision and managers == {MANAGER}


def new_object(function: Function) -> Object:
    """Return the object of a function that is not there yet; it becomes true with its status."""
    return FUNCTION.object(function.key.name, function.key.namespace, spec=mirrored(function))


def spec_of(obj: Object, **more: Any) -> FunctionSpec:
    """Return the deployment that a spec makes, with other fields in place of its own. Raises ValidationError."""
    identity = _identity(name_of(obj), namespace_of(obj))
    return msgspec.convert(obj["spec"] | identity | more, FunctionSpec)


def _identity(name: str, namespace: str) -> Object:
    """Return the fields that say which function it is; the default namespace is not written, as by all others."""
    return {"name": name} | ({} if namespace == DEFAULT_NAMESPACE else {"namespace": namespace})


def _without(fields: Object, names: tuple[str, ...]) -> Object:
    return {name: value for name, value in fields.items() if name not in names}


def _as_served(value: Any) -> Any:
    match value:
        case dict():
            return {name: _as_served(each) for name, each in value.items()}
        case list():
            return [_as_served(each) for each in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _damaged(what: str, error: Exception) -> StoreUnavailable:
    return StoreUnavailable(
        f"{what} in the cluster cannot be read: {error}",
        hint="something else than Dayfly, or a newer Dayfly, wrote it; restore it from a backup, or delete it",
    )
