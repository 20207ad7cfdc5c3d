"""Persons, not rows: what the records of a group come to as one.

A person is in the training data with all of their records or with none, so the person
is what an attack names, and what a rate counts. Groups are given by a key for each
record, as in :mod:`sklearn.model_selection`; everything here answers in the order of
the sorted keys, whatever the order of the records.
"""

from sklearn_mia.groups._keys import group_codes
from sklearn_mia.groups._persons import (
    centred_scores,
    group_members,
    group_scores,
    level_of,
)
from sklearn_mia.groups._sizes import (
    SizeRates,
    SizeThresholds,
    rates_by_size,
    thresholds_by_size,
)

__all__ = [
    "SizeRates",
    "SizeThresholds",
    "centred_scores",
    "group_codes",
    "group_members",
    "group_scores",
    "level_of",
    "rates_by_size",
    "thresholds_by_size",
]
