"""Ways to transfer, one row each: what is kept, what trains, by which recipe; and ways to adapt to another domain."""

from headstart.strategies.adaptation import ADAPTATIONS, METHOD_FAMILIES, Adaptation, chosen_adaptations
from headstart.strategies.deep_adaptation import DEEP_ADAPTATIONS, DeepAdaptation
from headstart.strategies.strategy import Strategy
from headstart.strategies.surrogates import SURROGATES, SurrogateTask
from headstart.strategies.table import FAMILIES, TABLE, Table, asked_for, chosen, frozen_cut
from headstart.strategies.treatments import TREATMENTS, Treatment

__all__ = [
    "ADAPTATIONS",
    "DEEP_ADAPTATIONS",
    "FAMILIES",
    "METHOD_FAMILIES",
    "SURROGATES",
    "TABLE",
    "TREATMENTS",
    "Adaptation",
    "DeepAdaptation",
    "Strategy",
    "SurrogateTask",
    "Table",
    "Treatment",
    "asked_for",
    "chosen",
    "chosen_adaptations",
    "frozen_cut",
]
