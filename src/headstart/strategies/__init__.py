"""Ways to transfer, one row each: what is kept, what trains, by which recipe."""

from headstart.strategies.table import FAMILIES, TABLE, Strategy, chosen, frozen_cut

__all__ = ["FAMILIES", "TABLE", "Strategy", "chosen", "frozen_cut"]
