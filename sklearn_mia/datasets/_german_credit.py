"""The Statlog German Credit table."""

import csv
import gzip
from importlib import resources

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._optional_dependencies import check_pandas_support
from sklearn.utils._param_validation import validate_params

_NUMERIC = {
    "duration_months",
    "credit_amount",
    "installment_rate",
    "residence_since",
    "age",
    "existing_credits",
    "num_dependents",
}
_CLASS_NAMES = {"1": "good", "2": "bad"}


@validate_params(
    {"return_X_y": ["boolean"], "as_frame": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def load_german_credit(*, return_X_y=False, as_frame=False):
    """Load the German credit table (classification).

    One thousand applications for a loan at a German bank, with the risk that
    each turned out to be: a table of the size and kind of personal data for
    which membership matters.

    ================= ==============================
    Classes                                        2
    Records per class             300 bad / 700 good
    Records total                               1000
    Dimensionality                                20
    Features           13 categorical, 7 int columns
    ================= ==============================

    Categories keep the codes of the source (``"A11"``), which ``DESCR`` explains.
    No value is missing and no two records are equal.

    Parameters
    ----------
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch object.

    as_frame : bool, default=False
        If True, `data` is a pandas DataFrame, with the categorical columns as
        ``category`` and the others as ``int64``, and `target` is a Series.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes.

        data : {ndarray, DataFrame} of shape (1000, 20)
            The features. The ndarray has dtype object and holds the values
            as they are, str and int; nothing is encoded.
        target : {ndarray, Series} of shape (1000,)
            The class of each record, ``"bad"`` or ``"good"``.
        feature_names : list of str
            The names of the feature columns.
        target_names : list of str
            The names of the classes, sorted.
        frame : DataFrame of shape (1000, 21)
            `data` and `target`, the latter as the last column,
            ``"credit_risk"``. None if `as_frame` is False.
        DESCR : str
            The origin, the licence and the columns of the table.

    (data, target) : tuple if ``return_X_y`` is True
        `data` and `target` as described above.

    References
    ----------
    .. [1] H. Hofmann (1994). Statlog (German Credit Data) [Dataset]. UCI Machine
       Learning Repository. https://doi.org/10.24432/C5NC77. Licence: CC BY 4.0.

    Examples
    --------
    >>> from sklearn_mia.datasets import load_german_credit
    >>> X, y = load_german_credit(return_X_y=True)
    >>> X.shape, X[0, :3].tolist(), str(y[0])
    ((1000, 20), ['A11', 6, 'A34'], 'good')
    """
    folder = resources.files("sklearn_mia.datasets")
    with (
        (folder / "german_credit.csv.gz").open("rb") as compressed,
        gzip.open(compressed, "rt", encoding="ascii", newline="") as text,
    ):
        (*feature_names, target_name), *rows = csv.reader(text)

    data = np.array([row[:-1] for row in rows], dtype=object)
    for j, name in enumerate(feature_names):
        if name in _NUMERIC:
            data[:, j] = [int(value) for value in data[:, j]]
    target = np.array([_CLASS_NAMES[row[-1]] for row in rows])

    frame = None
    if as_frame:
        pd = check_pandas_support("load_german_credit with as_frame=True")
        frame = pd.DataFrame(data, columns=feature_names)
        frame[target_name] = target
        frame = frame.astype(
            {name: "int64" if name in _NUMERIC else "category" for name in frame}
        )
        data, target = frame[feature_names], frame[target_name]

    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=feature_names,
        target_names=sorted(_CLASS_NAMES.values()),
        DESCR=(folder / "german_credit.rst").read_text(encoding="utf-8"),
    )
