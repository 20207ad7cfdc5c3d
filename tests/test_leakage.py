import pickle
import re

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from helpers.selection import (
    LOSS,
    MEMBERS,
    OTHERS,
    PERSONS,
    SCORING,
    X,
    Y,
    advantage,
    fitted,
    forest,
    group_auc,
    log_likelihood,
    tree,
)
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from sklearn_mia import (
    RMIA,
    LiRA,
    SupervisedAttack,
    ThresholdAttack,
    as_records,
    audit,
)
from sklearn_mia.metrics import membership_advantage_score, tpr_at_fpr_score
from sklearn_mia.model_selection import (
    AuditableClassifier,
    CoarsenedClassifier,
    LeastLeakageWithin,
    cross_validate_leakage,
    make_leakage_scorer,
)


@pytest.mark.parametrize(
    ("options", "metric"),
    [
        ({}, membership_advantage_score),
        ({"metric": "roc_auc"}, roc_auc_score),
        ({"metric": "tpr_at_fpr", "max_fpr": 0.1}, None),
    ],
)
def test_the_scorer_equals_leakage_by_hand(options, metric):
    model = fitted()
    records = as_records(X, Y)
    attack = ThresholdAttack(model.estimator_, signal="loss").fit(records)
    is_member = np.arange(400) < 200
    scores = attack.score_samples(records)
    if metric is None:
        by_hand = tpr_at_fpr_score(is_member, scores, max_fpr=0.1)
    else:
        by_hand = metric(is_member, scores)
    scorer = make_leakage_scorer(LOSS, **options)
    assert scorer(model, X[OTHERS], Y[OTHERS]) == pytest.approx(-by_hand, abs=1e-12)
    positive = make_leakage_scorer(LOSS, **options, greater_is_better=True)
    assert positive(model, X[OTHERS], Y[OTHERS]) == pytest.approx(by_hand, abs=1e-12)


def test_a_search_equals_leakage_by_hand_in_each_fold():
    folds = StratifiedKFold(2)
    search = GridSearchCV(
        AuditableClassifier(tree()),
        {"estimator__min_samples_leaf": [1, 10]},
        scoring=SCORING,
        refit=False,
        cv=folds,
    ).fit(X, Y)
    for i, leaf in enumerate([1, 10]):
        for k, (train, test) in enumerate(folds.split(X, Y)):
            model = tree(min_samples_leaf=leaf).fit(X[train], Y[train])
            by_hand = advantage(model, X[train], Y[train], X[test], Y[test])
            found = search.cv_results_[f"split{k}_test_leakage"][i]
            assert found == pytest.approx(-by_hand, abs=1e-12)


@pytest.mark.parametrize("max_samples", [None, 30])
def test_the_larger_side_is_sampled_down(max_samples):
    model = fitted()
    test = slice(200, 260)
    size = max_samples or 60
    records, is_member = model.membership_records(
        X[test], Y[test], max_samples=max_samples, random_state=3
    )
    assert is_member.sum() == (~is_member).sum() == size
    known = model.was_trained_on(records[:, :-1], records[:, -1].astype(int))
    np.testing.assert_array_equal(known, is_member)
    attack = ThresholdAttack(model.estimator_, signal="loss").fit(records)
    by_hand = membership_advantage_score(is_member, attack.score_samples(records))
    scorer = make_leakage_scorer(LOSS, max_samples=max_samples, random_state=3)
    assert scorer(model, X[test], Y[test]) == pytest.approx(-by_hand, abs=1e-12)
    other = make_leakage_scorer(LOSS, max_samples=max_samples, random_state=4)
    assert other(model, X[test], Y[test]) != scorer(model, X[test], Y[test])


def test_any_attack_with_shadows_equals_leakage_by_hand():
    model = fitted(tree(min_samples_leaf=3))
    for attack in (
        RMIA(n_shadows=4, random_state=0),
        LiRA(n_shadows=4, random_state=0, mode="offline"),
    ):
        found = make_leakage_scorer(attack)(model, X[OTHERS], Y[OTHERS])
        by_hand = advantage(
            model.estimator_, X[MEMBERS], Y[MEMBERS], X[OTHERS], Y[OTHERS], attack
        )
        assert found == pytest.approx(-by_hand, abs=1e-12)
        assert attack.target_estimator is None


def test_an_attack_that_learns_is_cross_fitted():
    rng = np.random.default_rng(0)
    data, labels = rng.normal(size=(400, 5)), rng.integers(2, size=400)
    # Its answers tell nothing of its records.
    blind = KNeighborsClassifier(25).fit(data[:100], labels[:100])
    model = AuditableClassifier(FrozenEstimator(blind))
    model.fit(data[100:250], labels[100:250])
    attack = SupervisedAttack(estimator=LogisticRegression())
    scorer = make_leakage_scorer(attack, metric="roc_auc")
    assert -scorer(model, data[250:], labels[250:]) == pytest.approx(0.5, abs=0.09)
    leaky = fitted(forest(30))
    assert -scorer(leaky, X[OTHERS], Y[OTHERS]) > 0.7


def test_an_attack_without_labels():
    model = fitted()
    scorer = make_leakage_scorer(
        ThresholdAttack(signal="entropy", label_column=None), metric="roc_auc"
    )
    attack = ThresholdAttack(model.estimator_, signal="entropy", label_column=None)
    by_hand = roc_auc_score(np.arange(400) < 200, attack.fit(X).score_samples(X))
    assert scorer(model, X[OTHERS], Y[OTHERS]) == pytest.approx(-by_hand, abs=1e-12)


@pytest.mark.parametrize("container", ["pandas", "polars", "csr", "list", "text"])
def test_any_container_scores_alike(container):
    data, labels = np.round(X, 3), Y
    expected = make_leakage_scorer(LOSS)(
        AuditableClassifier(tree(max_depth=6)).fit(data[MEMBERS], labels[MEMBERS]),
        data[OTHERS],
        labels[OTHERS],
    )
    if container in ("pandas", "polars"):
        frames = pytest.importorskip(container)
        columns = {name: data[:, i] for i, name in enumerate("abcdefg")}
        table = frames.DataFrame({**columns, "label": data[:, 7]})
        sides = table[:200], table[200:]
    elif container == "csr":
        sides = sp.csr_array(data[:200]), sp.csr_array(data[200:])
    elif container == "list":
        sides = data[:200].tolist(), data[200:].tolist()
    else:
        sides, labels = (data[:200], data[200:]), np.array(["no", "yes"])[Y]
    model = AuditableClassifier(tree(max_depth=6)).fit(sides[0], labels[:200])
    assert make_leakage_scorer(LOSS)(model, sides[1], labels[200:]) == expected


def test_categories_and_a_shuffled_index():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"job": rng.choice(list("abcd"), 300), "age": rng.integers(20, 60, 300)},
        index=rng.permutation(300),
    ).astype({"job": "category"})
    labels = pd.Series(rng.choice(["bad", "good"], 300), index=frame.index, name="age")
    encode = OneHotEncoder(handle_unknown="ignore")
    search = GridSearchCV(
        AuditableClassifier(make_pipeline(encode, tree())),
        {"estimator__decisiontreeclassifier__max_depth": [1, None]},
        scoring=SCORING,
        refit=LeastLeakageWithin(1.0),
        cv=3,
        error_score="raise",
    )
    # Equal records on both sides of a fold.
    with pytest.warns(UserWarning, match="equal a training record"):
        search.fit(frame, labels)
    assert search.best_params_ == {"estimator__decisiontreeclassifier__max_depth": 1}


def test_n_jobs_and_memory_of_the_worker():
    results = [
        GridSearchCV(
            AuditableClassifier(forest(5)),
            {"estimator__min_samples_leaf": [1, 10]},
            scoring=SCORING,
            refit="leakage",
            cv=3,
            n_jobs=n_jobs,
        )
        .fit(X, Y)
        .cv_results_
        for n_jobs in (1, 2)
    ]
    for key in ("split0_test_leakage", "split2_test_leakage", "mean_test_accuracy"):
        np.testing.assert_array_equal(results[0][key], results[1][key])
    assert results[0]["rank_test_leakage"].tolist() == [2, 1]


def test_nested_cross_validation():
    search = GridSearchCV(
        AuditableClassifier(tree()),
        {"estimator__max_depth": [1, None]},
        scoring=SCORING,
        refit=LeastLeakageWithin(0.5),
        cv=2,
    )
    scores = cross_validate(search, X, Y, scoring=SCORING, cv=2, error_score="raise")
    alone = cross_validate(
        AuditableClassifier(tree(max_depth=1)), X, Y, scoring=SCORING, cv=2
    )
    np.testing.assert_array_equal(scores["test_leakage"], alone["test_leakage"])


def test_halving_keeps_the_candidate_that_leaks_least():
    search = HalvingGridSearchCV(
        AuditableClassifier(tree()),
        {"estimator__min_samples_leaf": [1, 5, 30]},
        scoring=make_leakage_scorer(LOSS),
        cv=3,
        random_state=0,
        return_train_score=False,
    ).fit(X, Y)
    assert search.best_params_ == {"estimator__min_samples_leaf": 30}
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))


def test_the_scorer_is_an_ordinary_scorer():
    scorer = make_leakage_scorer(LOSS, metric="tpr_at_fpr", max_fpr=0.05)
    assert repr(scorer) == (
        "make_leakage_scorer(ThresholdAttack(signal='loss'), metric='tpr_at_fpr', "
        "max_fpr=0.05)"
    )
    assert (
        repr(make_leakage_scorer()) == "make_leakage_scorer('auto', metric='advantage')"
    )
    copied = pickle.loads(pickle.dumps(scorer))
    model = fitted(LogisticRegression())
    assert copied(model, X[OTHERS], Y[OTHERS]) == scorer(model, X[OTHERS], Y[OTHERS])
    candidate = AuditableClassifier(LogisticRegression())
    values = cross_val_score(candidate, X, Y, scoring=scorer)
    assert np.all(values <= 0)


def test_a_search_does_not_choose_the_tree_whose_rate_ties_hide():
    """Read as 0, the tree that tells all members would have been the safest."""
    search = GridSearchCV(
        AuditableClassifier(LogisticRegression()),
        {"estimator": [tree(), LogisticRegression()]},
        scoring=make_leakage_scorer(metric="tpr_at_fpr", max_fpr=0.1),
        cv=2,
        error_score="raise",
    )
    with (
        pytest.warns(UserWarning, match="max_fpr=0.1 cannot be resolved"),
        pytest.warns(UserWarning, match="test scores are non-finite"),
    ):
        search.fit(X, Y)
    assert search.cv_results_["rank_test_score"].tolist() == [2, 1]
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    assert isinstance(search.best_estimator_.estimator_, LogisticRegression)


def test_scoring_the_training_records_is_told():
    with pytest.raises(ValueError, match="No non-members: of 200 records, 200 are tra"):
        make_leakage_scorer()(fitted(), X[MEMBERS], Y[MEMBERS])
    with pytest.warns(UserWarning, match="100 of 200 test records equal a training"):
        make_leakage_scorer(LOSS)(fitted(), X[100:300], Y[100:300])


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (forest(), r"AuditableClassifier\(RandomForestClassifier\(\.\.\.\)\)"),
        (make_pipeline(AuditableClassifier(forest())), "Wrap the whole pipeline"),
        (
            CoarsenedClassifier(AuditableClassifier(forest()), decimals=1),
            r"Wrap all of it: AuditableClassifier\(CoarsenedClassifier\(\.\.\.\)\)",
        ),
        (
            FixedThresholdClassifier(AuditableClassifier(forest())),
            r"AuditableClassifier\(FixedThresholdClassifier\(\.\.\.\)\)",
        ),
        (
            GridSearchCV(tree(), {"max_depth": [1]}, cv=2),
            "DecisionTreeClassifier is not auditable",
        ),
    ],
)
def test_a_classifier_that_is_not_auditable_is_told(estimator, message):
    estimator.fit(X[MEMBERS], Y[MEMBERS])
    with pytest.raises(TypeError, match=message):
        make_leakage_scorer()(estimator, X[OTHERS], Y[OTHERS])


def test_an_unfitted_classifier_is_told():
    with pytest.raises(sklearn.exceptions.NotFittedError):
        make_leakage_scorer()(AuditableClassifier(forest()), X, Y)


def test_a_search_says_why_scores_are_missing():
    search = GridSearchCV(
        tree(), {"max_depth": [1]}, scoring=make_leakage_scorer(), cv=2, refit=False
    )
    with (
        pytest.warns(UserWarning, match="Wrap it before it is fitted"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, Y)


@pytest.mark.parametrize(
    ("attack", "error", "message"),
    [
        (RMIA, TypeError, "Pass an instance"),
        ("loss", TypeError, "attack must be 'auto' or an attack"),
        (tree(), TypeError, "attack must be 'auto' or an attack"),
        (ThresholdAttack(GaussianNB()), ValueError, "already has a target"),
        (ThresholdAttack(label_column=3), ValueError, "label_column=3"),
    ],
)
def test_wrong_attacks_are_told_early(attack, error, message):
    with pytest.raises(error, match=message):
        make_leakage_scorer(attack)
    with pytest.raises(error, match=message):
        cross_validate_leakage(tree(), X, Y, attack=attack)


def test_wrong_options_are_told_early():
    with pytest.raises(ValueError, match="'metric' parameter"):
        make_leakage_scorer(metric="auc")
    with pytest.raises(ValueError, match="'max_fpr' parameter"):
        make_leakage_scorer(max_fpr=5)
    with pytest.raises(
        ValueError, match=r"fprs=5 is not a number in \[0, 1\); rates are fractions"
    ):
        cross_validate_leakage(tree(), X, Y, fprs=[5])
    with pytest.raises(ValueError, match="label_only=True leaves no probabilities"):
        CoarsenedClassifier(tree(), label_only=True, decimals=1).fit(X, Y)


# Tables whose types or categories differ


def test_leakage_does_not_depend_on_the_types_of_the_test_table(
    people, retyped, boosting
):
    table, labels = people
    search = GridSearchCV(AuditableClassifier(boosting), {}, cv=2)
    search.fit(table[:200], labels[:200])
    others = retyped(table[200:])
    for attack in (LOSS, RMIA(n_shadows=2, random_state=0)):
        scorer = make_leakage_scorer(attack)
        expected = scorer(search, table[200:], labels[200:])
        assert expected < 0
        assert scorer(search, others, labels[200:]) == expected
    model = search.best_estimator_
    known = model.was_trained_on(retyped(table), labels)
    assert_array_equal(known, model.was_trained_on(table, labels))
    records, _ = model.membership_records(others, labels[200:])
    assert records.dtypes.to_dict() == {**table.dtypes, "label": labels.dtype}


def test_leakage_does_not_depend_on_the_order_of_the_columns(people):
    table, labels = people
    encode = make_column_transformer((OneHotEncoder(), ["job"]))
    model = AuditableClassifier(make_pipeline(encode, tree()))
    model.fit(table[:200], labels[:200])
    turned = table[table.columns[::-1]]
    assert model.was_trained_on(turned, labels)[:200].all()
    scorer = make_leakage_scorer(LOSS)
    # Half of them are training records.
    with pytest.warns(UserWarning, match="of 300 test records equal a training record"):
        expected = scorer(model, table[100:], labels[100:])
    with pytest.warns(UserWarning, match="of 300 test records equal a training record"):
        assert scorer(model, turned[100:], labels[100:]) == expected


def test_a_category_of_the_test_table_alone_comes_after_the_others(people):
    lightgbm = pytest.importorskip("lightgbm")
    pd = pytest.importorskip("pandas")
    table, labels = people
    jobs = table["job"].cat.categories.tolist()
    text = table["job"].astype("str")
    text[200:220] = "king"
    united = table.assign(job=text.astype(pd.CategoricalDtype([*jobs, "king"])))
    expected = None
    for train, test in (
        (united[:200], united[200:]),
        (table[:200], united[200:].assign(job=text[200:].astype("category"))),
        (table[:200], united[200:].assign(job=text[200:])),
    ):
        model = AuditableClassifier(
            lightgbm.LGBMClassifier(
                n_estimators=5, min_child_samples=2, n_jobs=1, verbose=-1
            )
        ).fit(train, labels[:200])
        leakage = make_leakage_scorer(LOSS)(model, test, labels[200:])
        expected = leakage if expected is None else expected
        assert leakage == expected


def test_leakage_on_polars_does_not_depend_on_the_types_of_the_test_table(
    enumerated, boosting
):
    pl = pytest.importorskip("polars")
    if type(boosting).__module__.startswith("lightgbm"):
        pytest.skip("LightGBM takes no enumeration of polars")
    table, labels = enumerated
    model = AuditableClassifier(boosting).fit(table[:200], labels[:200])
    scorer = make_leakage_scorer(LOSS)
    expected = scorer(model, table[200:], labels[200:])
    assert expected < 0
    for types in (
        {"job": pl.Categorical},
        {"job": pl.String},
        {"job": pl.Enum(["king", "nurse", "clerk", "smith"])},
        {"age": pl.Float64, "owner": pl.Int8, "income": pl.Float32},
    ):
        others = table[200:].cast(types)[["income", "age", "owner", "job"]]
        assert scorer(model, others, labels[200:]) == expected


def test_a_test_table_of_text_for_numbers_is_told(people):
    table, labels = people
    model = AuditableClassifier(KNeighborsClassifier(3))
    model.fit(table[["age"]][:200], labels[:200])
    others = table[["age"]][200:].astype("str")
    text = f"Column 'age' is int64 in X_train and {others['age'].dtype} in X_test"
    with pytest.raises(ValueError, match=text):
        make_leakage_scorer()(model, others, labels[200:])


# Persons

AUC = {"metric": "roc_auc", "greater_is_better": True}


def in_folds():
    """Leakage of a linear model by person, in two folds."""
    return cross_validate_leakage(
        LogisticRegression(C=100),
        *(X, Y),
        attack=LOSS,
        groups=PERSONS,
        cv=GroupKFold(2),
        fprs=[0.1],
    )


def of_persons(estimator):
    model = AuditableClassifier(estimator)
    return model.fit(X[MEMBERS], Y[MEMBERS], groups=PERSONS[MEMBERS])


def test_of_a_classifier_fitted_with_groups_persons_are_compared():
    model = of_persons(LogisticRegression(C=100))
    scorer = make_leakage_scorer(LOSS, **AUC)
    scores = log_likelihood(model, X, Y)
    by_hand = group_auc(scores, np.arange(400) < 200, PERSONS)
    found = scorer(model, X[OTHERS], Y[OTHERS], groups=PERSONS[OTHERS])
    assert found == pytest.approx(by_hand, abs=1e-12)
    assert abs(found - roc_auc_score(np.arange(400) < 200, scores)) > 0.01


@pytest.mark.parametrize(
    "attack", [LOSS, RMIA(n_shadows=4, random_state=0)], ids=["loss", "RMIA"]
)
def test_a_scorer_finds_of_persons_what_an_audit_finds(attack):
    model = of_persons(forest())
    audited = audit(
        model.estimator_,
        *(X[MEMBERS], Y[MEMBERS], X[OTHERS], Y[OTHERS]),
        groups_train=PERSONS[MEMBERS],
        groups_test=PERSONS[OTHERS],
        attacks=attack,
        n_permutations=99,
    )
    expected = pytest.approx(audited.attacks[0]["auc"]["estimate"], abs=1e-12)
    # Neither the order of the test records nor the names of persons matters.
    order = np.random.default_rng(0).permutation(np.arange(200, 400))
    order = order if attack is LOSS else np.arange(200, 400)
    scorer = make_leakage_scorer(attack, **AUC)
    assert scorer(model, X[order], Y[order], groups=PERSONS[order]) == expected
    names = np.array([f"p{999 - person}" for person in PERSONS])
    model.fit(X[MEMBERS], Y[MEMBERS], groups=names[MEMBERS])
    if attack is LOSS:
        assert scorer(model, X[order], Y[order], groups=names[order]) == expected


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_search_with_metadata_routing_compares_persons(n_jobs):
    folds = GroupKFold(2)
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            AuditableClassifier(LogisticRegression()),
            {"estimator__C": [0.01, 100]},
            scoring={"accuracy": "accuracy", "leakage": make_leakage_scorer(LOSS)},
            refit="accuracy",
            cv=folds,
            n_jobs=n_jobs,
            error_score="raise",
        ).fit(X, Y, groups=PERSONS)
        others = search.cv_results_["split1_test_leakage"]
        train, test = list(folds.split(X, Y, PERSONS))[1]
        model = search.best_estimator_.fit(X[train], Y[train], groups=PERSONS[train])
    by_hand = make_leakage_scorer(LOSS)(model, X[test], Y[test], groups=PERSONS[test])
    assert others[search.best_index_] == by_hand
    by_fold = in_folds()["leakage_advantage"]
    assert -others[1] == by_fold[1]


def first_eight(table):
    return table[list("abcdefgh")] if hasattr(table, "columns") else table[:, :8]


@pytest.mark.parametrize("container", ["pandas", "polars", "array", "csr"])
def test_a_search_without_routing_finds_persons_in_a_column(container):
    if container in ("array", "csr"):
        column, table = 8, np.column_stack([X, PERSONS])
        table = table if container == "array" else sp.csr_array(table)
    else:
        frames, column = pytest.importorskip(container), "patient"
        table = frames.DataFrame(
            {name: X[:, i] for i, name in enumerate("abcdefgh")}
            | {"patient": [f"p{person}" for person in PERSONS]}
        )
    recipe = make_pipeline(FunctionTransformer(first_eight), LogisticRegression())
    search = GridSearchCV(
        AuditableClassifier(recipe),
        {"estimator__logisticregression__C": [0.01, 100]},
        scoring=make_leakage_scorer(LOSS, **AUC, group_column=column),
        cv=GroupKFold(2),
        error_score="raise",
    ).fit(table, Y, groups=PERSONS)
    expected = in_folds()["leakage_roc_auc"]
    for k in range(2):
        found = search.cv_results_[f"split{k}_test_score"][1]
        assert found == pytest.approx(expected[k], abs=1e-3)


def test_persons_are_never_counted_as_records_unless_that_is_asked_for():
    scorer = make_leakage_scorer(LOSS)
    message = (
        "This AuditableClassifier was fitted with groups, but there are none for the "
        "records to compare with, which would be counted one by one. Pass groups=, the "
        "key of the group of each record; a search hands them on with "
        "sklearn.set_config(enable_metadata_routing=True)."
    )
    for ask in (scorer, AuditableClassifier.membership_records):
        given = (of_persons(tree()), X[OTHERS], Y[OTHERS])
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            ask(*given)
    message = (
        "groups are given, but this AuditableClassifier was fitted without them. Fit "
        "it with groups: fit(X, y, groups=groups); a search hands them on with "
        "sklearn.set_config(enable_metadata_routing=True)."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        scorer(fitted(tree()), X[OTHERS], Y[OTHERS], groups=PERSONS[OTHERS])
    with sklearn.config_context(enable_metadata_routing=True):
        by_record = scorer.set_score_request(groups=False)
        model = AuditableClassifier(tree()).set_fit_request(groups=False)
        found, expected = (
            cross_val_score(m, X, Y, scoring=by_record, cv=cv, **params)
            for m, cv, params in (
                (model, GroupKFold(2), {"params": {"groups": PERSONS}}),
                (AuditableClassifier(tree()), GroupKFold(2).split(X, Y, PERSONS), {}),
            )
        )
        assert_array_equal(found, expected)
        forgotten = make_leakage_scorer(LOSS).set_score_request(groups=False)
        with (
            pytest.warns(UserWarning, match="This AuditableClassifier was fitted with"),
            pytest.warns(UserWarning, match="non-finite"),
        ):
            search = GridSearchCV(
                AuditableClassifier(tree()),
                {"estimator__max_depth": [1]},
                scoring=forgotten,
                cv=GroupKFold(2),
                refit=False,
            ).fit(X, Y, groups=PERSONS)
    assert np.isnan(search.cv_results_["mean_test_score"]).all()
    with pytest.raises(RuntimeError, match="set_score_request needs metadata routing"):
        scorer.set_score_request(groups=True)


def test_groups_of_a_search_without_routing_reach_its_splitter_only():
    """What the documentation warns of: nobody else can know that there are groups."""
    search = GridSearchCV(
        AuditableClassifier(tree()),
        {"estimator__max_depth": [None]},
        scoring=make_leakage_scorer(LOSS, **AUC),
        cv=GroupKFold(2),
    ).fit(X, Y, groups=PERSONS)
    found = cross_validate_leakage(
        tree(), X, Y, groups=PERSONS, cv=GroupKFold(2), attack=LOSS, fprs=[0.5]
    )
    by_record = search.cv_results_["split0_test_score"][0]
    assert by_record == pytest.approx(found["leakage_of_records_roc_auc"][0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"group_column": 9},
            "group_column=9 is no column of the records, which have positions 0 to 7. "
            "Leave the column in X, and let the classifier drop it.",
        ),
        (
            {"group_column": 0, "groups": PERSONS[OTHERS]},
            "groups were given to a scorer with group_column=0, which says where they "
            "are. Leave one of them out.",
        ),
        ({"groups": [1]}, "groups has 1 keys for 200 records; expected one for each"),
        ({"groups": PERSONS[OTHERS].astype(str)}, "groups has keys of 2 kinds"),
    ],
)
def test_groups_that_cannot_be_used_are_told(given, message):
    groups = {k: v for k, v in given.items() if k == "groups"}
    scorer = make_leakage_scorer(LOSS, group_column=given.get("group_column"))
    with pytest.raises(ValueError, match=re.escape(message)):
        scorer(of_persons(tree()), X[OTHERS], Y[OTHERS], **groups)


def test_a_person_in_both_tables_is_left_out_with_a_warning():
    model, scorer = of_persons(LogisticRegression()), make_leakage_scorer(LOSS, **AUC)
    groups = PERSONS[OTHERS].copy()
    groups[groups == 82] = 0
    message = (
        "1 of 159 groups have training records and others. They are no members as a "
        "whole, and left out. Pass a splitter of groups, such as cv=GroupKFold()."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        found = scorer(model, X[OTHERS], Y[OTHERS], groups=groups)
    kept = ~np.isin(PERSONS, [0, 82])
    # The larger side, 79 and 79 persons, is not sampled down.
    scores = log_likelihood(model, X, Y)[kept]
    by_hand = group_auc(scores, np.arange(400)[kept] < 200, PERSONS[kept])
    assert found == pytest.approx(by_hand, abs=1e-12)
    with pytest.raises(ValueError, match="0 of 80 groups wholly among the mem"):
        scorer(model, X[OTHERS], Y[OTHERS], groups=PERSONS[MEMBERS])


def test_a_scorer_by_column_says_so():
    assert repr(make_leakage_scorer(LOSS, group_column="patient")) == (
        "make_leakage_scorer(ThresholdAttack(signal='loss'), metric='advantage', "
        "group_column='patient')"
    )
