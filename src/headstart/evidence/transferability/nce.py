"""NCE: how much the source's label of an image tells about its class."""

from __future__ import annotations

import numpy as np

from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.transferability.checking import Doubles, checked
from headstart.evidence.transferability.leep import refuse_other_than_probabilities


def nce(theta: Floats, y: Classes) -> float:
    """Negative conditional entropy −H(Y | Z), in nats; between −log k and 0, and higher is better.

    Z is the source's most probable class, zᵢ = argmax θᵢ (θᵢ is row i of `theta`), and

        −H(Y | Z) = (1/n) Σᵢ log P(yᵢ | zᵢ)

    with the frequencies P among the n images. Tran, Nguyen & Hassner, *Transferability and Hardness of
    Supervised Classification Tasks*, ICCV 2019. Arguments and errors as in `leep`, with which it agrees
    where the source is certain of every image.

    Examples
    --------
    >>> theta = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    >>> round(nce(theta, np.array([0, 0, 1, 1])), 4)
    -0.6931
    """
    return float(contributions(theta, y).mean())


def contributions(theta: Floats, y: Classes) -> Doubles:
    """What each image adds to the mean, (n,)."""
    probabilities, index = checked(theta, y)
    refuse_other_than_probabilities(probabilities)
    source = probabilities.argmax(axis=1)
    counts = np.zeros((int(index.max()) + 1, probabilities.shape[1]))
    np.add.at(counts, (index, source), 1.0)
    return np.asarray(np.log(counts[index, source] / counts.sum(axis=0)[source]))
