"""What shadows tell about the records, whatever attack trained them."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_mia._views import TableViewMixin


@dataclass(frozen=True, repr=False)
class ShadowEvidence(TableViewMixin):
    """What shadows say of the pool, whatever attack trained them.

    Attributes
    ----------
    members : ndarray of shape (n_shadows, n_records), dtype bool
        Which record each shadow trained on.

    log_proba : ndarray of shape (n_shadows, n_records) or None
        Log-probability of the true label, NaN where a shadow never saw its class, or
        the negative squared error of regressors; None if shadows were not asked for
        probabilities.

    response : str
        How target and shadows were asked.

    thin : bool
        Whether shadows have fewer trees than the target.
    """

    members: np.ndarray
    log_proba: np.ndarray | None
    response: str
    thin: bool

    def of(self, rows):
        """What they say of some records.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Places of the records.

        Returns
        -------
        evidence : ShadowEvidence
            The same of these records alone.
        """
        told = None if self.log_proba is None else self.log_proba[:, rows]
        return replace(self, members=self.members[:, rows], log_proba=told)


def shadows_without_class(table, codes, classes):
    """Count the shadows that never saw each class.

    Parameters
    ----------
    table : ndarray of shape (n_shadows, n_records) or more axes
        What shadows say of records, NaN where one never saw the class.

    codes : ndarray of shape (n_records,)

    classes : ndarray of shape (n_classes,) or None
        None of a regressor.

    Returns
    -------
    n_without : ndarray of shape (n_classes,), dtype int
        0 for a class without records.
    """
    if classes is None:
        return np.zeros(0, dtype=int)
    n_classes = len(classes)
    present = np.bincount(codes, minlength=n_classes) > 0
    n_without = np.zeros(n_classes, dtype=int)
    for row in table:
        known = ~np.isnan(row).reshape(len(codes), -1).any(axis=1)
        seen = np.bincount(codes[known], minlength=n_classes) > 0
        n_without += present & ~seen
    return n_without
