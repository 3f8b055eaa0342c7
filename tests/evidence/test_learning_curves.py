import numpy as np
import pytest

from headstart.errors import DataError
from headstart.evidence.learning_curves import crossing, fit_curve, forecast, gain

SIZES = np.array([40, 80, 160, 320, 640])


def exact(level: float, scale: float, rate: float, sizes: np.ndarray = SIZES) -> np.ndarray:
    return (1 - level - scale * sizes**-rate)[None]


def noisy(truth: np.ndarray, *, replicates: int, images: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.binomial(images, np.repeat(truth, replicates, axis=0)) / images


@pytest.mark.parametrize("law", [(0.1, 1.5, 0.5), (0.0, 2.0, 0.4), (0.2, 4.0, 1.0), (0.05, 0.9, 0.2)])
def test_known_curves_are_found_again(law: tuple[float, float, float]) -> None:
    curve = fit_curve(SIZES, noisy(exact(*law), replicates=40, images=100_000, seed=0))
    for n in (100, 640, 1280):
        assert float(curve.at(n)) == pytest.approx(float(exact(*law, sizes=np.array([n]))[0, 0]), abs=0.01)


@pytest.mark.parametrize("law", [(0.1, 1.5, 0.5), (0.0, 2.0, 0.4), (0.2, 4.0, 1.0)])
def test_eighty_per_cent_intervals_cover(law: tuple[float, float, float]) -> None:
    truth, ahead = exact(*law), np.array([1280])
    wanted = float(exact(*law, sizes=ahead)[0, 0])
    step = wanted - float(exact(*law, sizes=np.array([640]))[0, 0])
    held = grown = 0
    for seed in range(120):
        curve = fit_curve(SIZES, noisy(truth, replicates=10, images=150, seed=seed))
        found, more = forecast(curve, 1280), gain(curve, 640, 640)
        assert found.low is not None and found.high is not None and more.low is not None and more.high is not None
        held += found.low <= wanted <= found.high
        grown += more.low <= step <= more.high
    assert held / 120 >= 0.7 and grown / 120 >= 0.7


def test_curves_rise_and_intervals_hold_their_value() -> None:
    curve = fit_curve(SIZES, noisy(exact(0.1, 1.5, 0.5), replicates=5, images=50, seed=3))
    assert (np.diff(curve.at(np.arange(40.0, 5000, 50))) >= 0).all()
    for found in (forecast(curve, 640), forecast(curve, 5000), gain(curve, 640, 200), gain(curve, 640, -320)):
        assert found.low is not None and found.high is not None and found.low <= found.value <= found.high
    narrow, wide = forecast(curve, 5000, level=0.5), forecast(curve, 5000, level=0.95)
    assert wide.low < narrow.low and wide.high > narrow.high  # type: ignore[operator]


def test_what_is_flat_stays_flat() -> None:
    curve = fit_curve(SIZES, noisy(np.full((1, 5), 0.7), replicates=10, images=400, seed=1))
    found = gain(curve, 640, 640)
    assert found.value == pytest.approx(0, abs=0.01)
    assert found.low is not None and found.low <= 0.002
    perfect = forecast(fit_curve(SIZES, np.ones((4, 5))), 2000)
    assert perfect.value == 1.0 and perfect.high == 1.0


def test_two_sizes_show_no_level_and_widen_the_interval() -> None:
    values = noisy(exact(0.1, 1.5, 0.5), replicates=10, images=150, seed=2)
    two, five = fit_curve(SIZES[-2:], values[:, -2:]), fit_curve(SIZES, values)
    assert len(two.shares) == 1 and two.forms.level.tolist() == [0.0]
    widths = [found.high - found.low for found in (forecast(c, 1280) for c in (two, five))]  # type: ignore[operator]
    assert widths[0] > widths[1]


def test_one_replicate_has_no_interval() -> None:
    curve = fit_curve(SIZES, exact(0.1, 1.5, 0.5))
    for found in (forecast(curve, 900), gain(curve, 640, 200)):
        assert found.low is None and found.high is None


def test_replicates_that_share_images_count_less() -> None:
    values = noisy(exact(0.1, 1.5, 0.5), replicates=20, images=150, seed=4)
    widths = []
    for independent in (20, 5):
        found = forecast(fit_curve(SIZES, values, independent=independent), 640)
        widths.append(found.high - found.low)  # type: ignore[operator]
    assert widths[1] > 1.3 * widths[0]


def test_crossings() -> None:
    slow = fit_curve(SIZES, noisy(exact(0.0, 1.0, 0.25), replicates=20, images=20_000, seed=5))
    fast = fit_curve(SIZES, noisy(exact(0.0, 4.0, 0.5), replicates=20, images=20_000, seed=6))
    found = crossing(slow, fast)
    assert found is not None and found.low is not None and found.high is not None
    assert found.low <= 256 <= found.high and found.high - found.low < 80
    ahead = fit_curve(SIZES, noisy(exact(0.0, 0.5, 0.3), replicates=20, images=20_000, seed=7))
    assert crossing(ahead, slow) is None and crossing(slow, slow) is None


def test_what_is_no_curve_is_refused() -> None:
    for sizes, values in (([40], np.ones((3, 1))), ([40, 40], np.ones((3, 2))), ([40, 80], np.ones((3, 3)))):
        with pytest.raises(DataError):
            fit_curve(sizes, values)


def test_curves_over_the_same_replicates_are_resampled_together() -> None:
    luck = np.random.default_rng(8).normal(scale=0.05, size=(5, 1))
    slow, fast = exact(0.0, 1.0, 0.25) + luck, exact(0.0, 4.0, 0.5) + luck
    together = crossing(fit_curve(SIZES, slow), fit_curve(SIZES, fast))
    apart = crossing(fit_curve(SIZES, slow), fit_curve(SIZES, fast[::-1]))
    widths = []
    for found in (together, apart):
        assert found is not None and found.low is not None and found.high is not None
        widths.append(found.high - found.low)
    assert widths[0] < 0.8 * widths[1]
