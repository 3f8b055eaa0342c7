"""Records and the run's pictures → tables, figures, one page. Measures nothing and decides nothing."""

from headstart.report.card import model_card
from headstart.report.explaining import Explained, explain
from headstart.report.page import draw

__all__ = ["Explained", "draw", "explain", "model_card"]
