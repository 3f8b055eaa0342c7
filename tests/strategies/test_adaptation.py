"""The table of ways to adapt."""

from __future__ import annotations

import pytest

from headstart.errors import MissingExtraError, OptionError
from headstart.shallow import adapt
from headstart.strategies import ADAPTATIONS, DEEP_ADAPTATIONS, METHOD_FAMILIES, chosen_adaptations


@pytest.mark.parametrize("row", ADAPTATIONS.values(), ids=ADAPTATIONS)
def test_every_row_says_what_it_is(row) -> None:  # type: ignore[no-untyped-def]
    assert row.title and row.kind and (row.paper or row.baseline)
    assert (row.on_features is not None) == (row.fitted_on == "features")
    assert (row.training is not None) == (row.fitted_on == "images")
    assert row.training is None or row.automatic == (row.kind != "self-training"), "what lowers a validator"


def test_rows_that_train_bring_what_they_begin_with() -> None:
    assert [row.name for row in chosen_adaptations(["dan"], labels=0)] == ["source_only", "finetuned_source", "dan"]
    assert [row.name for row in chosen_adaptations(["l2sp"], labels=0)] == ["source_only", "l2sp"]
    trained = [row.name for row in chosen_adaptations(["trained"], labels=0)]
    assert trained == ["source_only", *DEEP_ADAPTATIONS]
    both = [row.name for row in chosen_adaptations(["features", "shot"], labels=3)]
    assert both == [*METHOD_FAMILIES["features"], "finetuned_source", "shot"]
    assert METHOD_FAMILIES["auto"] == (*METHOD_FAMILIES["features"], "finetuned_source", "dan")


def test_without_labels_rows_that_need_them_are_left_out() -> None:
    names = [row.name for row in chosen_adaptations(["auto"], labels=0)]
    assert names[0] == "source_only" and not {"target_only", "tradaboost", "towards_source"} & set(names)
    assert [row.name for row in chosen_adaptations(["auto"], labels=3)] == list(METHOD_FAMILIES["auto"])


def test_baselines_are_always_among_them() -> None:
    assert [row.name for row in chosen_adaptations(["coral"], labels=0)] == ["source_only", "coral"]
    assert [row.name for row in chosen_adaptations(["coral"], labels=1)] == ["source_only", "target_only", "coral"]


def test_names_are_checked() -> None:
    with pytest.raises(OptionError, match="no method named corral") as refused:
        chosen_adaptations(["corral"], labels=0)
    assert "Did you mean coral?" in refused.value.remedy
    with pytest.raises(OptionError, match="tradaboost needs labelled target images"):
        chosen_adaptations(["tradaboost"], labels=0)


def test_without_pot_transport_is_refused_by_name_and_left_out_of_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapt, "pot_at_hand", lambda: False)
    assert "transport" not in [row.name for row in chosen_adaptations(["auto"], labels=0)]
    with pytest.raises(MissingExtraError):
        chosen_adaptations(["transport"], labels=0)
