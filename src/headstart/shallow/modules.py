"""Heads as torch modules, made from nothing but their arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.errors import InternalError
from headstart.shallow.heads import Arrays
from headstart.shallow.neighbours import SHARPNESS


class Linear(nn.Module):
    """(W z + b) / T."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, z: Tensor) -> Tensor:
        """Features ``(n, d)`` to calibrated logits ``(n, k)``."""
        return z @ self.weight.T + self.bias


class Neighbours(nn.Module):
    """The smoothed vote of `NeighboursHead`: a product, the K highest of it, a weighted sum of one-hot labels."""

    features: Tensor
    onehot: Tensor

    def __init__(self, features: Tensor, labels: Tensor, *, n: int, smoothing: float, temperature: float) -> None:
        super().__init__()
        self.register_buffer("features", features)
        self.register_buffer("onehot", nn.functional.one_hot(labels).to(features.dtype))
        self.n, self.smoothing, self.temperature = n, smoothing, temperature

    def forward(self, z: Tensor) -> Tensor:
        """Features ``(n, d)`` to calibrated logits ``(n, k)``."""
        cosine = nn.functional.normalize(z, dim=1) @ self.features.T
        highest, nearest = torch.topk(cosine, self.n, dim=1)
        votes = self.n * torch.softmax(highest / SHARPNESS, dim=1)
        tally = (votes.unsqueeze(2) * self.onehot[nearest]).sum(dim=1)
        return torch.log(tally + self.smoothing) / self.temperature


def head_module(arrays: Arrays) -> nn.Module:
    """The module whose softmax is the head's ``predict_proba``: ``(n, d)`` → ``(n, k)``, no gradient to its arrays.

    Examples
    --------
    >>> module = head_module({"weight": np.eye(2), "bias": np.zeros(2), "temperature": np.array(2.0)})
    >>> module(torch.tensor([[4.0, 0.0]])).tolist()
    [[2.0, 0.0]]
    """
    if "weight" in arrays:
        return Linear(*linear_start(arrays))
    return Neighbours(
        _tensor(arrays["features"]),
        torch.from_numpy(np.array(arrays["labels"], dtype=np.int64)),
        n=int(arrays["n_neighbours"]),
        smoothing=float(arrays["smoothing"]),
        temperature=float(arrays["temperature"]),
    )


def linear_start(arrays: Arrays) -> tuple[Tensor, Tensor]:
    """Weight ``(k, d)`` and bias ``(k,)``, the temperature divided out, for an ``nn.Linear`` to start from.

    Raises
    ------
    InternalError : the head is not linear.
    """
    if "weight" not in arrays:
        raise InternalError("a vote of neighbours has no weights to start from")
    return _tensor(arrays["weight"] / arrays["temperature"]), _tensor(arrays["bias"] / arrays["temperature"])


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))
