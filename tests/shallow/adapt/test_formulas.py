"""Each method against an independent transcription of its paper, or against skada and POT."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from scipy.linalg import eigh, sqrtm
from scipy.optimize import minimize

from headstart.shallow.adapt import Few, Shift, towards_source
from headstart.shallow.adapt.transport import CLASSES, ENTROPY, INNER, ROUNDS, carried

# The rooms' functions are named like their files.
coral, density, kliep, kmm, subspace, tca, tradaboost, pseudo_labels = (
    import_module(f"headstart.shallow.adapt.{name}")
    for name in "coral density kliep kmm subspace tca tradaboost pseudo_labels".split()
)
RNG = np.random.default_rng(0)
X_S, X_T = RNG.normal(size=(40, 5)), RNG.normal(size=(30, 5)) @ np.diag([2, 1, 1, 0.5, 1]) + 0.7
DOMAIN = np.repeat([1, -2], [40, 30])


def test_kernel_mean_matching_reaches_the_optimum_of_the_quadratic_programme() -> None:
    k_ss, k_st = kmm.kernel(X_S, X_S, 0.2), kmm.kernel(X_S, X_T, 0.2)
    n, largest = 40, 10.0
    kappa = np.array([n / 30 * sum(np.exp(-0.2 * ((a - b) ** 2).sum()) for b in X_T) for a in X_S])
    slack = min(largest / np.sqrt(n), 1.0)

    def value(beta: np.ndarray) -> float:
        return float(0.5 * beta @ k_ss @ beta - kappa @ beta)

    found = kmm.matched(k_ss, k_st, largest=largest, steps=3000)
    bounds = [(0.0, largest)] * n
    limits = [{"type": "ineq", "fun": lambda b: slack - abs(b.mean() - 1)}]
    reference = minimize(value, np.ones(n), bounds=bounds, constraints=limits, method="SLSQP", options={"maxiter": 500})
    assert value(found) <= reference.fun + 1e-6 * abs(reference.fun)
    assert found.min() >= 0 and found.max() <= largest and abs(found.mean() - 1) <= slack + 1e-9


def test_kernel_mean_matching_agrees_with_skada() -> None:
    reweight = pytest.importorskip("skada._reweight")
    peer = reweight.KMMReweightAdapter(gamma=0.2, B=10.0, eps=1.0, tol=1e-12, max_iter=100_000)
    peer.fit(np.concatenate([X_S, X_T]), sample_domain=DOMAIN)
    k_ss, k_st = kmm.kernel(X_S, X_S, 0.2), kmm.kernel(X_S, X_T, 0.2)
    ours = kmm.matched(k_ss, k_st, steps=5000)
    kappa = 40 * k_st.mean(axis=1)

    def value(beta: np.ndarray) -> float:
        return float(0.5 * beta @ k_ss @ beta - kappa @ beta)

    assert value(ours) == pytest.approx(value(peer.source_weights_), rel=1e-3)


def test_the_projection_is_the_nearest_feasible_point() -> None:
    beta = np.array([-1.0, 0.2, 0.1, 0.3])
    found = kmm._project(beta, 2.0, 0.1)
    assert found.mean() == pytest.approx(0.9) and found.min() >= 0
    assert np.allclose(found[1:] - beta[1:], (found - beta)[1])


def test_kliep_reaches_the_optimum_and_no_lower_likelihood_than_skada() -> None:
    centres = X_T[:8]
    a, b = kmm.kernel(X_T, centres, 0.3), kmm.kernel(X_S, centres, 0.3).mean(axis=0)
    alpha = kliep.fit_alpha(a, b, steps=20_000, tolerance=1e-14)
    assert alpha.min() >= 0 and alpha @ b == pytest.approx(1)
    total = sum(np.log(sum(alpha[j] * np.exp(-0.3 * ((x - centres[j]) ** 2).sum()) for j in range(8))) for x in X_T)
    limits = [{"type": "eq", "fun": lambda one: one @ b - 1}]
    start = np.full(8, 1 / b.sum())
    reference = minimize(
        lambda one: -np.log(np.maximum(a @ one, 1e-12)).sum(),
        start,
        bounds=[(0, None)] * 8,
        constraints=limits,
        method="SLSQP",
    )
    assert total == pytest.approx(-reference.fun, abs=1e-3)
    reweight = pytest.importorskip("skada._reweight")
    peer = reweight.KLIEPReweightAdapter(gamma=0.3, n_centers=8, random_state=0, max_iter=5000)
    peer.fit(np.concatenate([X_S, X_T]), sample_domain=DOMAIN)
    theirs = kmm.kernel(X_T, peer.centers_, 0.3), kmm.kernel(X_S, peer.centers_, 0.3).mean(axis=0)
    ours = kliep.fit_alpha(*theirs, steps=20_000, tolerance=1e-14)
    assert np.log(theirs[0] @ ours).sum() >= np.log(theirs[0] @ peer.alpha_).sum() - 1e-6


def test_the_density_ratio_of_two_gaussians_is_found() -> None:
    rng = np.random.default_rng(1)
    u_s, u_t = rng.normal(0, 1, size=(4000, 1)), rng.normal(0.8, 1, size=(4000, 1))
    at = np.array([[-1.0], [0.0], [1.0]])
    found, _ = density.ratio(u_s, u_t, seed=0, at=at)
    assert found == pytest.approx(np.exp(0.8 * at[:, 0] - 0.32), rel=0.12)


def test_weights_are_capped_and_keep_their_mean() -> None:
    weights = density.capped(np.array([0.1, 0.2, 0.3, 100.0, 80.0, 0.4] * 20), 2.0)
    assert weights.max() == pytest.approx(2.0) and weights.mean() == pytest.approx(1)
    assert density.effective(np.ones(7)) == 7


def test_coral_against_matrix_roots_and_skada() -> None:
    c_s, c_t = (np.cov(x, rowvar=False) + 0.5 * np.eye(5) for x in (X_S, X_T))
    reference = np.linalg.inv(np.real(sqrtm(c_s))) @ np.real(sqrtm(c_t))
    assert np.allclose(coral.recolouring(X_S, X_T, regular=0.5), reference, atol=1e-6)
    mapping = pytest.importorskip("skada._mapping")
    peer = mapping.CORALAdapter(reg=0.0).fit(np.concatenate([X_S, X_T]), sample_domain=DOMAIN)
    theirs = peer.cov_source_inv_sqrt_ @ peer.cov_target_sqrt_
    # skada divides covariances by n, we by n - 1.
    ours = coral.recolouring(X_S, X_T, regular=0.0)
    assert np.allclose(ours, theirs * np.sqrt((30 / 29) / (40 / 39)), atol=1e-6)


def test_subspace_alignment_agrees_with_skada() -> None:
    peers = pytest.importorskip("skada._subspace")
    peer = peers.SubspaceAlignmentAdapter(n_components=3)
    found = peer.fit_transform(np.concatenate([X_S, X_T]), sample_domain=DOMAIN)
    p_s, p_t = subspace.aligned(X_S, X_T, 3)
    ours_s = (X_S - X_S.mean(0)) @ p_s @ (p_s.T @ p_t)
    ours_t = (X_T - X_T.mean(0)) @ p_t
    # Directions have no sign of their own: products of coordinates have.
    assert np.allclose(ours_s @ ours_t.T, found[:40] @ found[40:].T, atol=1e-6)
    assert np.allclose(ours_s @ ours_s.T, found[:40] @ found[:40].T, atol=1e-6)


def test_transfer_components_against_the_problem_of_the_size_of_the_images() -> None:
    n_s, n_t, m, mu = 40, 30, 3, 0.7
    x = np.concatenate([X_S, X_T])
    n = n_s + n_t
    kernel = np.array([[sum(a * b) for b in x] for a in x])
    means = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            both = (i < n_s, j < n_s)
            means[i, j] = {(True, True): 1 / n_s**2, (False, False): 1 / n_t**2}.get(both, -1 / (n_s * n_t))
    centre = np.eye(n) - 1 / n
    _, w = eigh(kernel @ centre @ kernel, kernel @ means @ kernel + mu * np.eye(n))
    reference = kernel @ w[:, ::-1][:, :m]
    found = x @ tca.components(X_S, X_T, m, mu=mu)
    assert np.allclose(np.abs(found), np.abs(reference), atol=1e-6)


def test_transport_agrees_with_pot_s_own_loop() -> None:
    ot = pytest.importorskip("ot")
    y = np.arange(40) % 3
    cost = ((X_S[:, None] - X_T[None]) ** 2).sum(-1)
    plan = ot.da.sinkhorn_lpl1_mm(
        np.full(40, 1 / 40),
        y,
        np.full(30, 1 / 30),
        cost / np.median(cost),
        reg=ENTROPY,
        eta=CLASSES,
        numItermax=ROUNDS,
        numInnerItermax=INNER,
    )
    assert np.allclose(carried(X_S, y, X_T), plan @ X_T / plan.sum(1, keepdims=True), atol=1e-6)


def test_boosting_against_a_transcription() -> None:
    rng = np.random.default_rng(4)
    z = rng.normal(size=(60, 4)).astype(np.float32)
    y = (z[:, 0] + 0.5 * rng.normal(size=60) > 0).astype(int)
    y[:10] = 1 - y[:10]
    heads, says = tradaboost.boost(z, y, n_source=45, penalty=3.0, rounds=6)
    w = [1.0] * 60
    beta = 1 / (1 + np.sqrt(2 * np.log(45) / 6))
    logs, weights = [], []
    for _ in range(6):
        total = sum(w) / 60
        w = [one / total for one in w]
        rows = np.array(w)
        mean = rows @ z / rows.sum()
        scale = np.sqrt(rows @ (z - mean) ** 2 / rows.sum())
        x = np.column_stack([(z - mean) / scale, np.ones(60)])
        targets = np.eye(2)[y]
        solved = np.linalg.solve(
            x.T @ (rows[:, None] * x) + np.diag([3.0] * 4 + [0.0]), x.T @ (rows[:, None] * targets)
        )
        wrong = (x @ solved).argmax(1) != y
        error = sum(w[i] for i in range(45, 60) if wrong[i]) / sum(w[45:])
        error = min(max(error, 1e-3), 0.49)
        logs.append(np.log((1 - error) / error))
        weights.append(solved[:4].T / scale)
        for i in range(60):
            if wrong[i]:
                w[i] *= beta if i < 45 else (1 - error) / error
    assert says == pytest.approx(np.array(logs[3:]) / sum(logs[3:]))
    assert all(np.allclose(head.weight_, one, atol=1e-4) for head, one in zip(heads, weights[3:], strict=True))


def test_a_head_near_the_source_s_is_ridge_about_it() -> None:
    rng = np.random.default_rng(2)
    z, y = rng.normal(size=(80, 4)).astype(np.float32), np.arange(80) % 2
    z[:, 0] += 2 * y
    few = Few(rng.normal(size=(10, 4)).astype(np.float32), np.arange(10) % 2)
    shift = Shift(z, y, Few(z[:20], y[:20]), z, 2, penalty=5.0, few=few)
    found = towards_source(shift)
    source = found.recipe["towards"]
    plain = np.linalg.solve  # the minimiser, written out on standardised features
    x = np.column_stack([(z - z.mean(0)) / z.std(0), np.ones(80)])
    w_s = plain(x.T @ x + np.diag([5.0] * 4 + [0.0]), x.T @ np.eye(2)[y])
    raw = w_s[:4] / z.std(0)[:, None]
    bias = w_s[4] - z.mean(0) @ raw
    rest = np.eye(2)[few.y] - few.z @ raw - bias
    v = np.column_stack([(few.z - few.z.mean(0)) / few.z.std(0), np.ones(10)])
    change = plain(v.T @ v + np.diag([source] * 4 + [0.0]), v.T @ rest)
    assert np.allclose(found.weight.T, raw + change[:4] / few.z.std(0)[:, None], atol=1e-4)


def test_the_surest_of_every_predicted_class_are_believed() -> None:
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.45, 0.55]])
    assert pseudo_labels.surest(shares, 0.5).tolist() == [0, 1, 4]
