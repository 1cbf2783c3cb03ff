"""Orders for image functions, as tests of their containers need them."""

from typing import Any

from hypothesis import strategies as st

from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, ReplicaId
from dayfly.model.replica import StartOrder

SECRET = b"s3cret-value"


def order(**changes: Any) -> StartOrder:
    settled: dict[str, Any] = {
        "replica": ReplicaId("r" * 10),
        "key": FunctionKey(DEFAULT_NAMESPACE, FunctionName("hello")),
        "revision": 3,
        "lang": "image",
        "runtime": "image",
        "dialect": "auto",
        "handler": "handler",
        "image": "ghcr.io/x/y:1",
        "code_dir": "",
        "timeout_s": 30.0,
    }
    return StartOrder(**(settled | changes))


GRANTS = ("public", "api.example.com:443", "tcp://db.internal:5432", "tcp://10.1.2.3:5432", "tcp://localhost:8080")
ORDERS = st.builds(
    order,
    env=st.dictionaries(st.from_regex(r"\A[A-Z_]{1,8}\Z"), st.text(max_size=8), max_size=4),
    secrets=st.dictionaries(st.from_regex(r"\A[a-z]{1,8}\Z"), st.just(SECRET), max_size=3),
    memory_bytes=st.sampled_from([0, 1 << 20, 1 << 30]),
    cpu_millicores=st.sampled_from([0, 1, 1500]),
    network=st.sampled_from(["none", "proxy", "host"]),
    allow=st.lists(st.sampled_from(GRANTS), unique=True).map(tuple),
    as_root=st.booleans(),
    process=st.sampled_from(["", "python3 index.py"]),
    timeout_s=st.sampled_from([0.5, 60.0]),
)
