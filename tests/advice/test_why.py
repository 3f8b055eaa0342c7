"""Why: each sentence says what its record shows, and no more."""

from __future__ import annotations

import pytest

from headstart.advice import CutValue, Difference, Facts, why

MARGIN = 0.005


def told(
    *, cuts: list[CutValue] | None = None, over_random: Difference | None = None, most_trained: int | None = 3_400_000
) -> tuple[str, ...]:
    return why(Facts(607, 20, most_trained, cuts or [], over_random), margin=MARGIN)


def test_labels_are_counted_by_class_beside_what_is_fitted_to_them() -> None:
    assert told() == ("Labels: 607 images, 30 a class; fine-tuning fits up to 3,400,000 parameters to them.",)
    assert told(most_trained=None) == ("Labels: 607 images, 30 a class.",)


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (0.20, 0.30, "+25.0 points (90% interval +20.0 to +30.0); what it learned on its own images holds on these."),
        (-0.30, 0.004, "what it learned on its own images does not hold on these, or was little."),
        (-0.01, 0.06, "it is not shown that what it learned on its own images holds on these."),
        (None, None, "(no interval)."),
    ],
)
def test_the_domain_is_judged_against_random_features(low: float | None, high: float | None, says: str) -> None:
    value = 0.25 if low is None or high is None else (low + high) / 2
    (_, domain) = told(over_random=Difference("probe", "frozen_random", value, low, high))
    assert domain.startswith("Domain: ") and domain.endswith(says)


def test_upper_layers_are_specialised_only_where_that_is_shown() -> None:
    cuts = [CutValue("stem", 0.5, 0.45), CutValue("blocks.4", 0.96, 0.95), CutValue("top", 0.92, 0.90)]
    assert told(cuts=cuts)[-1].endswith("the layers above it are specialised to the source's task.")
    cuts[2] = CutValue("top", 0.955, 0.93)
    assert "0.5 points less, which is within its interval" in told(cuts=cuts)[-1]
    cuts[2] = CutValue("top", 0.97, 0.95)
    assert told(cuts=cuts)[-1].endswith("nothing shows that the layers below it would transfer better.")
    assert len(told(cuts=cuts[:1])) == 1
