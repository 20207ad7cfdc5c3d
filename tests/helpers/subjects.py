"""Scores without an audit around them."""

import numpy as np

from sklearn_mia.auditing._multiplicity import MembershipPermuter
from sklearn_mia.auditing._run import Scored
from sklearn_mia.auditing._subjects import Subjects


def subjects_of_scores(is_member, scores):
    """Single records with the scores of some attacks."""
    permuter = MembershipPermuter(is_member, np.arange(len(is_member)))
    scored = {name: Scored(values, None, name) for name, values in scores.items()}
    return Subjects(is_member, permuter, scored)
