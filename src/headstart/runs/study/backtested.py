"""What `headstart.study.ranking` hands back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from headstart.evidence.backtest import LEVEL, Backtest, Estimate
from headstart.evidence.backtest import Backtested as Judged


@dataclass(frozen=True)
class Network:
    """One network of the race; shares.

    Attributes
    ----------
    accuracy : fine-tuned, on the validation part, the mean over repeats.
    probe : of its best frozen probe, out of fold on the training part, the mean over repeats.
    drawn : whether a blind draw is among networks like it: it has learned something, or no one here has.
    """

    backbone: str
    accuracy: Estimate
    probe: float
    drawn: bool


@dataclass(frozen=True)
class Backtested:
    """Transferability scores against fine-tuning; accuracies, regrets and gains as shares.

    Attributes
    ----------
    networks : from the most accurate, fine-tuned.
    scores : by name, what each was worth; the best frozen probe is one of them.
    blind : regret of drawing one of the pretrained networks blindly.
    repeats, images : races, and validation images of each.
    strategy, epochs : how all were fine-tuned.
    level : of the intervals.
    notes : what a reader should know.
    """

    networks: tuple[Network, ...]
    scores: dict[str, Backtest]
    blind: Estimate
    repeats: int
    images: tuple[int, ...]
    strategy: str
    epochs: int
    level: float
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        backbones: Sequence[str],
        scores: Sequence[str],
        judged: Judged,
        *,
        among: np.ndarray,
        probes: np.ndarray,
        repeats: int,
        images: tuple[int, ...],
        strategy: str,
        epochs: int,
        notes: tuple[str, ...],
    ) -> Backtested:
        """From what `headstart.evidence.backtest.backtest` made of the race."""
        networks = [
            Network(name, accuracy, float(one), bool(drawn))
            for name, accuracy, one, drawn in zip(backbones, judged.accuracies, probes, among, strict=True)
        ]
        return cls(
            tuple(sorted(networks, key=lambda network: -network.accuracy.value)),
            dict(zip(scores, judged.scores, strict=True)),
            judged.blind,
            repeats,
            images,
            strategy,
            epochs,
            LEVEL,
            notes,
        )

    @property
    def sentence(self) -> str:
        """What follows, in words."""
        cells = f"{self.repeats} repeats of {len(self.networks)} networks, {self.repeats * len(self.networks)} cells"
        if self.repeats == 1:
            cells = f"one repeat of {len(self.networks)} networks"
            return f"One repeat shows nothing of other splits; its intervals are of the images alone ({cells})."
        blind = [name for name, one in self.scores.items() if one.beats_blind]
        probe = [name for name, one in self.scores.items() if one.beats_reference]
        drawn = sum(network.drawn for network in self.networks)
        return (
            f"Shown to choose better than a blind draw among the {drawn} {self._kind}networks: "
            f"{', '.join(blind) or 'none'}; than the best frozen probe: {', '.join(probe) or 'none'} ({cells})."
        )

    @property
    def _kind(self) -> str:
        return "" if all(network.drawn for network in self.networks) else "pretrained "

    def to_json(self) -> dict[str, Any]:
        """One document for programs, and for the record."""
        return {"sentence": self.sentence, **asdict(self)}

    @classmethod
    def of_json(cls, document: dict[str, Any]) -> Backtested:
        """Inverse of `to_json`."""
        told = {name: value for name, value in document.items() if name != "sentence"}
        networks = (Network(**one | {"accuracy": Estimate(**one["accuracy"])}) for one in told["networks"])
        scores = {
            name: Backtest(**{key: _typed(value) for key, value in one.items()}) for name, one in told["scores"].items()
        }
        return cls(
            **told
            | {
                "networks": tuple(networks),
                "scores": scores,
                "blind": Estimate(**told["blind"]),
                "images": tuple(told["images"]),
                "notes": tuple(told["notes"]),
            }
        )


def _typed(value: Any) -> Any:
    return Estimate(**value) if isinstance(value, dict) else value
