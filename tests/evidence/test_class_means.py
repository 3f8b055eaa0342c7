import numpy as np

from headstart.evidence.class_means import mutual_nearest


def test_classes_are_matched_across_a_style_and_strangers_are_not() -> None:
    rng = np.random.default_rng(0)
    means = 4 * rng.normal(size=(6, 10))
    style = 10 * rng.normal(size=10)
    y_s, y_t = np.repeat(np.arange(5), 20), np.repeat([0, 1, 2, 3, 5], 20)
    z = np.concatenate([means[y_s], means[y_t] + style]) + rng.normal(size=(200, 10))
    y = np.concatenate([y_s, np.where(y_t < 5, y_t + 10, y_t)])
    found = mutual_nearest(z, y, np.repeat([0, 1], 100))
    assert sorted((a, b) for a, b, _ in found) == [(0, 10), (1, 11), (2, 12), (3, 13)]
    assert all(ratio < 1 for _, _, ratio in found)


def test_too_few_images_of_a_class_match_nothing() -> None:
    z, y = np.random.default_rng(1).normal(size=(8, 2)), np.repeat([0, 1, 2, 3], 2)
    assert mutual_nearest(z, y, np.repeat([0, 1], 4)) == []
