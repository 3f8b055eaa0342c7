"""The table of strategies, ordered from the cheapest to the dearest."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from headstart.backbones.adapters import no_peft
from headstart.errors import OptionError
from headstart.objectives import L2SP, BatchSpectralShrinkage, CoTuning, FeatureMaps, Penalty, Start
from headstart.strategies.strategy import Strategy
from headstart.training import (
    by_layer,
    decomposed,
    finetune,
    gradual,
    low_rank,
    mixed,
    scratch,
    towards_source,
    unsmoothed,
)


def _l2sp(start: Start) -> Penalty:
    return L2SP(start.model)


def _bss(_: Start) -> Penalty:
    return BatchSpectralShrinkage()


def _delta(start: Start) -> Penalty:
    return FeatureMaps(start.model)


_LAST = re.compile(r"last_([2-9]|[1-9]\d\d?)")


class Table(Mapping[str, Strategy]):
    """Rows by name, in the order of their cost; ``last_2`` to ``last_999`` are made when they are asked for.

    How many of these there are is a matter of the network: iteration leaves them out, `in` and `get` do not.
    """

    def __init__(self, rows: Iterable[Strategy]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> Strategy:
        if found := _LAST.fullmatch(name):
            title = f"fine-tuning the last {found[1]} blocks"
            return replace(self._rows["last_block"], name=name, title=title, blocks=int(found[1]))
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


TABLE = Table(
    (
        Strategy(
            "probe",
            "the frozen network",
            "everything",
            True,
            None,
            how="in closed form, on stored features of one cut or several",
        ),
        Strategy(
            "last_block",
            "fine-tuning the last block",
            "all but the last blocks",
            True,
            finetune,
            "Kumar et al. 2022",
            blocks=1,
            how="head first, then all of it at one rate (LP-FT)",
        ),
        Strategy(
            "upper_half",
            "fine-tuning the upper half",
            "the lower half",
            True,
            finetune,
            "Kumar et al. 2022",
            how="as `last_block`",
        ),
        Strategy(
            "biases",
            "fine-tuning the biases",
            "nothing",
            True,
            finetune,
            "Ben Zaken, Goldberg & Ravfogel 2022",
            only="biases",
            how="as `all` (BitFit)",
        ),
        Strategy(
            "norms",
            "fine-tuning the norms",
            "nothing",
            True,
            finetune,
            "Frankle, Schwab & Morcos 2021",
            only="norms",
            how="as `all`",
        ),
        Strategy(
            "surgical",
            "fine-tuning one block, chosen by its gradients",
            "all but one block",
            True,
            finetune,
            "Lee et al. 2022",
            how="as `all`; the block with the largest ‖∇L‖ / ‖θ‖ before training",
        ),
        Strategy(
            "lora",
            "fine-tuning by low-rank adapters (LoRA)",
            "nothing",
            True,
            low_rank,
            "Hu et al. 2022",
            only="adapters",
            how="as `all`, at twice the rate; merged into the weights afterwards",
        ),
        Strategy(
            "dora",
            "fine-tuning by weight-decomposed adapters (DoRA)",
            "nothing",
            True,
            decomposed,
            "Liu et al. 2024",
            only="decomposed",
            how="as `lora`, without decay",
        ),
        Strategy(
            "gradual",
            "unfreezing gradually",
            "nothing",
            True,
            gradual,
            "Howard & Ruder 2018",
            how="the top first; one block after the other is unfrozen over the first half of the epochs",
        ),
        Strategy(
            "by_layer",
            "fine-tuning at rates by layer",
            "nothing",
            True,
            by_layer,
            "Howard & Ruder 2018",
            how="rates fall by a quarter from each block to the one below it",
        ),
        Strategy(
            "all",
            "fine-tuning everything",
            "nothing",
            True,
            finetune,
            "Kumar et al. 2022",
            how="as `last_block`",
        ),
        Strategy(
            "unsmoothed",
            "fine-tuning without label smoothing",
            "nothing",
            True,
            unsmoothed,
            "Szegedy et al. 2016",
            how="as `all`, whose labels are smoothed by 0.1",
        ),
        Strategy(
            "l2sp",
            "fine-tuning towards the source (L2-SP)",
            "nothing",
            True,
            towards_source,
            "Li, Grandvalet & Davoine 2018",
            penalty=_l2sp,
            how="+ α/2 ‖w − w⁰‖² towards the source, + β/2 ‖v‖² of the head, no decay",
        ),
        Strategy(
            "bss",
            "fine-tuning with spectral shrinkage (BSS)",
            "nothing",
            True,
            finetune,
            "Chen et al. 2019",
            penalty=_bss,
            how="+ η σ²: the smallest singular value of a batch's features is lowered",
        ),
        Strategy(
            "mixup",
            "fine-tuning on mixed pairs",
            "nothing",
            True,
            mixed,
            "Zhang et al. 2018",
            how="on mixed pairs of images and labels",
        ),
        Strategy(
            "cotuning",
            "fine-tuning beside the source's own task (Co-Tuning)",
            "nothing",
            True,
            finetune,
            "You et al. 2020",
            penalty=CoTuning,
            needs_classifier=True,
            how="+ λ × the source's loss, on what its classes say of the target's; its classifier trains beside it",
        ),
        Strategy(
            "delta",
            "fine-tuning towards the source's feature maps (DELTA)",
            "nothing",
            True,
            finetune,
            "Li et al. 2019",
            penalty=_delta,
            how="+ α/2 × the squared distance of feature maps from the source's, by their size (equal weights)",
        ),
        Strategy(
            "frozen_random",
            "a frozen random network",
            "everything",
            False,
            None,
            how="a control, on features of random weights",
        ),
        Strategy(
            "scratch",
            "training from scratch",
            "nothing",
            False,
            scratch,
            how="a control, from random weights",
        ),
    )
)

FAMILIES: dict[str, tuple[str, ...]] = {
    "auto": ("probe", "last_block", "upper_half", "all", "frozen_random", "scratch"),
    "probe": ("probe", "frozen_random"),
    "finetune": ("probe", "last_block", "upper_half", "all"),
    "every": tuple(TABLE),
}
"""What `--strategy` takes beside the name of a row."""


def asked_for(name: str) -> tuple[str, ...]:
    """The families and rows in ``NAME[,NAME…]``, by the alphabet: however they are put, it is one question.

    >>> asked_for("last_2, all"), asked_for("all,last_2,")
    (('all', 'last_2'), ('all', 'last_2'))
    """
    return tuple(sorted({one.strip() for one in name.split(",") if one.strip()})) or (name,)


def chosen(name: str) -> tuple[Strategy, ...]:
    """The rows that `--strategy NAME[,NAME…]` tries, in the order of the table; a probe is always among them.

    Raises
    ------
    OptionError : the name is neither a family nor a row.
    MissingExtraError : it is a row, and what that needs is not installed.
    """
    names = asked_for(name)
    for one in names:
        if one not in FAMILIES and one not in TABLE:
            known = list(dict.fromkeys([*FAMILIES, *TABLE]))
            near = difflib.get_close_matches(one, known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"Choose among {', '.join(known)}, last_2, last_3 and so on."
            raise OptionError(f"There is no strategy named {one}.", hint)
        if one in TABLE and not TABLE[one].at_hand:
            raise no_peft()
    wanted = {row for one in names for row in FAMILIES.get(one, ("probe", one))}
    order = list(TABLE)
    return tuple(sorted((TABLE[row] for row in wanted), key=lambda row: (order.index(_row_of(row)), row.blocks)))


def _row_of(row: Strategy) -> str:
    """Its own name, or that of the row it was made from."""
    return "last_block" if row.blocks else row.name


def frozen_cut(strategy: Strategy, cuts: Sequence[str]) -> str:
    """The last cut of the frozen part, given all cuts of a backbone; ``""`` where nothing is frozen.

    Where one block trains and the data choose which, nothing is known to be frozen before.

    Raises
    ------
    OptionError : the network has fewer blocks than shall train.

    >>> frozen_cut(TABLE["upper_half"], ("stem", "layer1", "layer2", "layer3", "layer4", "top", "logits"))
    'layer2'
    """
    inner = [cut for cut in cuts if cut not in ("top", "logits")]
    if strategy.frozen == "everything":
        return "top"
    # What cannot be cut is one block.
    blocks = max(1, len([cut for cut in inner if cut != "stem"]))
    if strategy.blocks > blocks:
        fact = f"{strategy.name} trains the last {strategy.blocks} blocks of a network, and this one has {blocks}."
        raise OptionError(fact, "Choose fewer, or all.")
    if strategy.frozen in ("nothing", "all but one block") or not inner:
        return ""
    if strategy.frozen == "all but the last blocks":
        return inner[-1 - strategy.blocks] if len(inner) > strategy.blocks else ""
    return inner[len(inner) // 2]
