"""Scores without an audit around them."""

import numpy as np

from sklearn_mia.auditing._case_of_answers import case_of_predictions
from sklearn_mia.auditing._multiplicity import MembershipPermuter
from sklearn_mia.auditing._run import Scored
from sklearn_mia.auditing._subjects import Subjects, subjects_of


def subjects_of_scores(is_member, scores):
    """Single records with the scores of some attacks."""
    permuter = MembershipPermuter(is_member, np.arange(len(is_member)))
    scored = {name: Scored(values, None, name) for name, values in scores.items()}
    return Subjects(is_member, permuter, scored)


def subjects_of_persons(is_member, person, scores):
    """Persons with records whose scores are log ratios."""
    case, _ = case_of_predictions(
        np.full((len(person), 2), 0.5),
        np.arange(len(person)) % 2,
        is_member,
        groups=person,
    )
    scored = {name: Scored(s, None, name, ratios=s) for name, s in scores.items()}
    return subjects_of(case, scored)
