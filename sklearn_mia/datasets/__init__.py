"""A small real table to try the attacks on."""

from sklearn_mia.datasets._german_credit import load_german_credit

__all__ = ["load_german_credit"]
