"""Pretrained networks by name: preprocessing, ordered cuts, fingerprints, freezing, engines."""

from headstart.backbones.backbone import Backbone, Preprocessing
from headstart.backbones.bank import Listing, load, load_random, names, resolve
from headstart.backbones.engine import Engine
from headstart.backbones.engines import Opened, open_engine
from headstart.backbones.transferred import ADAPTERS, Only, Part, Transferred

__all__ = [
    "ADAPTERS",
    "Backbone",
    "Engine",
    "Listing",
    "Only",
    "Opened",
    "Part",
    "Preprocessing",
    "Transferred",
    "load",
    "load_random",
    "names",
    "open_engine",
    "resolve",
]
