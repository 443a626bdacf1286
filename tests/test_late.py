"""The late rules against slow obvious versions, and what must hold of each: order, absence, one alone, the bound."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import expit, logit

from harmonization.evidence import binary_witness
from models.contract import BOUND
from models.judging.calibrate import Affine, flood_probability
from models.late import learn as late_learn
from models.late import stack
from models.late.fusion import fuse
from models.late.gate import MEMORY, REACH, failure_around, likelihood_ratios, per_expert, summed, trust_of
from models.late.learn import learn, nothing_learned
from models.late.learned import Fitted, Learned
from models.late.opinions import Opinions
from models.late.rules import RULES, STACKS, least_variance_weights, rule_named

NAMES = ("c_band", "l_band", "optical")
AVERAGES = ("mean", "accuracy", "vote", "median", "inverse-variance", "minimum-variance", "gate")


def ground(generator, size):
    """(y, x) 0 dry, 1 water, 2 flooded vegetation, in blobs; a third is flooded."""
    height, cover = (ndimage.gaussian_filter(generator.normal(size=(size, size)), 5) for _ in range(2))
    return np.where(height > np.quantile(height, 0.67), 1 + (cover > 0), 0).astype(np.uint8)


def opinions_about(truth, generator, states=1, says=6.0, noise=2.0, experts=3, flips=None):
    """Experts with known noise: `says` nats for the truth and against the others, and `flips` of them random."""
    known = np.minimum(truth, states)
    prior = np.full((states, *truth.shape), -1.0)
    sign = np.stack([np.where(known == state + 1, 1.0, -1.0) for state in range(states)])
    log_odds = prior + says * sign + generator.normal(0, noise, (experts, states, *truth.shape))
    for expert, share in enumerate(flips or ()):
        wrong = generator.random(truth.shape) < share
        log_odds[expert] = np.where(wrong, 2 * prior - log_odds[expert], log_odds[expert])
    everywhere = np.ones((experts, *truth.shape), dtype=bool)
    spread = np.full_like(log_odds, noise**2)
    parts = np.clip(log_odds - prior, -3, 3)
    return Opinions(NAMES[:experts], log_odds, spread, 0.1 * spread, everywhere, prior, parts)


def unlearned(names, states):
    """A record of nothing, in the free form."""
    numbers = nothing_learned(len(names), states)
    return Learned(experts=names, states=("open_water", "flooded_vegetation")[:states], form="free", **numbers)


def fitted_for(states=1, experts=3, flips=None, seed=100):
    generator = np.random.default_rng(seed)
    truth = ground(generator, 40)
    opinions = opinions_about(truth, generator, states, experts=experts, flips=flips)
    parts = [opinions, *(opinions.without(name) for name in opinions.names if experts > 1)]
    everywhere = np.ones(truth.shape, dtype=bool)
    samples = [(one.at(everywhere), np.minimum(truth, states).ravel()) for one in parts]
    return learn(unlearned(NAMES[:experts], states), samples, seed=0)


@pytest.fixture(scope="module", autouse=True)
def few_pixels():
    """Stacks of few pixels and trees: seconds instead of minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(late_learn, "BALANCED", 600)
        patch.setattr(stack, "TREES", 40)
        yield


@pytest.fixture(scope="module")
def fitted(few_pixels):
    return {states: fitted_for(states) for states in (1, 2)}


@pytest.fixture(params=[1, 2])
def case(request, fitted):
    generator = np.random.default_rng(7)
    states = request.param
    opinions = opinions_about(ground(generator, 24), generator, states, says=2.0)
    presence = generator.random(opinions.presence.shape) < 0.6
    return replace(opinions, presence=presence), fitted[states]


def iou(log_odds, truth):
    found, flooded = flood_probability(log_odds) > 0.5, truth > 0
    return (found & flooded).sum() / (found | flooded).sum()


# --- three experts, one broken


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("where", ["everywhere", "half", "noise"])
def test_one_of_three_broken(seed, where, fitted):
    """Confidently wrong; what was fitted saw no broken sensor. Its own variance is honest: it does not know."""
    generator = np.random.default_rng(seed)
    truth = ground(generator, 64)
    good = opinions_about(truth, generator)
    log_odds, aleatoric = good.log_odds.copy(), good.aleatoric.copy()
    lie = -20.0 * np.where(truth > 0, 1.0, -1.0)
    area = np.ones(truth.shape, dtype=bool)
    if where == "half":
        area[:, :32] = False
    elif where == "noise":
        lie = 30.0 * generator.choice([-1.0, 1.0], truth.shape)
    log_odds[seed % 3, 0, area] = lie[area]
    aleatoric[seed % 3, 0, area] = 400.0
    opinions = replace(good, log_odds=log_odds, aleatoric=aleatoric)
    best = max(iou(one, truth) for one in good.log_odds)
    scores = {rule: iou(fuse(rule, opinions, fitted[1]).log_odds, truth) for rule in RULES}
    for rule in ("gate", "inverse-variance", "median"):
        assert scores[rule] >= best - 0.02, (rule, scores, best)
    assert scores["mean"] <= best - 0.1


@pytest.fixture(scope="module")
def unequal(few_pixels):
    """Of two experts the second was wrong at a quarter of the held-out pixels."""
    return fitted_for(experts=2, flips=(0.0, 0.25))


@pytest.mark.parametrize("seed", range(5))
def test_of_two_that_conflict_the_gate_believes_the_reliable_one(seed, unequal):
    """Tonight it is wrong everywhere: no negative transfer."""
    generator = np.random.default_rng(seed)
    truth = ground(generator, 64)
    good = opinions_about(truth, generator, experts=2)
    log_odds = good.log_odds.copy()
    log_odds[1, 0] = np.where(truth > 0, -12.0, 12.0)
    opinions = replace(good, log_odds=log_odds)
    assert iou(fuse("gate", opinions, unequal).log_odds, truth) >= iou(good.log_odds[0], truth) - 0.02
    assert fuse("gate", opinions, unequal).trust[0].mean() > 0.9
    assert iou(fuse("mean", opinions).log_odds, truth) < 0.5


# --- what holds of every rule


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_experts_does_not_matter(rule, case):
    opinions, fitted = case
    expected = fuse(rule, opinions, fitted)
    for order in list(permutations(NAMES))[1:3]:
        other = fuse(rule, opinions.ordered(order), fitted)
        np.testing.assert_allclose(other.log_odds, expected.log_odds, atol=1e-4)
        rows = [expected.sensors.index(name) for name in other.sensors]
        np.testing.assert_allclose(other.trust, expected.trust[rows], atol=1e-5)


@pytest.mark.parametrize("rule", ["mean", "vote", "median", "inverse-variance"])
def test_rules_that_learn_nothing_do_not_mind_the_order_of_experts(rule, case):
    opinions, _ = case
    expected = fuse(rule, opinions)
    other = fuse(rule, opinions.ordered(NAMES[::-1]))
    np.testing.assert_allclose(other.log_odds, expected.log_odds, atol=1e-4)
    np.testing.assert_allclose(other.trust, expected.trust[::-1], atol=1e-5)


@pytest.mark.parametrize("rule", AVERAGES)
def test_one_expert_alone_is_itself(rule, case):
    opinions, fitted = case
    for row, name in enumerate(NAMES):
        alone = opinions.without(*(other for other in NAMES if other != name))
        made = fuse(rule, alone, fitted)
        seen = opinions.presence[row]
        np.testing.assert_allclose(made.log_odds[:, seen], opinions.log_odds[row][:, seen], atol=1e-4)
        np.testing.assert_allclose(made.aleatoric[:, seen], opinions.aleatoric[row][:, seen], rtol=1e-5)
        np.testing.assert_allclose(made.epistemic[:, seen], opinions.epistemic[row][:, seen], rtol=1e-3)
        np.testing.assert_array_equal(made.trust[row], seen.astype("f4"))


@pytest.mark.parametrize("rule", RULES)
def test_what_is_absent_may_hold_anything(rule, case):
    opinions, fitted = case
    absent = ~opinions.presence[:, None]
    strange = replace(
        opinions,
        log_odds=np.where(absent, np.nan, opinions.log_odds),
        aleatoric=np.where(absent, 1e30, opinions.aleatoric),
        parts=np.where(absent, np.nan, opinions.parts),
    )
    np.testing.assert_array_equal(fuse(rule, strange, fitted).log_odds, fuse(rule, opinions, fitted).log_odds)


@pytest.mark.parametrize("rule", RULES)
def test_where_nobody_sees_the_prior_stands_and_shares_sum_to_one_elsewhere(rule, case):
    opinions, fitted = case
    made = fuse(rule, opinions, fitted)
    nobody = opinions.count == 0
    assert nobody.any()
    np.testing.assert_allclose(made.log_odds[:, nobody], opinions.prior[:, nobody], atol=1e-6)
    assert not made.variance[:, nobody].any()
    total = made.trust.sum(axis=0)
    np.testing.assert_array_equal(total[nobody], 0.0)
    np.testing.assert_allclose(total[~nobody], 1.0, atol=1e-5)
    assert (made.trust[~opinions.presence] == 0).all()


@pytest.mark.parametrize("rule", RULES)
def test_the_bound_is_applied_once_to_the_fused_state(rule, case):
    opinions, fitted = case
    wild = replace(opinions, log_odds=40.0 * opinions.log_odds)
    held = Fitted(fitted.learned.model_copy(update={"form": "bounded"}), fitted.stacks)
    free, made = fuse(rule, wild, fitted).log_odds, fuse(rule, wild, held).log_odds
    assert np.abs(made - wild.physics).max() <= BOUND + 1e-4
    assert np.abs(free - wild.physics).max() > BOUND
    seen = wild.count > 0
    expected = wild.physics + BOUND * np.tanh((free - wild.physics) / BOUND)
    np.testing.assert_allclose(made[:, seen], expected[:, seen], atol=1e-4)


def test_calibration_goes_by_who_is_present(case):
    opinions, fitted = case
    states = len(opinions.prior)
    table = {
        "c_band+optical": Affine(temperature=2.0, shift=(0.5,) * states),
        "c_band+l_band+optical": Affine(temperature=4.0, shift=(-0.5,) * states),
    }
    warm = Fitted(fitted.learned.model_copy(update={"rule_calibration": {"mean": table}}))
    raw, made = fuse("mean", opinions, fitted).log_odds, fuse("mean", opinions, warm).log_odds
    c_band, l_band, optical = opinions.presence
    places = {"c_band+optical": c_band & optical & ~l_band, "c_band+l_band+optical": c_band & optical & l_band}
    for name, here in places.items():
        prior, row = opinions.prior[:, here], table[name]
        expected = prior + row.shift[0] + (raw[:, here] - prior) / row.temperature
        np.testing.assert_allclose(made[:, here], expected, atol=1e-5)
    elsewhere = ~(places["c_band+optical"] | places["c_band+l_band+optical"])
    np.testing.assert_array_equal(made[:, elsewhere], raw[:, elsewhere])


def test_an_unknown_rule_an_unfitted_one_and_an_unknown_expert_are_refused(case):
    opinions, fitted = case
    with pytest.raises(ValueError, match=r"Unknown late rule 'medain'; there are: mean, .*gate"):
        rule_named("medain")
    with pytest.raises(ValueError, match="'bayes' learns from held-out chips"):
        fuse("bayes", opinions)
    with pytest.raises(ValueError, match="No stack-svm was fitted; there are: none"):
        fuse("stack-svm", opinions, Fitted(fitted.learned))
    with pytest.raises(ValueError, match="expert x_band; those known are c_band"):
        fuse("mean", replace(opinions, names=("c_band", "x_band", "optical")), fitted)


# --- each rule against a slow obvious version


def pixels(opinions):
    """Every pixel: its log-odds, variances and prior, of the experts that are present."""
    for row, column in np.ndindex(*opinions.count.shape):
        seen = opinions.presence[:, row, column]
        if seen.any():
            arrays = (opinions.log_odds, opinions.variance, opinions.prior[None])
            yield (row, column), seen, [array[..., row, column] for array in arrays]


def test_mean_median_and_inverse_variance_by_hand(case):
    opinions, _ = case
    made = {rule: fuse(rule, opinions).log_odds for rule in ("mean", "median", "inverse-variance")}
    for at, seen, (log_odds, variance, _) in pixels(opinions):
        pixel = (slice(None), *at)
        np.testing.assert_allclose(made["mean"][pixel], log_odds[seen].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(made["median"][pixel], np.median(log_odds[seen], axis=0), atol=1e-5)
        inverse = np.average(log_odds[seen], axis=0, weights=1 / variance[seen])
        np.testing.assert_allclose(made["inverse-variance"][pixel], inverse, atol=1e-5)


def test_the_vote_is_that_of_the_majority(case):
    opinions, _ = case
    made = flood_probability(fuse("vote", opinions).log_odds) > 0.5
    ties = 0
    for at, seen, (log_odds, _, _) in pixels(opinions):
        says = flood_probability(log_odds[seen].T)
        yes, no = (says > 0.5).sum(), (says <= 0.5).sum()
        ties += yes == no
        assert made[at] == (yes > no if yes != no else says.mean() > 0.5)
    assert ties > 10


def test_accuracy_weighs_by_log_odds_of_being_right(case):
    opinions, fitted = case
    states = len(opinions.prior)
    table = ((0.9,) * states, (0.6,) * states, (0.3,) * states)
    learned = Fitted(fitted.learned.model_copy(update={"accuracy": table}))
    made = fuse("accuracy", opinions, learned).log_odds
    weights = np.array([logit(0.9), logit(0.6), logit(0.51)])
    for at, seen, (log_odds, _, _) in pixels(opinions):
        expected = np.average(log_odds[seen], axis=0, weights=weights[seen])
        np.testing.assert_allclose(made[(slice(None), *at)], expected, atol=1e-5)


def test_least_variance_weights_are_the_least():
    generator = np.random.default_rng(3)
    grid = [np.array([a, b, 100 - a - b]) / 100 for a, b in product(range(101), repeat=2) if a + b <= 100]
    for _ in range(20):
        root = generator.normal(size=(3, 3))
        moments = root @ root.T
        found = least_variance_weights(moments, np.ones(3, dtype=bool))
        least = min(float(w @ moments @ w) for w in grid)
        assert found.min() >= 0
        assert found.sum() == pytest.approx(1.0)
        assert found @ moments @ found <= least * 1.02 + 1e-3
    two = least_variance_weights(np.diag([1.0, 3.0, 9.0]), np.array([True, True, False]))
    np.testing.assert_allclose(two, [0.75, 0.25, 0.0], atol=2e-3)
    np.testing.assert_array_equal(least_variance_weights(np.eye(3), np.zeros(3, dtype=bool)), 0.0)


def test_minimum_variance_pools_probabilities_of_those_present(case):
    opinions, fitted = case
    moments = tuple(tuple(map(tuple, np.diag([0.1, 0.2, 0.4]))) for _ in opinions.prior)
    made = fuse("minimum-variance", opinions, Fitted(fitted.learned.model_copy(update={"error_moments": moments})))
    for at, seen, (log_odds, _, _) in pixels(opinions):
        if seen.sum() > 1:
            pooled = np.average(expit(log_odds[seen]), axis=0, weights=np.array([10, 5, 2.5])[seen])
            np.testing.assert_allclose(expit(made.log_odds[(slice(None), *at)]), pooled, atol=2e-3)


def test_bayes_of_one_state_is_the_binary_witness(fitted):
    generator = np.random.default_rng(0)
    opinions = opinions_about(ground(generator, 16), generator, says=1.0)
    confusion = tuple(((p, 1 - p), (1 - s, s)) for s, p in ((0.9, 0.95), (0.7, 0.8), (0.6, 0.99)))
    made = fuse("bayes", opinions, Fitted(fitted[1].learned.model_copy(update={"confusion": confusion})))
    expected = opinions.prior[0].copy()
    for log_odds, (s, p) in zip(opinions.log_odds[:, 0], ((0.9, 0.95), (0.7, 0.8), (0.6, 0.99)), strict=True):
        yes, no = binary_witness(s, p)
        expected += np.where(log_odds > 0, yes, no)
    np.testing.assert_allclose(made.log_odds[0], expected, atol=1e-5)


def test_the_gate_is_bayes_over_all_ways_to_fail(case):
    """Against the sum over the 2³ combinations of working and failed experts."""
    opinions, _ = case
    some = opinions.at(np.ones(opinions.count.shape, dtype=bool))
    failure = np.array([0.05, 0.3, 0.6])
    ratios = likelihood_ratios(some, np.array([1.0, 0.5, 2.0]))
    prior = np.exp(np.concatenate([np.zeros_like(some.prior[:1]), some.prior]))
    prior /= prior.sum(axis=0)
    np.testing.assert_allclose((prior * ratios).sum(axis=1), 1.0)
    joint, works = np.zeros_like(prior), np.zeros((3, *prior.shape))
    for combination in product([True, False], repeat=3):
        term = prior.copy()
        for expert, working in enumerate(combination):
            term *= (1 - failure[expert]) * ratios[expert] if working else failure[expert]
        joint += term
        works[list(combination)] += term
    np.testing.assert_allclose(
        summed(some, ratios, per_expert(failure, some)), np.log(joint[1:]) - np.log(joint[:1]), atol=1e-9
    )
    trust = works.sum(axis=1) / joint.sum(axis=0)
    np.testing.assert_allclose(trust_of(some, ratios, per_expert(failure, some)), trust, atol=1e-9)


def test_failures_are_counted_around_each_pixel():
    generator = np.random.default_rng(1)
    failed, presence = generator.random((2, 23, 30)), generator.random((2, 23, 30)) < 0.5
    presence[1, :, :20] = False  # nothing to count: what was learned stands
    start = np.array([0.1, 0.3]).reshape(2, 1, 1)
    made = failure_around(failed, presence, start)
    window = (2 * REACH + 1) ** 2
    for expert, row, column in ((0, 0, 0), (0, 11, 15), (0, 22, 29), (1, 4, 25), (1, 10, 3)):
        near = np.s_[expert, max(row - REACH, 0) : row + REACH + 1, max(column - REACH, 0) : column + REACH + 1]
        total = failed[near][presence[near]].sum() + MEMORY * window * start[expert, 0, 0]
        expected = total / (presence[near].sum() + MEMORY * window)
        assert made[expert, row, column] == pytest.approx(expected)


def test_an_expert_that_says_nothing_is_neither_doubted_nor_in_the_way(fitted):
    """C band and optics see nothing under the canopy: L band alone must find the flood there."""
    generator = np.random.default_rng(5)
    opinions = opinions_about(np.full((24, 24), 2, dtype=np.uint8), generator, states=2)
    log_odds = opinions.log_odds.copy()
    log_odds[[0, 2]] = opinions.prior
    made = fuse("gate", replace(opinions, log_odds=log_odds), fitted[2])
    assert (flood_probability(made.log_odds) > 0.5).mean() > 0.97
    assert made.trust.min() > 0.25


def test_stacks_tell_both_states_apart(fitted):
    generator = np.random.default_rng(11)
    truth = ground(generator, 48)
    opinions = opinions_about(truth, generator, 2)
    for rule in STACKS:
        made = fuse(rule, opinions, fitted[2]).log_odds
        named = np.concatenate([np.zeros_like(made[:1]), made]).argmax(axis=0)
        assert (named == truth).mean() > 0.97, rule
