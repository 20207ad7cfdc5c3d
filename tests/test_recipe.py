import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import LiRA, ThresholdAttack
from sklearn_mia.auditing import audit_recipe


def test_recipe_over_several_models(half):
    X, y = np.concatenate(half[::2]), np.concatenate(half[1::2])
    report = audit_recipe(
        DecisionTreeClassifier(),
        X,
        y,
        n_targets=3,
        attacks={"loss": ThresholdAttack(signal="loss"), "LiRA": LiRA(n_shadows=2)},
        fprs=[0.001, 0.1],
        random_state=0,
    )
    assert [row["metric"] for row in report.summary[:3]] == [
        "auc",
        "tpr@fpr=0.001",
        "tpr@fpr=0.1",
    ]
    values = [target["attacks"]["loss"]["auc"] for target in report.targets]
    auc = report.summary[0]
    assert auc["mean"] == pytest.approx(np.mean(values))
    # t(2) at 97.5 % is 4.303.
    spread = 4.303 * np.std(values, ddof=1) / np.sqrt(3)
    assert auc["high"] - auc["mean"] == pytest.approx(spread, rel=1e-3)
    assert report.summary[1]["mean"] is None
    assert "1000 non-members" in str(report)
    assert report.targets[0] != report.targets[1]
    assert '"schema": "sklearn_mia.recipe"' in report.to_json()
    assert repr(report) == "<RecipeReport of DecisionTreeClassifier: 3 models>"


def test_recipe_trains_shadows_once(half):
    fits = []

    class Counting(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            fits.append(len(y))
            return super().fit(X, y, sample_weight)

    X, y = np.concatenate(half[::2]), np.concatenate(half[1::2])
    audit_recipe(
        Counting(), X, y, n_targets=3, attacks=LiRA(n_shadows=4), random_state=0
    )
    assert len(fits) == 3 + 4
