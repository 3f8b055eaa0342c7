"""Records and the run's pictures → tables, figures, one page. Measures nothing and decides nothing."""

from headstart.report.card import model_card
from headstart.report.page import draw

__all__ = ["draw", "model_card"]
