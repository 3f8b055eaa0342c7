"""Ways to transfer, one row each: what is kept, what trains, by which recipe; and ways to adapt to another domain."""

from headstart.strategies.adaptation import ADAPTATIONS, Adaptation, chosen_adaptations
from headstart.strategies.table import FAMILIES, TABLE, Strategy, chosen, frozen_cut

__all__ = [
    "ADAPTATIONS",
    "FAMILIES",
    "TABLE",
    "Adaptation",
    "Strategy",
    "chosen",
    "chosen_adaptations",
    "frozen_cut",
]
