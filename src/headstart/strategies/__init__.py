"""Ways to transfer, one row each: what is kept, what trains, by which recipe."""

from headstart.strategies.adapting import ADAPTATIONS, Adaptation
from headstart.strategies.table import FAMILIES, TABLE, Strategy, chosen, frozen_cut

__all__ = ["ADAPTATIONS", "FAMILIES", "TABLE", "Adaptation", "Strategy", "chosen", "frozen_cut"]
