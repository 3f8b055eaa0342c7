"""The contract of the table: every row says what is frozen, in the order of their cost."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from headstart.advice.shares import DROPPED_FIRST
from headstart.backbones import ADAPTERS
from headstart.errors import MissingExtraError, OptionError
from headstart.strategies import FAMILIES, TABLE, Strategy, chosen, frozen_cut
from headstart.training import Recipe

rows = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())

RESNET = ("stem", "layer1", "layer2", "layer3", "layer4", "top", "logits")
LITE0 = ("stem", *(f"blocks.{i}" for i in range(7)), "top", "logits")
VIT = ("stem", *(f"blocks.{i}" for i in range(12)), "top")


def test_rows_stand_from_the_cheapest_to_the_dearest_controls_last() -> None:
    plain = ["probe", "last_block", "upper_half", "all", "frozen_random", "scratch"]
    assert [name for name in TABLE if name in FAMILIES["auto"]] == plain
    assert [name for name in TABLE if name not in plain] == [
        *("biases", "norms", "surgical", "lora", "dora"),
        *("gradual", "by_layer", "unsmoothed", "l2sp", "bss", "mixup", "cotuning", "delta"),
    ]
    assert [row.name for row in TABLE.values() if row.control] == list(TABLE)[-2:] == plain[-2:]
    assert [row.name for row in TABLE.values() if not row.trains] == ["probe", "frozen_random"]
    assert [row.name for row in TABLE.values() if row.needs_classifier] == ["cotuning"]


@rows
def test_a_row_is_named_by_its_key_told_in_words_and_frozen_itself(row: Strategy) -> None:
    assert TABLE[row.name] is row
    assert row.title and row.title != row.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.name = "other"  # type: ignore[misc]


@rows
@pytest.mark.parametrize("n", [10, 499, 500, 20_000])
def test_recipes_follow_the_amount_of_data_and_the_epochs(row: Strategy, n: int) -> None:
    if row.recipe is None:
        assert row.frozen == "everything"
        return
    recipe = row.recipe(n, epochs=7)
    assert isinstance(recipe, Recipe) and recipe == row.recipe(n, epochs=7)
    assert recipe.epochs == 7 and recipe.batch_size == (16 if n < 500 else 32)
    # A network that starts from the source's weights keeps its statistics and moves more slowly.
    assert recipe.source_statistics is row.pretrained
    assert (recipe.lr_head < 1e-3) is row.pretrained
    assert (recipe.lr < 1e-3) is (row.pretrained and row.only not in ADAPTERS)


@pytest.mark.parametrize(
    ("cuts", "last_block", "upper_half"),
    [
        (RESNET, "layer3", "layer2"),
        (LITE0, "blocks.5", "blocks.3"),
        (VIT, "blocks.10", "blocks.5"),
        (("top", "logits"), "", ""),
        (("top",), "", ""),
    ],
)
def test_the_cut_below_which_a_network_is_frozen(cuts: tuple[str, ...], last_block: str, upper_half: str) -> None:
    expected = {
        "probe": "top",
        "last_block": last_block,
        "upper_half": upper_half,
        "all": "",
        "frozen_random": "top",
        "scratch": "",
    }
    others = dict.fromkeys(TABLE.keys() - expected.keys(), "")
    assert {name: frozen_cut(row, cuts) for name, row in TABLE.items()} == expected | others


@pytest.mark.parametrize(
    ("cuts", "frozen"),
    [
        (RESNET, ["layer3", "layer2", "layer1", "stem"]),
        (LITE0, [f"blocks.{i}" for i in range(5, -1, -1)] + ["stem"]),
        (VIT, [f"blocks.{i}" for i in range(10, -1, -1)] + ["stem"]),
        (("a", "b", "top"), ["a", ""]),
        (("top", "logits"), [""]),
    ],
)
def test_so_many_last_blocks_train_and_no_more_than_there_are(cuts: tuple[str, ...], frozen: list[str]) -> None:
    rows = [TABLE["last_block"], *(TABLE[f"last_{k}"] for k in range(2, len(frozen) + 2))]
    assert [frozen_cut(row, cuts) for row in rows[:-1]] == frozen
    with pytest.raises(OptionError, match=f"last {len(rows)} blocks of a network, and this one has {len(frozen)}\\."):
        frozen_cut(rows[-1], cuts)


def test_rows_that_are_made_when_they_are_named() -> None:
    row = TABLE["last_3"]
    last = TABLE["last_block"]
    assert row == dataclasses.replace(last, name="last_3", title="fine-tuning the last 3 blocks", blocks=3)
    assert row == TABLE["last_3"] and "last_12" in TABLE and row not in TABLE.values()
    assert [one.name for one in chosen("last_12")] == ["probe", "last_12"] and TABLE["last_12"].fine_tunes
    assert not any(name in TABLE for name in ("last_", "last_0", "last_1", "last_02", "last_1000", "last_3x"))


@pytest.mark.parametrize("blocks", range(2, 20))
def test_a_dearer_row_freezes_no_more(blocks: int) -> None:
    cuts = ("stem", *(f"b{i}" for i in range(blocks)), "top", "logits")
    depths = [
        cuts.index(cut) if cut else -1 for cut in (frozen_cut(TABLE[name], cuts) for name in FAMILIES["finetune"])
    ]
    assert depths == sorted(depths, reverse=True)


@pytest.mark.parametrize("name", [*FAMILIES, *TABLE])
def test_a_probe_is_always_among_what_is_tried(name: str) -> None:
    tried = [row.name for row in chosen(name)]
    assert tried[0] == "probe" and len(set(tried)) == len(tried)
    assert set(tried) == set(FAMILIES.get(name, ("probe", name)))


def test_auto_tries_the_plain_rows_and_every_all() -> None:
    assert [row.name for row in chosen("auto")] == list(FAMILIES["auto"])
    assert chosen("every") == tuple(TABLE.values())


def test_names_joined_by_commas_are_tried_together() -> None:
    assert [row.name for row in chosen("all, last_3,last_2")] == ["probe", "last_2", "last_3", "all"]
    assert [row.name for row in chosen("last_2,probe")] == ["probe", "last_2", "frozen_random"]
    assert chosen("every,all") == chosen("every")
    with pytest.raises(OptionError, match="There is no strategy named al\\.") as caught:
        chosen("last_2,al")
    assert caught.value.remedy == "Did you mean all?"


def test_a_row_whose_extra_is_missing_says_so_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(row.at_hand for row in TABLE.values())
    monkeypatch.setitem(sys.modules, "peft", None)
    assert [row.name for row in TABLE.values() if not row.at_hand] == ["lora", "dora"]
    for name in ("lora", "dora"):
        with pytest.raises(MissingExtraError, match="need peft, which is not installed") as caught:
            chosen(name)
        assert caught.value.remedy == "Run: pip install 'headstart[lora]'."
    assert chosen("every") == tuple(TABLE.values())


@rows
def test_a_row_asks_for_what_its_recipe_does_not_hold(row: Strategy) -> None:
    """Each way to adapt differs from fine-tuning everything in one thing, which its row or its recipe names."""
    if row.recipe is None or row.control or row.frozen != "nothing":
        return
    plain, own = TABLE["all"].recipe, row.recipe(100, epochs=8)
    assert plain is not None
    differs = [
        f.name for f in dataclasses.fields(Recipe) if getattr(own, f.name) != getattr(plain(100, epochs=8), f.name)
    ]
    assert (row.name == "all") is (not differs and not row.only and row.penalty is None)
    assert set(differs) <= {"lr", "weight_decay", "layer_decay", "gradual", "patience", "mixup", "label_smoothing"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("last_blok", "Did you mean last_block?"),
        ("last_1", "Did you mean last_block?"),
        ("finetun", "Did you mean finetune?"),
        ("zzz", "Choose among auto, "),
    ],
)
def test_an_unknown_name_gives_the_near_one_or_all(name: str, hint: str) -> None:
    with pytest.raises(OptionError, match=f"There is no strategy named {name}") as caught:
        chosen(name)
    assert caught.value.remedy.startswith(hint)


def test_every_row_that_trains_has_its_turn_to_be_left_out() -> None:
    assert sorted(DROPPED_FIRST) == sorted(row.name for row in TABLE.values() if row.trains)
