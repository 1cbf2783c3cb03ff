"""Quotas as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.errors import InvalidSpec
from dayfly.model.namespace import Quota

QUOTAS = st.builds(
    Quota,
    functions=st.none() | st.integers(0, 1_000_000),
    replicas=st.none() | st.integers(0, 1_000_000),
    memory=st.sampled_from(["", "4Gi", "1500M"]),
    cpu=st.sampled_from(["", "2", "1500m", "0.5"]),
    body=st.sampled_from(["", "1Mi"]),
    log_rate=st.sampled_from(["", "100k"]),
)


@given(QUOTAS)
def test_a_quota_reads_back(quota: Quota) -> None:
    assert Quota.parse(quota.text) == quota


def test_amounts() -> None:
    quota = Quota.parse(" functions=10, replicas=50 ,memory=4Gi,cpu=2,body=1Mi,log-rate=100k,")
    assert (quota.functions, quota.replicas, quota.memory_bytes, quota.cpu_millicores) == (10, 50, 4 << 30, 2000)
    assert (quota.body_bytes, quota.log_rate_bytes) == (1 << 20, 100_000)
    assert Quota.parse("") == Quota()


@given(QUOTAS, QUOTAS)
def test_a_change_replaces_the_parts_that_it_names(old: Quota, new: Quota) -> None:
    changed = old.changed(new.text)
    for part in Quota.__struct_fields__:
        named = getattr(new, part) not in (None, "")
        assert getattr(changed, part) == getattr(new if named else old, part)
        assert getattr(old.changed(f"{part}=none"), part) == getattr(Quota(), part)


@pytest.mark.parametrize(
    "text",
    [
        "functions", "functions=", "=10", "disks=3", "functions=-1", "functions=1.5", "functions=x", "replicas=9999999",
        "functions=1000001", "memory=lots", "memory=0", "cpu=0", "cpu=-1", "body=1e3", "log_rate=1 M", "functions=٣",
        "functions=10;replicas=1",
    ],
)  # fmt: skip
def test_what_is_no_quota_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="quota"):
        Quota.parse(text)


def test_a_quota_that_came_as_a_document_is_judged_too() -> None:
    for quota in (Quota(functions=-1), Quota(memory="x"), Quota(cpu="0"), Quota(body="-1"), Quota(log_rate="1x")):
        with pytest.raises(InvalidSpec, match=r"quota\."):
            quota.check()
