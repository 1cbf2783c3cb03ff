import pytest

from dayfly.model.errors import InvalidSpec
from dayfly.model.scaling import PREFIX, ScalingPolicy


def labels(**values: str) -> dict[str, str]:
    return {PREFIX + key.replace("_", "-"): value for key, value in values.items()}


def test_without_labels_a_function_scales_between_one_and_twenty_and_sleeps_when_idle() -> None:
    assert ScalingPolicy.from_labels({}) == ScalingPolicy(minimum=1, maximum=20, target=10, to_zero=True, idle_s=900)


def test_labels_are_read() -> None:
    policy = ScalingPolicy.from_labels(labels(min="2", max="4", target="7", zero="false", zero_duration="1m30s"))
    assert policy == ScalingPolicy(minimum=2, maximum=4, target=7, to_zero=False, idle_s=90)


def test_equal_bounds_fix_the_number_and_keep_the_function_awake() -> None:
    policy = ScalingPolicy.from_labels(labels(min="3", max="3"))
    assert (policy.minimum, policy.maximum, policy.to_zero) == (3, 3, False)


def test_a_minimum_above_the_default_maximum_lifts_it() -> None:
    assert ScalingPolicy.from_labels(labels(min="30")).maximum == 30


@pytest.mark.parametrize(
    ("key", "value"),
    [("min", "-1"), ("min", "x"), ("min", "1.5"), ("min", "1001"), ("max", "0"), ("max", "1" * 30), ("target", "0"),
     ("zero", "yes"), ("zero_duration", "soon"), ("min", "٣")],
)  # fmt: skip
def test_nonsense_is_refused_and_names_the_label(key: str, value: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        ScalingPolicy.from_labels(labels(**{key: value}))
    assert key == "zero_duration" or PREFIX + key in str(caught.value)


def test_a_minimum_above_the_maximum_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="more than"):
        ScalingPolicy.from_labels(labels(min="5", max="4"))
