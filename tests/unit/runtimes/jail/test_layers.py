"""Layers, the tiers they add up to, and finding them out on this machine."""

import itertools
import os
from typing import Any, get_args

import pytest
from tests.unit.runtimes.jail.throwaway import in_child

from dayfly.model.sandbox import TIERS, Tier, is_enough
from dayfly.runtimes.jail import bpf, calls
from dayfly.runtimes.jail.detect import detect
from dayfly.runtimes.jail.layers import Layers
from dayfly.runtimes.python import cells

ALL = Layers(root=True, namespaces=True, proc=True, landlock=True, seccomp=True, cgroup=True)


@pytest.mark.parametrize(
    ("had", "tier"),
    [
        ("root namespaces landlock seccomp cgroup", "A+"), ("root namespaces landlock seccomp", "A"),
        ("namespaces landlock seccomp", "A"), ("namespaces landlock seccomp cgroup", "A"),
        ("landlock seccomp", "B"), ("root landlock seccomp cgroup", "B"), ("namespaces seccomp", "B-"),
        ("namespaces landlock", "B-"), ("namespaces", "B-"), ("landlock", "C"), ("seccomp", "C"), ("", "C"),
        ("root cgroup", "C"),
    ],
)  # fmt: skip
def test_layers_add_up_to_a_tier(had: str, tier: str) -> None:
    layers: dict[str, Any] = dict.fromkeys(had.split(), True)
    assert Layers(**layers).tier == tier


def test_each_missing_layer_is_told_with_its_reason_and_its_cure() -> None:
    assert list(ALL.missing()) == []
    told = list(Layers(refusals={"namespaces": "EPERM, no", "cgroup": "EACCES, no"}).missing())
    assert len(told) == 4
    assert told[0].startswith("No namespaces (EPERM, no): ")
    assert all("(" not in text.partition(":")[0] for text in told[1:3])
    assert any(text.startswith("No /proc of its own") for text in Layers(namespaces=True).missing())


def test_a_tier_is_enough_for_itself_and_for_what_has_less() -> None:
    order = {"A+": 3, "A": 2, "B": 1, "B-": 1, "C": 0}
    assert set(order) == set(get_args(Tier)) == set(TIERS)
    for found, required in itertools.product(TIERS, TIERS):
        assert is_enough(found, required) is (found == required or order[found] > order[required])


def test_a_refused_layer_is_found_out_by_using_it() -> None:
    refused = {"namespaces": 272, "landlock": calls.LANDLOCK_CREATE_RULESET}
    if os.uname().machine == "aarch64":
        refused["namespaces"] = 97

    def child() -> dict[str, str]:
        calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
        rules = [bpf.load(bpf.NUMBER)]
        for number in refused.values():
            rules += bpf.when_equal(number, [bpf.verdict(bpf.fail(95))])
        calls.load_filter(bpf.assemble([*rules, bpf.verdict(bpf.ALLOW)]))
        return detect(cells.refusal).refusals

    told = in_child(child)
    assert {"namespaces", "landlock"} <= set(told)
    assert told["landlock"].startswith("ENOTSUP")
    assert not set(detect(cells.refusal).refusals) & {"seccomp"}


def test_what_the_runtime_says_of_its_groups_decides_on_the_highest_tier() -> None:
    lacking = detect(lambda: "nothing is delegated")
    assert (lacking.cgroup, lacking.refusals["cgroup"]) == (False, "nothing is delegated")
    assert lacking.tier != "A+"
    assert detect(lambda: "").cgroup
