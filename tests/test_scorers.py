import numpy as np
from sklearn.naive_bayes import GaussianNB

from sklearn_mia.metrics import tpr_at_fpr_score, tpr_at_fpr_scorer


def test_a_scorer_reads_the_probability_of_the_label_of_members():
    is_member = np.arange(200) < 100
    X = (np.random.default_rng(0).normal(size=200) + is_member)[:, None]
    y = np.where(is_member, "member", "nonmember")
    model = GaussianNB().fit(X, y)
    assert not hasattr(model, "decision_function")
    assert model.classes_.tolist() == ["member", "nonmember"]
    scorer = tpr_at_fpr_scorer(0.1, pos_label="member")
    expected = tpr_at_fpr_score(is_member, model.predict_proba(X)[:, 0], max_fpr=0.1)
    assert scorer(model, X, y) == expected > 0.3
