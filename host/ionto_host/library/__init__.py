"""Conditions, drugs, contraindications and reactions: data files with a source for every figure, and their reader."""

from ionto_host.library.loader import built_in, check_folder, load
from ionto_host.library.model import Condition, Drug, Figure, Library, Preset, Question, Reaction, Regime, Rule, Source

__all__ = [
    "Condition",
    "Drug",
    "Figure",
    "Library",
    "Preset",
    "Question",
    "Reaction",
    "Regime",
    "Rule",
    "Source",
    "built_in",
    "check_folder",
    "load",
]
