"""Ways to transfer, one row each: what is kept, what trains, by which recipe."""

from headstart.strategies.deep_adaptation import DEEP_ADAPTATIONS, DeepAdaptation
from headstart.strategies.table import FAMILIES, TABLE, Strategy, chosen, frozen_cut

__all__ = ["DEEP_ADAPTATIONS", "FAMILIES", "TABLE", "DeepAdaptation", "Strategy", "chosen", "frozen_cut"]
