"""Learned stacks: a small classifier over the experts' opinions, fitted by scikit-learn, kept and run as plain arrays.

For each state a binary problem, state : dry, so the classifier's log-odds are those that are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.late.learned import Arrays
from models.late.opinions import Fused, Opinions, Real

FURTHEST = 12.0
"""nats: evidence is clipped here, as that of a network's channels is."""
COMPONENTS = 64
"""Of the Nystroem features of the support vector machine: memory is this many numbers a pixel."""
TREES, DEPTH, RATE = 80, 3, 0.15
"""Of the boosting: enough for the interactions of three sensors, few enough to run on a whole tile."""
_BLOCK = 16384
"""Pixels at a time: they stay in the processor's cache."""


def features(opinions: Opinions) -> NDArray[np.float32]:
    """(n, F) what a stack sees of chosen pixels (n,).

    Prior and physics of each state; then for each expert whether it is present, and the evidence and ln variance of
    each state, 0 where it is absent.
    """
    seen = opinions.presence[:, None]
    told = np.where(seen, np.log(np.maximum(opinions.variance, 1e-4)), 0.0)
    rows = [opinions.prior, opinions.physics - opinions.prior, opinions.presence]
    rows += [*opinions.evidence, *told]
    return np.clip(np.concatenate(rows), -FURTHEST, FURTHEST).T.astype(np.float32)


def stacked(stacks: Sequence[Arrays], opinions: Opinions) -> Fused:
    """Return the log-odds of the stacks, one a state, and each expert's share: how far they move without it.

    Where none is present the prior holds.
    """
    flat = opinions.at(np.ones(opinions.presence.shape[1:], dtype=np.bool_))
    whole = _log_odds(stacks, flat)
    moved = np.zeros_like(flat.log_odds)
    for row, seen in enumerate(flat.presence):
        without = _log_odds(stacks, flat.at(seen).without(flat.names[row]))
        moved[row][:, seen] = np.abs(whole[:, seen] - without) + 1e-9
    shares = moved / np.where(flat.count > 0, moved.sum(axis=0), 1.0)
    log_odds = np.where(flat.count > 0, whole, flat.prior)
    return Fused(log_odds.reshape(opinions.prior.shape), shares.reshape(opinions.log_odds.shape))


def _log_odds(stacks: Sequence[Arrays], opinions: Opinions) -> Real:
    seen = features(opinions)
    blocks = [seen[start : start + _BLOCK] for start in range(0, max(len(seen), 1), _BLOCK)]
    return np.stack([np.concatenate([evaluate(arrays, block) for block in blocks]) for arrays in stacks])


def evaluate(arrays: Arrays, seen: NDArray[np.float32]) -> Real:
    """(n,) log-odds of a stack from its features (n, F); what kind it is follows from its arrays."""
    kind = next((run for key, run in _RUN.items() if key in arrays), None)
    if kind is None:
        raise ValueError(f"A stack holds {', '.join(arrays)}, but one of {', '.join(_RUN)} is expected. Fit it again.")
    return np.asarray(kind(arrays, seen) + arrays["shift"])


def _logistic(arrays: Arrays, seen: NDArray[np.float32]) -> Real:
    return np.asarray(_scaled(arrays, seen) @ arrays["coefficients"] + arrays["intercept"][0])


def _svm(arrays: Arrays, seen: NDArray[np.float32]) -> Real:
    """Nystroem features of a radial kernel, a linear machine on them, Platt's sigmoid."""
    scaled, landmarks = _scaled(arrays, seen), arrays["landmarks"].astype(np.float64)
    squared = (scaled**2).sum(axis=1)[:, None] + (landmarks**2).sum(axis=1) - 2.0 * scaled @ landmarks.T
    kernel = np.exp(-arrays["gamma"] * np.maximum(squared, 0.0))
    margin = kernel @ (arrays["normalization"].T @ arrays["coefficients"]) + arrays["intercept"][0]
    return np.asarray(-(arrays["platt"][0] * margin + arrays["platt"][1]))


def _boosting(arrays: Arrays, seen: NDArray[np.float32]) -> Real:
    """Complete binary trees: node i has the children 2 i + 1 and 2 i + 2, the leaves come last."""
    columns = np.ascontiguousarray(seen.T, dtype=np.float64)
    total = np.full(len(seen), arrays["start"][0])
    for feature, threshold, values in zip(arrays["feature"], arrays["threshold"], arrays["values"], strict=True):
        total += _walk(columns[feature] > threshold[:, None], values, 0)
    return total


def _walk(above: NDArray[np.bool_], values: Real, node: int) -> Real:
    """(n,) value that each pixel finds below a node; `above` (inner, n): whether it goes to the second child."""
    if node >= len(above):
        return np.asarray(values[node - len(above)])
    return np.where(above[node], _walk(above, values, 2 * node + 2), _walk(above, values, 2 * node + 1))


_RUN: dict[str, Callable[[Arrays, NDArray[np.float32]], Real]] = {
    "landmarks": _svm,
    "threshold": _boosting,
    "coefficients": _logistic,
}
"""By an array that only this kind has."""


def _scaled(arrays: Arrays, seen: NDArray[np.float32]) -> Real:
    return np.asarray((seen - arrays["mean"]) / arrays["scale"], dtype=np.float64)


# --- fitting


def fit_stack(kind: str, seen: NDArray[np.float32], wet: NDArray[np.bool_], shift: float, seed: int) -> Arrays:
    """Fit one stack to balanced pixels.

    Args:
        kind: "stack-logistic", "stack-svm" or "stack-boosting".
        seen: (n, F) features.
        wet: (n,) True in the state, False on dry ground.
        shift: nats from the balance of these pixels to that of the ground: ln of its odds less ln of theirs.
        seed: of whatever the method draws.
    """
    model, read = classifiers(seed)[kind]
    return {**read(model.fit(seen, wet)), "shift": np.array([shift])}


def classifiers(seed: int) -> dict[str, tuple[Any, Callable[[Any], Arrays]]]:
    """By kind: the unfitted classifier of scikit-learn, and what reads its arrays once it is fitted."""
    from sklearn.calibration import CalibratedClassifierCV  # a second to import: only a fit pays it
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    features = Nystroem(n_components=COMPONENTS, random_state=seed)
    machine = make_pipeline(StandardScaler(), features, LinearSVC(dual=False))
    boosting = GradientBoostingClassifier(
        n_estimators=TREES, max_depth=DEPTH, learning_rate=RATE, subsample=0.5, random_state=seed
    )
    return {
        "stack-logistic": (logistic, _read_logistic),
        "stack-svm": (CalibratedClassifierCV(machine, method="sigmoid", cv=3, ensemble=False), _read_svm),
        "stack-boosting": (boosting, _read_boosting),
    }


def _read_logistic(model: Any) -> Arrays:
    scaler, line = model.steps[0][1], model.steps[1][1]
    return {
        "coefficients": line.coef_[0],
        "intercept": line.intercept_[0:1],
        "mean": scaler.mean_,
        "scale": scaler.scale_,
    }


def _read_svm(model: Any) -> Arrays:
    fitted = model.calibrated_classifiers_[0]
    (_, scaler), (_, kernel), (_, machine) = fitted.estimator.steps
    platt = fitted.calibrators[0]
    return {
        "coefficients": machine.coef_[0],
        "intercept": machine.intercept_[0:1],
        "landmarks": kernel.components_,
        "normalization": kernel.normalization_,
        "gamma": np.array([1.0 / kernel.components_.shape[1]]),
        "platt": np.array([platt.a_, platt.b_]),
        "mean": scaler.mean_,
        "scale": scaler.scale_,
    }


def _read_boosting(model: Any) -> Arrays:
    trees = [_complete(stage[0].tree_) for stage in model.estimators_]
    feature, threshold, values = (np.stack(arrays) for arrays in zip(*trees, strict=True))
    share = model.init_.class_prior_[1]
    start = np.array([np.log(share / (1.0 - share))])
    return {"feature": feature, "threshold": threshold, "values": model.learning_rate * values, "start": start}


def _complete(tree: Any) -> tuple[NDArray[np.int32], Real, Real]:
    """A tree with all leaves at `DEPTH`: (inner,) features and thresholds, (leaves,) values."""
    inner = 2**DEPTH - 1
    feature, threshold = np.zeros(inner, dtype=np.int32), np.full(inner, np.inf)
    source = np.zeros(2 * inner + 1, dtype=np.intp)
    for node in range(inner):
        old = source[node]
        leaf = tree.children_left[old] < 0
        source[2 * node + 1 : 2 * node + 3] = old if leaf else (tree.children_left[old], tree.children_right[old])
        if not leaf:
            feature[node], threshold[node] = tree.feature[old], tree.threshold[old]
    return feature, threshold, tree.value[source[inner:], 0, 0]
