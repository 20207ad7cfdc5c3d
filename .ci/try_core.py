"""What works with the package alone: no pandas, no matplotlib, no jinja2."""

from importlib.util import find_spec
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import sklearn_mia
from sklearn_mia.datasets import load_german_credit

assert "site-packages" in Path(sklearn_mia.__file__).parts
assert not any(map(find_spec, ("pandas", "matplotlib", "jinja2", "pytest")))
assert len(load_german_credit().target) == 1000

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.5, random_state=0
)
model = RandomForestClassifier(50, random_state=0).fit(X_train, y_train)
report = sklearn_mia.audit(model, X_train, y_train, X_test, y_test, random_state=0)
assert report.verdict["level"] == "above_limits"
report.to_json("report.json")
again = sklearn_mia.AuditReport.from_json("report.json")
assert str(again) == str(report)
assert report._repr_html_() is None
print(report.verdict["title"])
