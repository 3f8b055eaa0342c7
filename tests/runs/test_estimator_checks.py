"""scikit-learn's own checks of an estimator, on images given as rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sklearn.utils.estimator_checks import check_estimator

from headstart import TransferClassifier

Make = Callable[..., TransferClassifier]

EXPECTED: dict[str, str] = {}
"""Checks that may fail, each with its reason: none."""


@pytest.mark.slow
def test_scikit_learns_own_checks(make: Make) -> None:
    results = check_estimator(make(), on_fail=None, on_skip=None, expected_failed_checks=EXPECTED)
    failed = {one["check_name"]: repr(one["exception"]) for one in results if one["status"] == "failed"}
    assert failed == {}
    assert {one["check_name"] for one in results if one["status"] == "xfail"} == set(EXPECTED)
    assert sum(one["status"] == "passed" for one in results) >= 50
