"""From a labelled source to a target without labels, on stored features: weights, alignments, boosting, self-training.

Every method takes a `Shift` and gives an `Adapted`, which ends as one linear head on the backbone's features.
"""

from headstart.shallow.adapt.baselines import source_only, target_only
from headstart.shallow.adapt.coral import coral
from headstart.shallow.adapt.density import density_ratio
from headstart.shallow.adapt.kliep import kliep
from headstart.shallow.adapt.kmm import kernel_mean_matching
from headstart.shallow.adapt.pseudo_labels import pseudo_labels
from headstart.shallow.adapt.shift import Adapted, Affine, Few, Shift
from headstart.shallow.adapt.subspace import subspace_alignment
from headstart.shallow.adapt.tca import transfer_components
from headstart.shallow.adapt.towards_source import towards_source
from headstart.shallow.adapt.tradaboost import tradaboost
from headstart.shallow.adapt.transport import no_pot, optimal_transport, pot_at_hand

__all__ = [
    "Adapted",
    "Affine",
    "Few",
    "Shift",
    "coral",
    "density_ratio",
    "kernel_mean_matching",
    "kliep",
    "no_pot",
    "optimal_transport",
    "pot_at_hand",
    "pseudo_labels",
    "source_only",
    "subspace_alignment",
    "target_only",
    "towards_source",
    "tradaboost",
    "transfer_components",
]
