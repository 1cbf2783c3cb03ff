"""The API's calls about source code, without their transport; see `calls`."""

import msgspec

from dayfly.client.calls import JSON, Call, reads
from dayfly.model.errors import InvalidRequest
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.model.source import Source, SourceChange, Starter
from dayfly.model.status import BundleReceipt


def get_source(key: FunctionKey, revision: int) -> Call[Source]:
    """The code of a revision; 0 for the one that was deployed last."""
    if revision < 0:
        raise InvalidRequest(f"revision: {revision} must be 1 or more, or 0 for the one that was deployed last")
    query = (("revision", str(revision)),) if revision else ()
    return Call("GET", f"/v1/namespaces/{key.namespace}/functions/{key.name}/source", reads(Source), query=query)


def change_source(change: SourceChange, namespace: NamespaceName) -> Call[BundleReceipt]:
    """A bundle made of another, or of files alone."""
    change.check()
    path, content = f"/v1/namespaces/{namespace}/sources", msgspec.json.encode(change)
    return Call("POST", path, reads(BundleReceipt), content=content, content_type=JSON)


def list_starters() -> Call[list[Starter]]:
    """What a function may begin with."""
    return Call("GET", "/v1/templates", reads(list[Starter]))
