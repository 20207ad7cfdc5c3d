"""A search by record and one by person: what they say of the same candidates.

    python benchmarks/bench_person_search.py

Hospital stays, label "readmitted or not", 1,500 patients of 3 to 5 stays, forests of 50
trees, two folds of patients. The AUC of `make_leakage_scorer` by stay and by patient,
and that of the strongest attack of an audit by patient on the model of the first fold;
mean over draws of patients.
"""

import numpy as np
import sklearn
from bench_person_scores import SAMPLES, draw, load_stays
from common import command_line, write_results
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold

from sklearn_mia import AuditableClassifier, audit, make_leakage_scorer

N_DRAWS = 3
LEAVES = [1, 5, 20, 50, 100]
FOREST = RandomForestClassifier(50, random_state=0)


def search(X, y, persons, by_person):
    """Mean leakage of each candidate."""
    with sklearn.config_context(enable_metadata_routing=True):
        candidate = AuditableClassifier(FOREST).set_fit_request(groups=by_person)
        scorer = make_leakage_scorer(metric="roc_auc", greater_is_better=True)
        found = GridSearchCV(
            candidate,
            {"estimator__min_samples_leaf": LEAVES},
            scoring=scorer.set_score_request(groups=by_person),
            cv=GroupKFold(2),
            refit=False,
            error_score="raise",
        ).fit(X, y, groups=persons)
    return found.cv_results_["mean_test_score"]


def audited(X, y, persons, leaf):
    train, test = next(GroupKFold(2).split(X, y, persons))
    model = clone(FOREST).set_params(min_samples_leaf=leaf).fit(X[train], y[train])
    report = audit(
        model,
        *(X[train], y[train], X[test], y[test]),
        groups_train=persons[train],
        groups_test=persons[test],
        release="interface",
        random_state=0,
    )
    return report.attacks[0]["auc"]["estimate"]


def main():
    arguments = command_line(__doc__, "person_search").parse_args()
    stays = load_stays()
    found = []
    for seed in range(N_DRAWS):
        X, y, persons, _ = draw(stays, *SAMPLES["3 to 5"], seed)
        columns = [search(X, y, persons, by_person) for by_person in (False, True)]
        columns.append([audited(X, y, persons, leaf) for leaf in LEAVES])
        found.append(columns)
    by_stay, by_patient, of_audit = np.mean(found, axis=0)
    rows = [
        {
            "leaf": leaf,
            "search by stay": float(by_stay[i]),
            "search by patient": float(by_patient[i]),
            "audit by patient": float(of_audit[i]),
        }
        for i, leaf in enumerate(LEAVES)
    ]
    write_results(arguments.name, rows, n_draws=N_DRAWS)


if __name__ == "__main__":
    main()
