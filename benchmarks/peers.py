"""Other libraries behind one call: the scores that they give to records.

An adapter gets a `Case` and how many models the attacker may fit, and gives for each
of its attacks one score a record, higher for likelier members, NaN where the library
was given the membership. A library that is not installed is skipped, with a line that
says so.
"""

import importlib
import logging
import os
import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

# TensorFlow tells of its own build, and looks for devices.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


class Case(NamedTuple):
    """A trained model, the records of its table, and which it was trained on."""

    target: object
    X: np.ndarray
    y: np.ndarray
    member: np.ndarray
    seed: int


class Scores(NamedTuple):
    """Scores of an attack, its fits, and whether it learned from those it judges."""

    attack: str
    n_fits: int
    scores: np.ndarray
    in_sample: bool = False


class Peer(NamedTuple):
    """A library: its distribution, a module to import, and its attacks.

    These are a function of a case and a number of fits, which gives `Scores`.
    """

    distribution: str
    module: str
    attacks: object


def quietly(function):
    """Without what other libraries log, warn and print about their insides."""

    def called(*args, **params):
        logging.disable(logging.CRITICAL)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return function(*args, **params)
        finally:
            logging.disable(logging.NOTSET)

    return called


# SACRO-ML


def sacro_target(case):
    """Its case: members as training data, non-members as test data, in copies."""
    from sacroml.attacks.target import Target

    sides = (case.member, ~case.member)
    X_train, X_test = (case.X[side].copy() for side in sides)
    y_train, y_test = (case.y[side].copy() for side in sides)
    return Target(
        model=case.target,
        **{"X_train": X_train, "y_train": y_train, "X_test": X_test, "y_test": y_test},
    )


def sacro_lira(case, n_shadows, folder, mode="offline", individual=True):
    """Run its LiRA; shadows that are in the folder are used again."""
    from sacroml.attacks.likelihood_attack import LIRAAttack

    attack = LIRAAttack(
        output_dir=folder,
        write_report=False,
        n_shadow_models=n_shadows,
        mode=mode,
        report_individual=individual,
    )
    attack.attack(sacro_target(case))
    return attack


def _in_order(case, scores):
    """Scores of members, then non-members, in the order of the table."""
    found = np.empty(len(case.member))
    found[np.r_[np.flatnonzero(case.member), np.flatnonzero(~case.member)]] = scores
    return found


def sacro_qmia(case, folder):
    from sacroml.attacks.qmia_attack import QMIAAttack

    attack = QMIAAttack(output_dir=folder, write_report=False, report_individual=True)
    attack.attack(sacro_target(case))
    return attack


def _sacro(case, n_fits):
    with tempfile.TemporaryDirectory() as folder:
        for mode in ("offline", "online-carlini", "offline-carlini"):
            found = sacro_lira(case, n_fits, folder, mode).attack_metrics
            told = found[0]["individual"]["member_prob"]
            yield Scores(f"LiRA {mode}", n_fits, _in_order(case, told))
        # Its thresholds are fitted to the non-members that it is judged on.
        if found := sacro_qmia(case, folder).attack_metrics:
            told = found[0]["individual"]["member_prob"]
            yield Scores("QMIA", 0, _in_order(case, told), in_sample=True)


# Adversarial Robustness Toolbox


def _of_members(attack, case):
    """Probability that its attack model gives to membership."""
    told = attack.infer(case.X, case.y, probabilities=True)
    return np.reshape(told, (len(case.y), -1))[:, -1].astype(float)


def art_shadow_scores(case, n_shadows):
    """Scores of an attack model that learns from the answers of shadow models."""
    from art.attacks.inference.membership_inference import (
        MembershipInferenceBlackBox,
        ShadowModels,
    )
    from art.estimators.classification.scikitlearn import ScikitlearnClassifier

    target = ScikitlearnClassifier(case.target)
    classes = np.eye(len(case.target.classes_), dtype=np.float32)
    shadows = ShadowModels(target, n_shadows, random_state=case.seed)
    inside, outside = shadows.generate_shadow_dataset(case.X, classes[case.y])
    attack = MembershipInferenceBlackBox(target, attack_model_type="rf")
    attack.fit(
        *(inside[0], inside[1], outside[0], outside[1]),
        pred=inside[2],
        test_pred=outside[2],
    )
    return _of_members(attack, case)


def _art(case, n_fits):
    from art.attacks.inference.membership_inference import MembershipInferenceBlackBox
    from art.estimators.classification.scikitlearn import ScikitlearnClassifier

    # The attack model learns from half of the members and non-members.
    known = np.random.default_rng([case.seed, 2]).random(len(case.y)) < 0.5
    target = ScikitlearnClassifier(case.target)
    attack = MembershipInferenceBlackBox(target, attack_model_type="rf")
    inside, outside = known & case.member, known & ~case.member
    attack.fit(case.X[inside], case.y[inside], case.X[outside], case.y[outside])
    yield Scores("black box", 0, np.where(known, np.nan, _of_members(attack, case)))
    yield Scores("shadow models", n_fits, art_shadow_scores(case, n_fits))


# ML Privacy Meter, version 1: the last one on a package index


def _privacy_meter(case, n_fits):
    """Attack R; a record is scored by the number of levels at which it is accused."""
    from privacy_meter.dataset import Dataset
    from privacy_meter.hypothesis_test import linear_itp_threshold_func
    from privacy_meter.information_source import InformationSource
    from privacy_meter.information_source_signal import ModelLoss
    from privacy_meter.metric import ReferenceMetric
    from privacy_meter.model import Model

    class Answers(Model):
        """A classifier of scikit-learn as one of its models."""

        def get_logits(self, batch_samples):
            return self.model_obj.predict_proba(batch_samples)

        def get_loss(self, batch_samples, batch_labels, per_point=True):
            own = self.model_obj.classes_ == np.asarray(batch_labels)[:, None]
            told = (self.get_logits(batch_samples) * own).sum(axis=1)
            return -np.log(np.clip(told, 1e-12, None))

        def get_grad(self, batch_samples, batch_labels):
            raise NotImplementedError

        def get_intermediate_outputs(self, layers, batch_samples, forward_pass=True):
            raise NotImplementedError

    generator = np.random.default_rng([case.seed, 3])
    references = []
    for _ in range(n_fits):
        half = generator.permutation(len(case.y))[: int(case.member.sum())]
        references.append(clone(case.target).fit(case.X[half], case.y[half]))
    data = Dataset(
        {
            name: {"x": case.X[side], "y": case.y[side]}
            for name, side in (("train", case.member), ("test", ~case.member))
        },
        default_input="x",
        default_output="y",
    )
    metric = ReferenceMetric(
        InformationSource([Answers(case.target, None)], [data]),
        InformationSource([Answers(m, None) for m in references], [data]),
        [ModelLoss()],
        linear_itp_threshold_func,
    )
    metric.prepare_metric()
    (found,) = metric.run_metric(np.linspace(0, 1, 201))
    told = np.sum(found.predicted_labels, axis=0)
    yield Scores("reference", n_fits, _in_order(case, told))


PEERS = {
    "SACRO-ML": Peer("sacroml", "sacroml.attacks.likelihood_attack", _sacro),
    "ART": Peer(
        "adversarial-robustness-toolbox",
        "art.attacks.inference.membership_inference",
        _art,
    ),
    "Privacy Meter 1": Peer("Privacy_Meter", "privacy_meter.metric", _privacy_meter),
}


def installed(peers=PEERS, say=print):
    """The peers that are there; of the others a line is printed.

    Parameters
    ----------
    peers : dict of str to Peer

    say : callable, default=print

    Returns
    -------
    there : dict of str to Peer
    """
    there = {}
    for name, peer in peers.items():
        try:
            quietly(importlib.import_module)(peer.module)
        except ImportError as error:
            say(
                f"{name}: skipped, {type(error).__name__}: {error} (see "
                "benchmarks/make_peers_environment.py)"
            )
        else:
            there[name] = peer
    return there


def scores_of(peer, case, n_fits):
    """Scores of all attacks of a peer, as a list."""
    return quietly(lambda: list(peer.attacks(case, n_fits)))()


def versions(peers):
    """Version of the distribution of each peer."""
    found = {}
    for name, peer in peers.items():
        try:
            found[name] = version(peer.distribution)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
