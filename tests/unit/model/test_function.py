import msgspec
import pytest

from dayfly.model.errors import InvalidName, InvalidRequest, InvalidSpec
from dayfly.model.function import FunctionSpec, Resources


def test_a_name_alone_is_a_spec() -> None:
    spec = msgspec.json.decode(b'{"name": "hello"}', type=FunctionSpec)
    spec.check()
    assert (str(spec.key), spec.timeout_s) == ("hello.openfaas-fn", 60.0)
    assert msgspec.json.encode(spec) == b'{"name":"hello"}'


@pytest.mark.parametrize(
    "field",
    [
        {"env": {"LD_PRELOAD": "x"}}, {"env": {"PYTHONPATH": "x"}}, {"env": {"PATH": "x"}}, {"env": {"A B": "x"}},
        {"env": {"A": "x\0"}}, {"env": {"A": "x" * 40_000}}, {"env": {"DAYFLY_X": "1"}}, {"env": {"BASH_ENV": "x"}},
        {"handler": "../x:f"}, {"handler": ""}, {"handler": "a b"}, {"handler": "os:"}, {"handler": "a" * 201},
        {"labels": {"": "x"}}, {"labels": {"a\n": "x"}}, {"annotations": {"a": "x" * 40_000}},
        {"labels": {str(n): "" for n in range(257)}}, {"timeout": "0s"}, {"timeout": "25h"}, {"timeout": "x"},
        {"max_inflight": -1}, {"max_inflight": 100_001}, {"limits": {"memory": "lots"}}, {"requests": {"cpu": "0"}},
        {"secrets": ["../x"]}, {"secrets": ["a/b"]}, {"bundle": "sha256:zz"}, {"namespace": "a/b"}, {"name": "A"},
        {"labels": {"com.openfaas.scale.min": "x"}}, {"debug": {"source": "hello"}}, {"debug": {"source": "/a\nb"}},
        {"debug": {"source": "/" + "a" * 5000}}, {"debug": {"debugger": {"port": 0, "version": "1.8"}}},
        {"debug": {"debugger": {"port": 70_000, "version": "1.8"}}},
        {"debug": {"debugger": {"port": 1, "version": "1.8 --index-url x"}}},
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(field: dict[str, object]) -> None:
    spec = msgspec.convert({"name": "hello", **field}, type=FunctionSpec)
    with pytest.raises((InvalidSpec, InvalidName)) as caught:
        spec.check()
    assert isinstance(caught.value, InvalidRequest)
    assert caught.value.status == 400


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(b'{"name": "hello", "hostPID": true}', type=FunctionSpec)


def test_resources_are_kept_as_written_and_read_as_numbers() -> None:
    resources = Resources(memory="128Mi", cpu="250m")
    assert (resources.memory_bytes, resources.cpu_millicores) == (128 * 2**20, 250)
    assert (Resources().memory_bytes, Resources().cpu_millicores) == (0, 0)
