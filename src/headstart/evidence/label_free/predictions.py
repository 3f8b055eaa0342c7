"""Scores of the predictions on the target alone: sure, in neighbourhoods, and evenly over the classes."""

from __future__ import annotations

import numpy as np

from headstart.evidence.calibration import softmax
from headstart.evidence.label_free.seen import Seen

SHARPNESS = 0.05
"""Temperature of the neighbourhoods, as in the paper."""
MOST = 3000
"""Target images that neighbourhoods are looked at of, at most: every pair counts."""


def entropy(seen: Seen) -> float:
    """(1/m) Σⱼ Σ_c p_jc log p_jc: how sure the predictions are.

    Morerio, Cavazza & Murino, *Minimal-Entropy Correlation Alignment*, ICLR 2018. A model that is sure of one class
    for every image scores highest, so it is never to be used alone.

    Examples
    --------
    >>> round(entropy(Seen(np.array([[0.5, 0.5]]), np.empty((0, 2)), np.empty(0, int), np.empty(0))), 3)
    -0.693
    """
    p = seen.target
    return float((p * np.log(np.clip(p, 1e-12, None))).sum(axis=1).mean())


def neighbourhoods(seen: Seen) -> float:
    """Soft neighbourhood density: −(1/m) Σᵢ Σ_{j≠i} P_ij log P_ij, P_i = softmax over j ≠ i of cos(pᵢ, pⱼ) / τ.

    High where every image has many others with the same prediction. Saito, Kim, Teterwak, Sclaroff, Darrell & Saenko,
    *Tune it the Right Way*, ICCV 2021; τ = 0.05.
    """
    p = seen.target[np.linspace(0, len(seen.target) - 1, min(MOST, len(seen.target))).astype(int)]
    unit = p / np.linalg.norm(p, axis=1, keepdims=True)
    similar = unit @ unit.T / SHARPNESS
    m = len(p)
    others = similar[~np.eye(m, dtype=bool)].reshape(m, m - 1)
    shares = softmax(others)
    return float(-(shares * np.log(np.clip(shares, 1e-300, None))).sum(axis=1).mean())


def class_correlation(seen: Seen) -> float:
    """Corr-C: the cosine between C = PᵀP / m ``(k, k)`` and the identity, tr C / (‖C‖ √k).

    One where predictions are sure and cover all classes evenly; lower where classes are confused or left out. Tu,
    Deng, Gedeon & Zheng, *Assessing Model Out-of-distribution Generalization with Softmax Prediction Probability
    Baselines and a Correlation Method*, 2023.

    Examples
    --------
    >>> round(class_correlation(Seen(np.eye(3), np.empty((0, 3)), np.empty(0, int), np.empty(0))), 6)
    1.0
    """
    p = seen.target
    c = p.T @ p / len(p)
    return float(np.trace(c) / (np.linalg.norm(c) * np.sqrt(p.shape[1])))
