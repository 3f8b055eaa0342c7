from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart.errors import OptionError
from headstart.runs import labels as asked
from headstart.runs.context import Prepared
from headstart.runs.labels import curves
from headstart.runs.sampling import nested_draws

BACKBONE = "random/test_resnet"


def found(folder: Path, **options: object) -> asked.Labels:
    return headstart.labels(folder, **{"backbone": BACKBONE, "size": 32, "more": 30, "replicates": 5} | options)


def test_what_is_measured_and_forecast(digits_folder: Path) -> None:
    one = found(digits_folder)
    assert one.labels == 96 and one.sizes[0] >= 10 and one.sizes[-1] <= 96
    assert len(one.transferred.points) == len(one.control.points) == len(one.sizes)
    assert one.transferred.points[-1].value > one.transferred.points[0].value
    for each in (*one.transferred.points, one.now, one.gain, one.half_cost):
        assert each.low is not None and each.high is not None and each.low <= each.value <= each.high
    assert one.gain.value >= 0 and one.half_cost.value >= 0
    assert found(digits_folder) == one


def test_the_test_part_is_in_no_number(digits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = found(digits_folder)
    real, seen = asked.read, []

    def blinded(*arguments: object, **more: object) -> Prepared:
        prepared = real(*arguments, **more)  # type: ignore[arg-type]
        test = prepared.split.test
        seen.append(len(test))
        prepared.labelled.y[test] = (prepared.labelled.y[test] + 1) % 5
        return prepared

    monkeypatch.setattr(asked, "read", blinded)
    assert found(digits_folder) == before and seen == [24]


def test_one_replicate_has_no_interval(digits_folder: Path) -> None:
    one = found(digits_folder, replicates=1)
    assert {each.low for each in (one.now, one.gain, one.half_cost, *one.transferred.points)} == {None}


@pytest.mark.parametrize("options", [{"more": 0}, {"replicates": 0}, {"replicates": 201}, {"size": 8}])
def test_what_cannot_be_asked(digits_folder: Path, options: dict[str, int]) -> None:
    with pytest.raises(OptionError):
        found(digits_folder, **options)


def test_copies_stay_on_one_side_and_each_image_is_judged_once() -> None:
    rng = np.random.default_rng(0)
    y, groups = np.arange(100) % 4, np.arange(100) // 8
    sizes, draws = nested_draws(y, groups, replicates=5, seed=0)
    values = curves(rng.normal(size=(100, 6)).astype("f4"), y, draws, sizes=sizes)
    assert values.shape == (5, len(sizes))
    assert sorted(np.concatenate([draw.held for draw in draws]).tolist()) == list(range(100))
    for draw in draws:
        assert not set(groups[draw.held]) & set(groups[draw.order])
        folds = {(group, fold) for group, fold in zip(groups[draw.order], draw.fold, strict=True)}
        assert len(folds) == len({group for group, _ in folds})


def test_a_few_images_a_class_are_enough(digits_folder: Path) -> None:
    for folder in digits_folder.iterdir():
        for path in sorted(folder.iterdir())[4:]:
            path.unlink()
    assert found(digits_folder).labels < 20
