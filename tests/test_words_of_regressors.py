"""Errors about regressors speak of values, and not of classes."""

import re
import warnings

import numpy as np
import pytest
from both_ways import N, refusal
from sklearn.exceptions import DataConversionWarning
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_mia import (
    RMIA,
    AuditableClassifier,
    MembershipSignals,
    Records,
    ThresholdAttack,
    as_records,
    audit_predictions,
)
from sklearn_mia.__main__ import main

pd = pytest.importorskip("pandas")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2 * N, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
Y = X[:, 0] + RNG.normal(size=2 * N)
MODEL = DecisionTreeRegressor(max_depth=4, random_state=0).fit(X[:N], Y[:N])
OF_FRAMES = DecisionTreeRegressor(max_depth=4, random_state=0).fit(FRAME[:N], Y[:N])
CLASSIFIER = DecisionTreeClassifier(max_depth=4).fit(X[:N], Y[:N] > 0)


def exactly(message):
    return f"^{re.escape(message)}$"


@pytest.mark.parametrize(
    ("model", "records", "message"),
    [
        (
            MODEL,
            X,
            "The records have 3 columns, as many as the target has features: the value "
            "to predict is missing. Add it with as_records(X, y).",
        ),
        (
            OF_FRAMES,
            FRAME,
            "The records hold only the columns that the target was trained on, not the "
            "value to predict. Add it with as_records(X, y).",
        ),
        (
            OF_FRAMES,
            FRAME.assign(y=Y, z=Y),
            "label_column='auto' found 2 columns that the target was not trained on: "
            "'y', 'z'. Drop all but the value to predict.",
        ),
        (
            MODEL,
            Records(X),
            "The Records hold no values to predict. Pass Records(X, y).",
        ),
        (
            MODEL,
            [{"a": 1}, {"a": 2}],
            "X is a list of dictionaries, without values to predict. Pass "
            "as_records(X, y).",
        ),
    ],
)
def test_values_that_are_missing_cannot_be_stood_in_for(model, records, message):
    with pytest.raises(ValueError, match=exactly(message)):
        RMIA(model).fit(records)


def test_two_outputs_are_no_one_hot_classes():
    message = (
        "y must have one dimension, got shape (160, 2). Pass one label, or one value "
        "to predict, for each record."
    )
    for several in (np.c_[Y, Y], np.c_[Y > 0, Y > 1].astype(int)):
        with pytest.raises(ValueError, match=exactly(message)):
            as_records(X, several)
    message = (
        "y must be 1-d labels, got shape (160, 2). If y is one-hot, pass the class of "
        "each row, for example y.argmax(axis=1)."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        as_records(X, np.c_[Y > 0, Y <= 0])


@pytest.mark.parametrize(
    ("model", "signal", "message"),
    [
        (
            MODEL,
            "entropy",
            "signal='entropy' is for classifiers, and the target is a regressor; "
            "expected a callable or one of 'loss', 'absolute_error'.",
        ),
        (
            MODEL,
            "surprise",
            "signal='surprise' is not known; expected a callable or one of 'loss', "
            "'absolute_error'. A worker process does not know a name that was added to "
            "VALUE_SIGNALS in another one: pass the callable itself.",
        ),
        (
            CLASSIFIER,
            "absolute_error",
            "signal='absolute_error' is for regressors, and the target is a "
            "classifier; expected a callable or one of 'logit', 'loss', 'confidence', "
            "'margin', 'entropy', 'modified_entropy', 'correctness', "
            "'max_confidence', 'spread'.",
        ),
    ],
)
def test_a_signal_of_the_other_kind_is_known_as_such(model, signal, message):
    values = Y if model is MODEL else Y > 0
    records = as_records(X, values)
    with pytest.raises(ValueError, match=exactly(message)):
        ThresholdAttack(model, signal=signal).fit(records)
    with pytest.raises(ValueError, match=exactly(message)):
        MembershipSignals(model, signals=[signal]).fit(records)


def test_predictions_of_a_regressor_are_refused(tmp_path, capsys):
    is_member, prediction = np.arange(2 * N) < N, MODEL.predict(X)
    for answers in (prediction, prediction[:, None]):
        message = (
            "proba must be a table of shape (n_records, n_classes), one column a class,"
            f" got shape {answers.shape}. Of two classes with p the probability of the "
            f"second, pass np.column_stack([1 - p, p]). Of a regressor pass its "
            "predictions with regression=True."
        )
        with pytest.raises(ValueError, match=exactly(message)):
            audit_predictions(answers, Y, is_member)
    path = tmp_path / "predictions.csv"
    frame = pd.DataFrame({"prediction": prediction, "y": Y, "member": is_member})
    frame.to_csv(path, index=False)
    status = main(["audit", f"--predictions={path}", "--label=y", "--member=member"])
    assert (status, capsys.readouterr().err) == (
        2,
        f"error: {path} has 0 columns that begin with 'proba_'; expected "
        "one a class, named proba_<class>, or another --proba-prefix. "
        "Of a regressor pass --predicted COLUMN, the column that holds its "
        "predictions.\n",
    )


def test_a_value_that_is_missing_in_a_file_is_called_a_value(tmp_path, capsys):
    values = pd.Series(Y).mask(np.arange(2 * N) == N + 1)
    assert refusal(capsys, tmp_path, OF_FRAMES, FRAME, values) == (
        f"1 of 80 records of {tmp_path / 'others.csv'} have no value in column 'y'. "
        "Fill them in or leave the records out."
    )


def test_a_column_of_values_is_told_at_the_line_of_the_caller():
    for call in (
        lambda: as_records(X, Y[:, None]),
        lambda: AuditableClassifier(DecisionTreeRegressor()).fit(X, Y[:, None]),
        lambda: Records(X, Y[:, None]),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        assert [(w.category, w.filename) for w in caught] == [
            (DataConversionWarning, __file__)
        ]
