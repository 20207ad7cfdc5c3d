import numpy as np

from sklearn_mia.auditing._evaluation import evaluate_slices, plain_interval
from sklearn_mia.auditing._multiplicity import MembershipPermuter
from sklearn_mia.metrics import roc_auc_interval


def test_slices_too_small_to_be_tested_do_not_widen_the_others():
    rng = np.random.default_rng(0)
    is_member = np.arange(400) % 2 == 0
    kind = np.repeat(["a", "b", "c"], [200, 190, 10])
    # The first attack sees members in "a", the second in "b".
    scores = {
        "first": rng.normal(size=400) + (is_member & (kind == "a")),
        "second": rng.normal(size=400) + (is_member & (kind == "b")),
    }
    rows = evaluate_slices(
        {"kind": [(value, kind == value) for value in "abc"]},
        scores,
        dict.fromkeys(scores),
        is_member,
        MembershipPermuter(is_member, np.arange(400)),
        min_size=30,
        confidence=0.9,
        n_permutations=99,
        seed=0,
    )
    assert [row["attack"] for row in rows] == ["first", "second", None]
    for row in rows[:2]:
        inside = kind == row["value"]
        interval = roc_auc_interval(
            is_member[inside],
            scores[row["attack"]][inside],
            confidence=1 - 0.1 / (2 * 2),
        )
        assert row["auc"] == plain_interval(interval)
        assert row["p_corrected"] == 0.01
        assert row["note"] == ""
    assert rows[2]["n_members"] == rows[2]["n_nonmembers"] == 5
    assert rows[2]["auc"] is rows[2]["p_corrected"] is None
    assert rows[2]["note"] == (
        "fewer than 30 members or 30 non-members: too few to say anything"
    )
