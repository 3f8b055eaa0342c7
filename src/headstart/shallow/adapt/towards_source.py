"""Parameter-based transfer: a head of the few labelled target images that stays near the source's."""

from __future__ import annotations

import numpy as np

from headstart.evidence import ridge
from headstart.evidence.calibration import fit_temperature
from headstart.shallow.adapt.baselines import left_out
from headstart.shallow.adapt.shift import Adapted, Shift, fitted
from headstart.shallow.linear import Doubles, Singles
from headstart.shallow.threads import one_thread


def towards_source(shift: Shift) -> Adapted:
    """Argmin Σᵢ ‖onehot(yᵢ) − W zᵢ − b‖² + λ ‖W − W_s‖² over the few labelled target images.

    W_s is the ridge head of the source, so this is ridge on what that head leaves unexplained; λ is the penalty
    under which most of the few are predicted right when they are left out. Kuzborskij & Orabona, *Stability and
    Hypothesis Transfer Learning*, ICML 2013; Li, Grandvalet & Davoine's L2-SP (ICML 2018) is the same penalty in
    fine-tuning. Features are standardised by the few's own spread where they are penalised.
    """
    assert shift.few is not None
    few, k = shift.few, shift.k
    source = fitted(shift)

    def scores(z: Singles) -> Doubles:
        found: Doubles = z @ source.weight.T + source.bias
        return found

    penalty, logits = left_out(few.z, few.y, k, start=scores)
    with one_thread():
        change = ridge.fit(few.z, np.eye(k)[few.y] - scores(few.z), [penalty])
    settings = {"head": "ridge", "penalty": shift.penalty, "towards": penalty, "labels": len(few.y)}
    weight, bias = source.weight + change.weight[0], source.bias + change.bias[0]
    return Adapted(weight, bias, temperature=fit_temperature(logits, few.y), recipe=settings)
