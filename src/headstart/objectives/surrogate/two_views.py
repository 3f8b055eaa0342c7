"""Two views of one image should look alike, and images unlike one another: criteria that lightly keeps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.data.related import Related
from headstart.errors import MissingExtraError
from headstart.objectives.surrogate.surrogate import embed, seeded_linear

HIDDEN, PROJECTED = 512, 128
TEMPERATURE = 0.5


class TwoViews(nn.Module):
    """L = criterion(g(z₁), g(z₂)) of the features of two views of each image, g two layers of its own.

    Parameters
    ----------
    width : of the features, d.
    criterion : ``simclr`` (Chen et al. 2020, https://arxiv.org/abs/2002.05709), ``vicreg`` (Bardes, Ponce & LeCun 2022,
        https://arxiv.org/abs/2105.04906) or ``barlow_twins`` (Zbontar et al. 2021, https://arxiv.org/abs/2103.03230).
    seed : of the layers' first weights.

    `batch.x` is (n, 2, 3, h, w).

    Raises
    ------
    MissingExtraError : lightly is not installed.
    """

    def __init__(self, width: int, criterion: str, *, seed: int = 0) -> None:
        super().__init__()
        self.head = seeded_linear([width, HIDDEN, PROJECTED], seed=seed)
        self.criterion = _criterion(criterion)

    def forward(self, model: nn.Module, batch: Related, progress: float) -> dict[str, Tensor]:
        """One loss."""
        z = self.head(embed(model, batch.x))
        return {"views": self.criterion(z[:, 0], z[:, 1])}

    def right(self, model: nn.Module, batch: Related) -> Tensor:
        """(n,): whether the other view of an image is the nearest one in the batch."""
        z = F.normalize(self.head(embed(model, batch.x)), dim=2)
        return (z[:, 0] @ z[:, 1].T).argmax(1) == torch.arange(len(z), device=z.device)

    def chance(self, batch: Related) -> float:
        """One in the number of images in a batch."""
        return 1 / len(batch.x)


def _criterion(name: str) -> nn.Module:
    try:
        from lightly import loss
    except ImportError as error:
        fact = f"The criterion of {name} comes from lightly, which is not installed."
        raise MissingExtraError(fact, "pip install 'headstart[lightly]'") from error
    made: nn.Module = {
        "simclr": lambda: loss.NTXentLoss(temperature=TEMPERATURE),
        "vicreg": loss.VICRegLoss,
        "barlow_twins": loss.BarlowTwinsLoss,
    }[name]()
    return made
