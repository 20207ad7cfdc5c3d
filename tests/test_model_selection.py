import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_mia import RMIA, LiRA, SupervisedAttack, ThresholdAttack, as_records
from sklearn_mia.metrics import membership_advantage_score, tpr_at_fpr_score
from sklearn_mia.model_selection import (
    AuditableClassifier,
    CoarsenedClassifier,
    LeastLeakageWithin,
    MostAccurateWithin,
    PrivacyUtilityDisplay,
    cross_validate_leakage,
    make_leakage_scorer,
)

X, Y = make_classification(400, 8, n_informative=5, flip_y=0.3, random_state=0)
MEMBERS, OTHERS = slice(0, 200), slice(200, 400)
FIRST_RECORD = X[0]
SCORING = {"accuracy": "accuracy", "leakage": make_leakage_scorer()}


def tree(**params):
    return DecisionTreeClassifier(random_state=0, **params)


def forest(n_estimators=10, **params):
    return RandomForestClassifier(n_estimators, random_state=0, **params)


def fitted(estimator=None, **params):
    estimator = forest() if estimator is None else estimator
    return AuditableClassifier(estimator, **params).fit(X[MEMBERS], Y[MEMBERS])


def advantage(model, X_members, y_members, X_others, y_others, attack=None):
    """Leakage by hand, from arrays."""
    attack = ThresholdAttack(signal="loss") if attack is None else clone(attack)
    attack.set_params(target_estimator=model)
    records = as_records(
        np.vstack([X_members, X_others]), np.concatenate([y_members, y_others])
    )
    is_member = np.arange(len(records)) < len(X_members)
    scores = attack.fit(records).score_samples(records)
    return membership_advantage_score(is_member, scores)


class CountingTree(DecisionTreeClassifier):
    """A tree that counts how often any of its kind was fitted."""

    n_fits = 0

    def fit(self, X, y, check_input=True):
        CountingTree.n_fits += 1
        return super().fit(X, y, check_input=check_input)


# AuditableClassifier and CoarsenedClassifier as estimators


@parametrize_with_checks(
    [
        AuditableClassifier(tree()),
        AuditableClassifier(forest(3), keep_records=True),
        AuditableClassifier(make_pipeline(StandardScaler(), LinearSVC())),
        CoarsenedClassifier(tree(), decimals=1, top_k=2, temperature=2.0),
        CoarsenedClassifier(tree(), label_only=True),
        AuditableClassifier(CoarsenedClassifier(tree(), decimals=1)),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "estimator",
    [forest(3), LogisticRegression(), LinearSVC(), KNeighborsClassifier()],
    ids=lambda e: type(e).__name__,
)
def test_auditable_has_what_the_classifier_has_and_nothing_else(estimator):
    bare = clone(estimator).fit(X[MEMBERS], Y[MEMBERS])
    unfitted, model = AuditableClassifier(estimator), fitted(estimator)
    for method in ("predict_proba", "decision_function", "predict_log_proba"):
        assert hasattr(unfitted, method) == hasattr(estimator, method)
        assert hasattr(model, method) == hasattr(bare, method)
        if hasattr(bare, method) and method != "predict_log_proba":
            np.testing.assert_array_equal(
                getattr(model, method)(X), getattr(bare, method)(X)
            )
    np.testing.assert_array_equal(model.predict(X), bare.predict(X))
    assert model.score(X, Y) == bare.score(X, Y)
    for name in vars(bare):
        if name.endswith("_") and not name.startswith("_"):
            assert hasattr(model, name)
            assert not hasattr(unfitted, name)
    assert hasattr(model, "feature_importances_") == hasattr(
        bare, "feature_importances_"
    )
    assert not hasattr(model, "apply")
    assert not hasattr(model, "partial_fit")
    html = model._repr_html_()
    assert type(estimator).__name__ in html
    assert str(model.record_ids[0]) not in html


def test_tags_follow_the_classifier():
    from sklearn.utils import get_tags

    for estimator in (GaussianNB(), LogisticRegression(), forest()):
        tags, own = get_tags(AuditableClassifier(estimator)), get_tags(estimator)
        assert tags.estimator_type == "classifier"
        assert tags.input_tags == own.input_tags
        assert tags.classifier_tags.multi_class == own.classifier_tags.multi_class


def test_two_outputs_are_refused():
    with pytest.raises(ValueError, match="y must be 1-d labels"):
        AuditableClassifier(forest()).fit(X, np.column_stack([Y, Y]))


def test_names_and_search_parameters_pass_through():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    model = AuditableClassifier(tree()).fit(frame, Y)
    assert list(model.feature_names_in_) == list("abcdefgh")
    assert model.set_params(estimator__max_depth=2).estimator.max_depth == 2


@pytest.mark.parametrize("wrapper", [AuditableClassifier, CoarsenedClassifier])
def test_sample_weight_reaches_the_classifier(wrapper):
    weight = np.where(np.arange(400) < 20, 100.0, 0.01)
    bare = LogisticRegression().fit(X, Y, sample_weight=weight)
    model = wrapper(LogisticRegression()).fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(model.estimator_.coef_, bare.coef_)
    inside = wrapper(make_pipeline(StandardScaler(), LogisticRegression()))
    inside.fit(X, Y, logisticregression__sample_weight=weight)
    unweighted = clone(inside).fit(X, Y)
    assert not np.allclose(inside.predict_proba(X), unweighted.predict_proba(X))
    with pytest.raises(TypeError, match="sample_weight"):
        wrapper(KNeighborsClassifier()).fit(X, Y, sample_weight=weight)


def test_sample_weight_is_routed():
    weight = np.where(np.arange(400) < 20, 100.0, 0.01)
    bare = LogisticRegression().fit(X, Y, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = LogisticRegression().set_fit_request(sample_weight=True)
        asking.set_score_request(sample_weight=False)
        model = AuditableClassifier(asking).fit(X, Y, sample_weight=weight)
        np.testing.assert_array_equal(model.coef_, bare.coef_)
        search = GridSearchCV(
            AuditableClassifier(asking),
            {"estimator__C": [0.1, 1.0]},
            scoring={"leakage": make_leakage_scorer()},
            refit="leakage",
            cv=2,
        ).fit(X, Y, sample_weight=weight)
        assert np.all(np.isfinite(search.cv_results_["mean_test_leakage"]))
        with pytest.raises(ValueError, match="sample_weight"):
            AuditableClassifier(LogisticRegression()).fit(X, Y, sample_weight=weight)


def test_a_search_passes_weights_of_its_folds():
    weight = np.where(Y == 0, 10.0, 0.1)
    options = {"refit": False, "cv": 2, "error_score": "raise"}
    search = GridSearchCV(
        AuditableClassifier(LogisticRegression()),
        {"estimator__C": [1.0]},
        scoring=SCORING,
        **options,
    ).fit(X, Y, sample_weight=weight)
    plain = GridSearchCV(LogisticRegression(), {"C": [1.0]}, **options)
    plain.fit(X, Y, sample_weight=weight)
    assert (
        search.cv_results_["mean_test_accuracy"] == plain.cv_results_["mean_test_score"]
    )
    for k, (train, test) in enumerate(StratifiedKFold(2).split(X, Y)):
        model = LogisticRegression().fit(X[train], Y[train], weight[train])
        by_hand = advantage(model, X[train], Y[train], X[test], Y[test])
        found = search.cv_results_[f"split{k}_test_leakage"][0]
        assert found == pytest.approx(-by_hand, abs=1e-12)


def test_shadows_refuse_a_classifier_fitted_with_weights():
    model = AuditableClassifier(LogisticRegression())
    model.fit(X[MEMBERS], Y[MEMBERS], sample_weight=np.ones(200))
    with pytest.raises(ValueError, match="sample_weight, which the shadows of RMIA"):
        make_leakage_scorer(RMIA(n_shadows=2))(model, X[OTHERS], Y[OTHERS])


class Recorder:
    """A callback that notes which estimators report a fit."""

    max_propagation_depth = None

    def __init__(self):
        self.names = []

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        self.names.append(type(estimator).__name__)

    def on_fit_task_end(self, estimator, context, **kwargs):
        pass

    def teardown(self, estimator, context):
        pass


@pytest.mark.parametrize("wrapper", [AuditableClassifier, CoarsenedClassifier])
def test_callbacks_reach_the_classifier(wrapper):
    pytest.importorskip("sklearn", "1.9", reason="no callbacks")
    recorder = Recorder()
    wrapper(LogisticRegression()).set_callbacks(recorder).fit(X, Y)
    assert {wrapper.__name__, "LogisticRegression"} <= set(recorder.names)


# What it remembers


def test_a_pickle_holds_the_model_alone():
    big, labels = np.tile(X, (50, 1)) + np.arange(20_000)[:, None], np.tile(Y, 50)
    model = AuditableClassifier(LogisticRegression(max_iter=1000))
    model.fit(StandardScaler().fit_transform(big), labels)
    size = len(pickle.dumps(model))
    assert size < 5_000
    assert len(pickle.dumps(model.set_params(keep_records=True))) > 20_000 * 8 * 8


@pytest.mark.parametrize("copied", ["pickle", "copy", "deepcopy"])
def test_what_a_copy_remembers(copied):
    import copy

    def duplicate(model):
        if copied == "pickle":
            return pickle.loads(pickle.dumps(model))
        return getattr(copy, copied)(model)

    forgetful = duplicate(fitted())
    np.testing.assert_array_equal(forgetful.predict_proba(X), fitted().predict_proba(X))
    assert not hasattr(forgetful, "record_ids")
    with pytest.raises(AttributeError, match=r"left out when.*keep_records=True"):
        forgetful.was_trained_on(X, Y)
    with pytest.raises(AttributeError, match=r"left out when.*keep_records=True"):
        make_leakage_scorer()(forgetful, X[OTHERS], Y[OTHERS])
    keeper = duplicate(fitted(keep_records=True))
    assert keeper.was_trained_on(X, Y).sum() == 200
    assert make_leakage_scorer()(keeper, X[OTHERS], Y[OTHERS]) == (
        make_leakage_scorer()(fitted(), X[OTHERS], Y[OTHERS])
    )


def test_training_records_are_recognised_by_content():
    model = fitted()
    order = np.random.default_rng(0).permutation(400)
    np.testing.assert_array_equal(model.was_trained_on(X[order], Y[order]), order < 200)
    assert not model.was_trained_on(X[MEMBERS], 1 - Y[MEMBERS]).any()
    assert len(model.record_ids) == 200


def test_a_changed_training_table_is_noticed():
    data = X.copy()
    model = AuditableClassifier(forest()).fit(data[MEMBERS], Y[MEMBERS])
    data[MEMBERS] += 1
    with pytest.raises(ValueError, match="changed in place"):
        make_leakage_scorer()(model, data[OTHERS], Y[OTHERS])


def test_a_trained_model_is_declared_with_a_frozen_estimator():
    bare = forest().fit(X[MEMBERS], Y[MEMBERS])
    model = fitted(FrozenEstimator(bare))
    assert model.estimator_.estimator is bare
    assert make_leakage_scorer()(model, X[OTHERS], Y[OTHERS]) == (
        make_leakage_scorer()(fitted(), X[OTHERS], Y[OTHERS])
    )


# The scorer


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
    scorer = make_leakage_scorer(**options)
    assert scorer(model, X[OTHERS], Y[OTHERS]) == pytest.approx(-by_hand, abs=1e-12)
    positive = make_leakage_scorer(**options, greater_is_better=True)
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
    scorer = make_leakage_scorer(max_samples=max_samples, random_state=3)
    assert scorer(model, X[test], Y[test]) == pytest.approx(-by_hand, abs=1e-12)
    other = make_leakage_scorer(max_samples=max_samples, random_state=4)
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
    expected = make_leakage_scorer()(
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
    assert make_leakage_scorer()(model, sides[1], labels[200:]) == expected


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


def test_leakage_does_not_depend_on_the_types_of_the_test_table(
    people, retyped, boosting
):
    table, labels = people
    search = GridSearchCV(AuditableClassifier(boosting), {}, cv=2)
    search.fit(table[:200], labels[:200])
    others = retyped(table[200:])
    for attack in (None, RMIA(n_shadows=2, random_state=0)):
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
    scorer = make_leakage_scorer()
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
        leakage = make_leakage_scorer()(model, test, labels[200:])
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
    scorer = make_leakage_scorer()
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
        scoring=make_leakage_scorer(),
        cv=3,
        random_state=0,
        return_train_score=False,
    ).fit(X, Y)
    assert search.best_params_ == {"estimator__min_samples_leaf": 30}
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))


def test_the_scorer_is_an_ordinary_scorer():
    scorer = make_leakage_scorer(metric="tpr_at_fpr", max_fpr=0.05)
    assert repr(scorer) == "make_leakage_scorer(metric='tpr_at_fpr', max_fpr=0.05)"
    copied = pickle.loads(pickle.dumps(scorer))
    model = fitted()
    assert copied(model, X[OTHERS], Y[OTHERS]) == scorer(model, X[OTHERS], Y[OTHERS])
    values = cross_val_score(AuditableClassifier(tree()), X, Y, scoring=scorer)
    assert np.all(values <= 0)


# Wrong use


def test_scoring_the_training_records_is_told():
    with pytest.raises(ValueError, match="No non-members: of 200 records, 200 are tra"):
        make_leakage_scorer()(fitted(), X[MEMBERS], Y[MEMBERS])
    with pytest.warns(UserWarning, match="100 of 200 test records equal a training"):
        make_leakage_scorer()(fitted(), X[100:300], Y[100:300])


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


def test_a_regressor_is_told():
    with pytest.raises(TypeError, match="LinearRegression is a regressor"):
        make_leakage_scorer()(fitted(LinearRegression()), X[OTHERS], Y[OTHERS])
    with pytest.raises(TypeError, match="LinearRegression is a regressor"):
        cross_validate_leakage(LinearRegression(), X, Y)


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
        ("loss", TypeError, "attack must be an attack"),
        (tree(), TypeError, "attack must be an attack"),
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
    with pytest.raises(ValueError, match=r"got shape \(400,\).*one column"):
        AuditableClassifier(make_pipeline(CountVectorizer(), tree())).fit(
            [f"word{i}" for i in range(400)], Y
        )
    with pytest.raises(ValueError, match="label_only=True leaves no probabilities"):
        CoarsenedClassifier(tree(), label_only=True, decimals=1).fit(X, Y)


# cross_validate_leakage


def test_columns_of_cross_validation_equal_the_scorers():
    scores = cross_validate_leakage(
        forest(), X, Y, cv=4, scoring=["accuracy", "roc_auc"], return_train_score=True
    )
    plain = cross_validate(
        forest(), X, Y, cv=4, scoring=["accuracy", "roc_auc"], return_train_score=True
    )
    for key in set(plain) - {"fit_time", "score_time"}:
        np.testing.assert_array_equal(scores[key], plain[key])
    for metric, options in {
        "advantage": {},
        "roc_auc": {},
        "tpr_at_fpr_0.1": {"max_fpr": 0.1},
        "tpr_at_fpr_0.01": {"max_fpr": 0.01},
    }.items():
        scorer = make_leakage_scorer(
            metric=metric.removesuffix("_0.1").removesuffix("_0.01"),
            greater_is_better=True,
            **options,
        )
        expected = cross_val_score(
            AuditableClassifier(forest()), X, Y, cv=4, scoring=scorer
        )
        np.testing.assert_allclose(scores[f"leakage_{metric}"], expected, atol=1e-12)
    assert scores["leakage_n_members"].tolist() == [100, 100, 100, 100]
    assert "estimator" not in scores
    assert "indices" not in scores


def test_shadows_are_trained_once_for_all_folds():
    CountingTree.n_fits = 0
    attack = RMIA(n_shadows=6)
    scores = cross_validate_leakage(
        CountingTree(min_samples_leaf=3, random_state=0), X, Y, cv=3, attack=attack
    )
    assert CountingTree.n_fits == 3 + 6
    assert np.all(scores["leakage_roc_auc"] > 0.6)
    assert attack.get_params()["random_state"] is None


def test_shared_shadows_equal_an_attack_by_hand():
    folds = StratifiedKFold(2)
    attack = LiRA(n_shadows=4, random_state=1)
    found = cross_validate_leakage(forest(5), X, Y, cv=folds, attack=attack)
    records = as_records(X, Y)
    for k, (train, test) in enumerate(folds.split(X, Y)):
        own = clone(attack).set_params(
            target_estimator=forest(5).fit(X[train], Y[train])
        )
        is_member = np.isin(np.arange(400), train)
        auc = roc_auc_score(is_member, own.fit(records).score_samples(records))
        assert found["leakage_roc_auc"][k] == pytest.approx(auc, abs=1e-12)
        assert len(test) == 200


def test_cross_validation_in_workers():
    alone, together = (
        cross_validate_leakage(
            forest(5), X, Y, cv=2, n_jobs=n_jobs, attack=RMIA(n_shadows=2)
        )
        for n_jobs in (1, 2)
    )
    for key in ("test_score", "leakage_roc_auc", "leakage_tpr_at_fpr_0.1"):
        np.testing.assert_array_equal(alone[key], together[key])


def test_groups_and_returned_models():
    groups = np.repeat(np.arange(80), 5)
    scores = cross_validate_leakage(
        tree(),
        X,
        Y,
        groups=groups,
        cv=GroupKFold(2),
        return_estimator=True,
        return_indices=True,
    )
    assert [type(e) for e in scores["estimator"]] == [DecisionTreeClassifier] * 2
    train, test = (scores["indices"][side][0] for side in ("train", "test"))
    assert not set(groups[train]) & set(groups[test])


class Fussy(ClassifierMixin, BaseEstimator):
    """Fails on the folds that hold the first row."""

    def fit(self, X, y):
        if FIRST_RECORD.tolist() in X.tolist():
            raise ValueError("no")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


def test_a_fold_that_fails_is_nan():
    with pytest.warns(sklearn.exceptions.FitFailedWarning):
        scores = cross_validate_leakage(Fussy(), X, Y, cv=KFold(2))
    assert np.isnan(scores["leakage_advantage"]).tolist() == [False, True]
    with pytest.raises(ValueError, match="no"):
        cross_validate_leakage(Fussy(), X, Y, cv=2, error_score="raise")


def test_folds_without_non_members_are_told():
    with pytest.raises(ValueError, match="No non-members: of 200 records, 200 are"):
        cross_validate_leakage(tree(), X, Y, cv=[(np.arange(400), np.arange(200))])
    doubled, labels = np.vstack([X, X]), np.concatenate([Y, Y])
    with pytest.raises(ValueError, match="No non-members"):
        cross_validate_leakage(tree(), doubled, labels, cv=KFold(2))


def test_a_class_unseen_in_training_is_left_out():
    labels = Y.copy()
    labels[:3] = 2
    with pytest.warns(UserWarning, match="3 of 200 test records have a class"):
        scores = cross_validate_leakage(
            tree(), X, labels, cv=[(np.arange(200, 400), np.arange(200))]
        )
    assert scores["leakage_n_members"].tolist() == [197]


def test_rates_that_folds_cannot_show_are_told():
    with pytest.warns(UserWarning, match=r"needs 1000 of them"):
        scores = cross_validate_leakage(tree(), X, Y, cv=2, fprs=[0.001])
    assert np.all(scores["leakage_tpr_at_fpr_0.001"] >= 0)


class PickyTree(DecisionTreeClassifier):
    """A tree that insists on the weights of its own records."""

    def fit(self, X, y, sample_weight=None, check_input=True):
        np.testing.assert_array_equal(sample_weight, 1 + np.abs(X[:, 0]))
        return super().fit(X, y, sample_weight, check_input)


def test_shadows_get_parameters_of_fit_and_groups():
    groups = np.repeat(np.arange(80), 5)
    for attack in (None, RMIA(n_shadows=2, random_state=0)):
        scores = cross_validate_leakage(
            PickyTree(random_state=0),
            X,
            Y,
            attack=attack,
            groups=groups,
            cv=GroupKFold(2),
            params={"sample_weight": 1 + np.abs(X[:, 0])},
        )
        assert np.all(scores["leakage_roc_auc"] > 0.55)


# Strategies for refit

RESULTS = {
    "mean_test_accuracy": np.array([0.90, 0.899, 0.899, 0.85, np.nan]),
    "mean_test_leakage": np.array([-0.60, -0.30, -0.20, -0.05, -0.01]),
    "params": [{"leaf": leaf} for leaf in (1, 2, 5, 10, 20)],
}


@pytest.mark.parametrize("sign", [1, -1])
def test_strategies(sign):
    results = {**RESULTS, "mean_test_leakage": sign * RESULTS["mean_test_leakage"]}
    assert MostAccurateWithin(0.7)(results) == 0
    assert MostAccurateWithin(0.3)(results) == 2  # as accurate as 1, leaks less
    assert MostAccurateWithin(0.1)(results) == 3
    assert LeastLeakageWithin(0.0)(results) == 0
    assert LeastLeakageWithin(0.001)(results) == 2
    assert LeastLeakageWithin(0.05)(results) == 3


def test_a_limit_that_nobody_keeps_does_not_lose_the_search():
    with pytest.warns(UserWarning, match=r"leaks least, 0.05.*\{'leaf': 10\}"):
        assert MostAccurateWithin(0.01)(RESULTS) == 3


def test_strategies_tell_what_is_wrong():
    with pytest.raises(ValueError, match="leakage='leak' is not a scorer"):
        MostAccurateWithin(0.1, leakage="leak")(RESULTS)
    with pytest.raises(ValueError, match="max_leakage=5 is not a number"):
        MostAccurateWithin(5)
    with pytest.raises(ValueError, match="accuracy_loss=True is not a number"):
        LeastLeakageWithin(True)
    empty = {**RESULTS, "mean_test_leakage": np.full(5, np.nan)}
    with pytest.raises(ValueError, match="None of 5 candidates"):
        LeastLeakageWithin(0.1)(empty)


@pytest.mark.parametrize("strategy", [MostAccurateWithin(0.3), LeastLeakageWithin(0.1)])
def test_strategies_travel(strategy):
    assert pickle.loads(pickle.dumps(strategy)) == strategy
    search = GridSearchCV(
        AuditableClassifier(tree()),
        {"estimator__min_samples_leaf": [1, 30]},
        scoring=SCORING,
        refit=strategy,
        cv=2,
    ).fit(X, Y)
    assert search.best_index_ == 1
    assert search.best_estimator_.was_trained_on(X, Y).all()


# The display


def display_of(n_candidates=12, **options):
    rng = np.random.default_rng(0)
    accuracy = rng.uniform(0.7, 0.9, n_candidates)
    results = {
        "mean_test_accuracy": accuracy,
        "std_test_accuracy": np.full(n_candidates, 0.01),
        "mean_test_leakage": -rng.uniform(0, 0.5, n_candidates),
        "std_test_leakage": np.full(n_candidates, 0.02),
        "params": [
            {"estimator__depth": i % 4, "estimator__rf__leaf": i // 4, "seed": 0}
            for i in range(n_candidates)
        ],
    }
    return results, PrivacyUtilityDisplay.from_cv_results(results, **options)


def test_the_frontier_is_what_nobody_beats(pyplot):
    results, display = display_of()
    accuracy, leakage = results["mean_test_accuracy"], -results["mean_test_leakage"]
    beaten = [
        np.any(
            (accuracy >= accuracy[i])
            & (leakage <= leakage[i])
            & ((accuracy > accuracy[i]) | (leakage < leakage[i]))
        )
        for i in range(12)
    ]
    assert sorted(display.frontier) == np.flatnonzero(~np.array(beaten)).tolist()
    np.testing.assert_array_equal(display.line_.get_xdata(), leakage[display.frontier])
    assert len(display.points_.get_offsets()) == sum(beaten)
    assert [t.get_text() for t in display.texts_] == [
        str(i + 1) for i in range(len(display.frontier))
    ]
    assert np.all(np.diff(display.line_.get_ydata()) > 0)
    assert display.ax_.get_xlabel() == "leakage (lower is better)"
    assert display.ax_.figure is display.figure_


def test_labels_are_what_differs(pyplot):
    _, display = display_of()
    assert display.labels[5] == "depth=1, leaf=1"
    legend = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert legend == [display.labels[i] for i in display.frontier]
    _, named = display_of(labels=[f"candidate {i}" for i in range(12)])
    assert named.labels[3] == "candidate 3"
    with pytest.raises(ValueError, match="labels has 2 names for 12 candidates"):
        display_of(labels=["a", "b"])


def test_numbers_do_not_overlap(pyplot):
    _, display = display_of(60)
    display.figure_.draw_without_rendering()
    boxes = [t.get_window_extent() for t in display.texts_]
    assert len(boxes) > 3
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_options_of_the_plot(pyplot):
    _, ax = pyplot.subplots()
    _, display = display_of(
        ax=ax,
        selected=0,
        line_kwargs={"c": "red"},
        scatter_kwargs={"s": 3},
        errorbar_kwargs={"ecolor": "green"},
    )
    assert display.ax_ is ax
    assert display.line_.get_color() == "red"
    assert display.selected_.get_xdata() == [display.leakage[0]]
    assert ax.get_legend().get_texts()[-1].get_text().startswith("selected: ")


def test_the_display_needs_matplotlib_only_to_plot(matplotlib_not_installed):
    with pytest.raises(ImportError, match="from_cv_results requires matplotlib"):
        display_of()


# Defences


@pytest.mark.parametrize(
    "setting",
    [
        {"decimals": 0},
        {"decimals": 1},
        {"decimals": 2},
        {"top_k": 1},
        {"top_k": 2},
        {"temperature": 0.2},
        {"temperature": 5.0, "top_k": 2, "decimals": 1},
    ],
    ids=str,
)
def test_coarse_probabilities_are_probabilities(setting):
    data, labels = load_iris(return_X_y=True)
    labels = np.array(["z", "a", "m"])[labels]
    model = LogisticRegression(C=0.05, max_iter=500).fit(data, labels)
    coarse = CoarsenedClassifier(FrozenEstimator(model), **setting).fit(data, labels)
    full, proba = model.predict_proba(data), coarse.predict_proba(data)
    np.testing.assert_array_equal(coarse.classes_, ["a", "m", "z"])
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(coarse.predict(data), model.predict(data))
    # A more probable class never becomes less probable than another.
    order = np.argsort(full, axis=1, kind="stable")
    assert np.all(np.diff(np.take_along_axis(proba, order, axis=1), axis=1) >= 0)
    if "decimals" in setting:
        scaled = proba * 10 ** setting["decimals"]
        np.testing.assert_allclose(scaled, np.round(scaled), atol=1e-9)
    if "top_k" in setting:
        assert np.all((proba > 0).sum(axis=1) <= setting["top_k"])
    assert not hasattr(coarse, "decision_function")


def test_rounding_of_two_classes_is_rounding():
    model = LogisticRegression().fit(X, Y)
    coarse = CoarsenedClassifier(FrozenEstimator(model), decimals=2).fit(X, Y)
    np.testing.assert_allclose(
        coarse.predict_proba(X), model.predict_proba(X).round(2), atol=1e-12
    )


def test_temperature_is_that_of_the_softmax():
    model = LogisticRegression().fit(X, Y)
    coarse = CoarsenedClassifier(FrozenEstimator(model), temperature=3.0).fit(X, Y)
    expected = 1 / (1 + np.exp(-model.decision_function(X) / 3))
    np.testing.assert_allclose(coarse.predict_proba(X)[:, 1], expected, atol=1e-12)


def test_only_labels_are_left():
    model = CoarsenedClassifier(forest(), label_only=True)
    assert not hasattr(model, "predict_proba")
    model.fit(X[MEMBERS], Y[MEMBERS])
    assert not hasattr(model, "predict_proba")
    attack = ThresholdAttack(model).fit(as_records(X, Y))
    assert len(np.unique(attack.score_samples(as_records(X, Y)))) == 2


def test_a_defence_around_a_search_stays_in_the_shadows():
    search = GridSearchCV(tree(), {"max_depth": [3, None]}, cv=2)
    model = CoarsenedClassifier(search, decimals=1).fit(X[MEMBERS], Y[MEMBERS])
    assert not hasattr(model, "best_estimator_")
    attack = RMIA(model, n_shadows=2, random_state=0).fit(as_records(X, Y))
    assert isinstance(attack.models_[0][0], CoarsenedClassifier)


def test_defences_lower_leakage_and_are_searched():
    search = GridSearchCV(
        AuditableClassifier(CoarsenedClassifier(forest(30))),
        {"estimator__decimals": [None, 1, 0]},
        scoring=SCORING,
        refit=LeastLeakageWithin(0.0),
        cv=2,
    ).fit(X, Y)
    leakage = -search.cv_results_["mean_test_leakage"]
    assert leakage[2] < leakage[0] - 0.1
    assert np.ptp(search.cv_results_["mean_test_accuracy"]) == 0
    assert search.best_params_ == {"estimator__decimals": 0}


def test_shadows_know_the_defence():
    model = CoarsenedClassifier(forest(20), decimals=1).fit(X[MEMBERS], Y[MEMBERS])
    attack = RMIA(model, n_shadows=4, random_state=0).fit(as_records(X, Y))
    shadow, _ = attack.models_[0]
    assert isinstance(shadow, CoarsenedClassifier)
    assert attack.score(as_records(X, Y), np.arange(400) < 200) > 0.6


# A search over all of it


def test_a_search_halves_the_leakage_for_little_accuracy(german_credit, pyplot):
    X, y = german_credit.drop(columns="credit_risk"), german_credit["credit_risk"]
    encode = make_column_transformer(
        (OrdinalEncoder(), make_column_selector(dtype_include="category")),
        remainder="passthrough",
    )
    search = GridSearchCV(
        AuditableClassifier(make_pipeline(encode, forest())),
        {
            "estimator__randomforestclassifier__max_depth": [None, 8],
            "estimator__randomforestclassifier__min_samples_leaf": [1, 5],
            "estimator__randomforestclassifier__n_estimators": [10, 20],
        },
        scoring=SCORING,
        refit=LeastLeakageWithin(accuracy_loss=0.005),
        cv=2,
    )
    search.fit(X, y)
    display = PrivacyUtilityDisplay.from_cv_results(
        search.cv_results_, selected=search.best_index_
    )
    accuracy, leakage = display.accuracy, display.leakage
    chosen = search.best_index_
    # The default settings, with as many trees as the grid allows.
    default = search.cv_results_["params"].index(
        dict(zip(search.param_grid, (None, 1, 20), strict=True))
    )
    assert accuracy[chosen] >= accuracy[default] - 0.005
    assert leakage[chosen] <= leakage[default] / 2
    assert chosen in display.frontier
    assert search.predict_proba(X).shape == (1000, 2)
