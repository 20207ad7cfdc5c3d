"""What shadows tell about the records, whatever attack trained them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, repr=False)
class ShadowEvidence:
    """What shadows say of the pool, whatever attack trained them.

    Attributes
    ----------
    members : ndarray of shape (n_shadows, n_records), dtype bool
        Which record each shadow trained on.

    log_proba : ndarray of shape (n_shadows, n_records) or None
        Log-probability of the true label, NaN where a shadow never saw its class; None
        if shadows were not asked for probabilities.

    response : str
        How target and shadows were asked.

    thin : bool
        Whether shadows have fewer trees than the target.
    """

    members: np.ndarray
    log_proba: np.ndarray | None
    response: str
    thin: bool
