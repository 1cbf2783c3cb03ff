import pytest

from dayfly.model.errors import InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.scaling import LIKE_LABEL, LIKE_OPENFAAS, PREFIX, ScalingPolicy, asks_for_openfaas


def labels(**values: str) -> dict[str, str]:
    return {PREFIX + key.replace("_", "-"): value for key, value in values.items()}


def test_without_labels_a_function_scales_between_one_and_twenty_and_sleeps_when_idle() -> None:
    assert ScalingPolicy.from_labels({}) == ScalingPolicy(minimum=1, maximum=20, target=10, to_zero=True, idle_s=900)


def test_labels_are_read() -> None:
    policy = ScalingPolicy.from_labels(
        labels(min="2", max="4", target="7", zero="false", zero_duration="1m30s", type="rps", factor="50",
               target_proportion="0.7") | {PREFIX + "down.window": "2m"}
    )  # fmt: skip
    assert policy == ScalingPolicy(
        minimum=2, maximum=4, target=7, to_zero=False, idle_s=90, signal="rps", factor=50, proportion=0.7,
        down_window_s=120,
    )  # fmt: skip


@pytest.mark.parametrize(("signal", "target"), [("capacity", 10), ("rps", 50), ("cpu", 500), ("", 10)])
def test_the_target_left_out_is_the_types(signal: str, target: int) -> None:
    policy = ScalingPolicy.from_labels(labels(type=signal))
    assert (policy.signal, policy.target) == (signal or "capacity", target)
    assert policy.share == pytest.approx(target * 0.9)


def test_scaled_like_openfaas_a_function_has_other_defaults_and_no_other_bounds() -> None:
    like = {LIKE_LABEL: LIKE_OPENFAAS}
    assert ScalingPolicy.from_labels(like) == ScalingPolicy(signal="rps", target=5, proportion=1, down_window_s=10)
    chosen = ScalingPolicy.from_labels(like | labels(type="cpu", max="3", target_proportion="0.5"))
    assert (chosen.signal, chosen.target, chosen.proportion, chosen.maximum) == ("cpu", 500, 0.5, 3)
    assert ScalingPolicy.from_labels(like | labels(target="9")).target == 9
    assert ScalingPolicy.from_labels({LIKE_LABEL: "anybody"}) == ScalingPolicy()


@pytest.mark.parametrize(
    ("found", "expected"),
    [({}, False), ({"max": "2"}, True), ({"min": "1", "max": "2", "zero": "true"}, True), ({"min": "2"}, False),
     ({"max": "2", "type": "capacity"}, False), ({"max": "2", "target": "10"}, False)],
)  # fmt: skip
def test_who_bounds_the_replicas_and_says_nothing_else_is_scaled_like_openfaas(
    found: dict[str, str], expected: bool
) -> None:
    assert asks_for_openfaas(labels(**found)) is expected


def test_by_default_no_replica_is_meant_to_carry_more_calls_than_it_takes_at_a_time() -> None:
    assert ScalingPolicy.from_labels({}, inflight=2).target == 2
    assert ScalingPolicy.from_labels({}, inflight=50).target == 10
    assert ScalingPolicy.from_labels(labels(target="7"), inflight=2).target == 7
    assert ScalingPolicy.from_labels(labels(type="rps"), inflight=2).target == 50
    assert FunctionSpec(name="a", env={"max_inflight": "3"}).scaling.target == 3


def test_a_target_may_be_more_than_there_may_be_replicas() -> None:
    assert ScalingPolicy.from_labels(labels(type="rps", target="25000")).target == 25_000


def test_a_type_that_is_not_measured_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidSpec, match=r"scale\.type: 'queue' .* capacity .* rps .* cpu"):
        ScalingPolicy.from_labels(labels(type="queue"))


def test_the_bounds_of_the_finer_labels_are_allowed() -> None:
    for key, value in (("factor", "0"), ("factor", "100"), ("target-proportion", "1"), ("down.window", "5m"),
                       ("down.window", "0s"), ("target-proportion", "0.01"), ("target", "1000000")):  # fmt: skip
        ScalingPolicy.from_labels({PREFIX + key: value})


def test_equal_bounds_fix_the_number_and_keep_the_function_awake() -> None:
    policy = ScalingPolicy.from_labels(labels(min="3", max="3"))
    assert (policy.minimum, policy.maximum, policy.to_zero) == (3, 3, False)


def test_a_minimum_above_the_default_maximum_lifts_it() -> None:
    assert ScalingPolicy.from_labels(labels(min="30")).maximum == 30


@pytest.mark.parametrize(
    ("key", "value"),
    [("min", "-1"), ("min", "x"), ("min", "1.5"), ("min", "1001"), ("max", "0"), ("max", "1" * 30), ("target", "0"),
     ("zero", "yes"), ("zero_duration", "soon"), ("min", "٣"), ("factor", "101"), ("factor", "-1"),
     ("target_proportion", "0"), ("target_proportion", "1.1"), ("target_proportion", "nan"), ("type", "RPS"),
     ("target_proportion", "٠.٩"), ("target", "1000001"), ("down.window", "5m1s"), ("down.window", "-1s")],
)  # fmt: skip
def test_nonsense_is_refused_and_names_the_label(key: str, value: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        ScalingPolicy.from_labels(labels(**{key: value}))
    name = PREFIX + key.replace("_", "-")
    assert name in str(caught.value)


def test_a_minimum_above_the_maximum_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="more than"):
        ScalingPolicy.from_labels(labels(min="5", max="4"))
