"""Each method against an independent transcription of its paper, or against skada and POT."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from scipy.linalg import eigh, sqrtm
from scipy.optimize import brentq, linprog, lsq_linear, minimize, minimize_scalar

from headstart.shallow.adapt import Few, Shift, towards_source
from headstart.shallow.adapt import pseudo_labels as adapt_by_pseudo_labels
from headstart.shallow.adapt.transport import CLASSES, ENTROPY, FLOOR, INNER, ROUNDS, carried

# The rooms' functions are named like their files.
coral, density, interior_point, kliep, kmm, subspace, tca, tradaboost, pseudo_labels = (
    import_module(f"headstart.shallow.adapt.{name}")
    for name in "coral density interior_point kliep kmm subspace tca tradaboost pseudo_labels".split()
)
RNG = np.random.default_rng(0)
X_S, X_T = RNG.normal(size=(40, 5)), RNG.normal(size=(30, 5)) @ np.diag([2, 1, 1, 0.5, 1]) + 0.7
DOMAIN = np.repeat([1, -2], [40, 30])


def best_in_the_box(k: np.ndarray, kappa: np.ndarray, largest: float) -> np.ndarray:
    """Return argmin ½ βᵀKβ − κᵀβ in a box, as least squares ‖Lᵀβ − L⁻¹κ‖² by scipy's active sets."""
    lower = np.linalg.cholesky(k)
    bounds = (0.0, largest)
    return lsq_linear(lower.T, np.linalg.solve(lower, kappa), bounds=bounds, method="bvls", tol=1e-14).x


@pytest.mark.parametrize(("largest", "held"), [(10.0, False), (1.0, True)])
def test_kernel_mean_matching_against_another_solver_of_the_quadratic_programme(largest: float, held: bool) -> None:
    k_ss = np.array([[np.exp(-0.2 * ((a - b) ** 2).sum()) for b in X_S] for a in X_S])
    kappa = np.array([40 / 30 * sum(np.exp(-0.2 * ((a - b) ** 2).sum()) for b in X_T) for a in X_S])
    slack = min(largest / np.sqrt(40), 1.0)
    reference = best_in_the_box(k_ss, kappa, largest)
    assert bool(abs(reference.mean() - 1) > slack) is held
    if held:
        end = 1 - slack
        multiplier = brentq(lambda one: best_in_the_box(k_ss, kappa + one, largest).mean() - end, 0, 10, xtol=1e-12)
        reference = best_in_the_box(k_ss, kappa + multiplier, largest)
    found, _ = kmm.matched(kmm.kernel(X_S, X_S, 0.2), kmm.kernel(X_S, X_T, 0.2), largest=largest)
    assert np.allclose(found, reference, rtol=0, atol=1e-6)


def short_of_the_best(beta: np.ndarray, k_ss: np.ndarray, kappa: np.ndarray, slack: float) -> float:
    """What ½ βᵀKβ − κᵀβ is above its least at most: where its tangent is lowest, by scipy's linear programmes."""
    n, slope = len(beta), k_ss @ beta - kappa
    ends = np.array([n * (1 + slack), n * (slack - 1)])
    lowest = linprog(slope, A_ub=np.array([np.ones(n), -np.ones(n)]), b_ub=ends, bounds=(0.0, kmm.LARGEST))
    return float(slope @ beta - lowest.fun)


RANDOM = np.random.default_rng(0)
DECAY = 1 / np.arange(1, 31)
WIDE = RANDOM.normal(size=(150, 30))
DOMAINS = {
    "few directions, far": (RANDOM.normal(size=(200, 3)), RANDOM.normal(size=(80, 3)) + 3),
    "the mean is held": (RANDOM.normal(size=(300, 5)), RANDOM.normal(size=(120, 5)) + 4),
    "out of reach": (RANDOM.normal(size=(150, 5)), RANDOM.normal(size=(80, 5)) + 50),
    "out of reach of a few": (RANDOM.normal(size=(60, 5)), RANDOM.normal(size=(80, 5)) + 1000),
    "one direction": (RANDOM.normal(size=(400, 1)), RANDOM.normal(size=(300, 1)) + 1),
    "like features": (RANDOM.normal(size=(400, 30)) * DECAY, (RANDOM.normal(size=(300, 30)) + 0.2) * DECAY),
    "every source image thrice": (RANDOM.normal(size=(60, 4)).repeat(3, axis=0), RANDOM.normal(size=(90, 4)) + 0.5),
    "one source image": (np.zeros((120, 4)), RANDOM.normal(size=(90, 4))),
    "one image": (np.zeros((120, 4)), np.zeros((90, 4))),
}


@pytest.mark.parametrize(("case", "scale"), [*((case, 1.0) for case in DOMAINS), ("the mean is held above", 3.0)])
def test_kernel_mean_matching_ends_at_the_optimum(case: str, scale: float) -> None:
    u_s, u_t = DOMAINS.get(case, (WIDE, 0.05 * WIDE[:60, ::-1]))
    gamma = scale * kmm.bandwidth(u_s, u_t)
    k_ss, k_st = kmm.kernel(u_s, u_s, gamma), kmm.kernel(u_s, u_t, gamma)
    n = len(u_s)
    slack = min(kmm.LARGEST / np.sqrt(n), 0.99)
    found, gap = kmm.matched(k_ss, k_st)
    assert found.min() >= 0 and found.max() <= kmm.LARGEST + 1e-9 and abs(found.mean() - 1) <= slack + 1e-9
    if "held" in case:
        assert abs(found.mean() - 1) == pytest.approx(slack)
    # In the squared distance of the means, which no kernel of this kind takes above 4.
    short = short_of_the_best(found, k_ss, n * k_st.mean(axis=1), slack) * 2 / n**2
    assert 0 <= gap <= 1e-12 and short <= 1e-12
    assert short_of_the_best(np.ones(n), k_ss, n * k_st.mean(axis=1), slack) * 2 / n**2 > 1e-6 or case == "one image"


def test_what_is_left_is_that_of_a_linear_programme_where_steps_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    u_s, u_t = DOMAINS["the mean is held"]
    k_ss, k_st = kmm.kernel(u_s, u_s, 0.1), kmm.kernel(u_s, u_t, 0.1)
    n = len(u_s)
    for steps in (1, 4, 8):
        monkeypatch.setattr(interior_point, "STEPS", steps)
        found, gap = kmm.matched(k_ss, k_st)
        short = short_of_the_best(found, k_ss, n * k_st.mean(axis=1), kmm.LARGEST / np.sqrt(n))
        assert gap > 1e-6 and gap == pytest.approx(short * 2 / n**2, rel=1e-6)


def test_the_kernel_s_width_is_the_median_distance_of_what_differs() -> None:
    rows = np.array([[0.0], [1.0], [3.0]])
    assert kmm.bandwidth(rows, rows[:0]) == pytest.approx(1 / (2 * 4))
    # The same image, but for the last bits.
    again = np.concatenate([rows, np.zeros((40, 1)) + 1e-16])
    assert kmm.bandwidth(again, rows[:0]) == pytest.approx(1 / (2 * 4))
    assert kmm.bandwidth(rows[:1], rows[:1]) == 1


def test_kernel_mean_matching_of_a_smooth_kernel_is_as_low_as_scipy_takes_it() -> None:
    u_s, u_t = DOMAINS["few directions, far"]
    gamma = kmm.bandwidth(u_s, u_t)
    k_ss, k_st = kmm.kernel(u_s, u_s, gamma), kmm.kernel(u_s, u_t, gamma)
    kappa = len(u_s) * k_st.mean(axis=1)
    found = kmm.matched(k_ss, k_st)[0]
    peer = minimize(
        lambda beta: float(0.5 * beta @ k_ss @ beta - kappa @ beta),
        np.ones(len(u_s)),
        jac=lambda beta: k_ss @ beta - kappa,
        bounds=[(0.0, kmm.LARGEST)] * len(u_s),
        method="L-BFGS-B",
        options={"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-15, "gtol": 1e-8},
    )
    # Without bounds on the mean, which do not bind here.
    assert abs(peer.x.mean() - 1) < kmm.LARGEST / np.sqrt(len(u_s))
    assert 0.5 * found @ k_ss @ found - kappa @ found == pytest.approx(peer.fun, rel=1e-6)


def test_kernel_mean_matching_is_not_worse_than_skada_s() -> None:
    reweight = pytest.importorskip("skada._reweight")
    peer = reweight.KMMReweightAdapter(gamma=0.2, B=10.0, eps=1.0, tol=1e-12, max_iter=100_000)
    peer.fit(np.concatenate([X_S, X_T]), sample_domain=DOMAIN)
    k_ss, k_st = kmm.kernel(X_S, X_S, 0.2), kmm.kernel(X_S, X_T, 0.2)
    kappa = 40 * k_st.mean(axis=1)

    def value(beta: np.ndarray) -> float:
        return float(0.5 * beta @ k_ss @ beta - kappa @ beta)

    ours, theirs = value(kmm.matched(k_ss, k_st)[0]), value(peer.source_weights_)
    # skada's solver stops a thousandth above the optimum.
    assert ours <= theirs and ours == pytest.approx(theirs, rel=1e-3)


@pytest.mark.parametrize("gamma", [0.05, 0.3, 1.5])
def test_kliep_against_expectation_maximisation(gamma: float) -> None:
    centres = X_T[:8]
    a = np.array([[np.exp(-gamma * ((x - c) ** 2).sum()) for c in centres] for x in X_T])
    b = np.array([np.mean([np.exp(-gamma * ((x - c) ** 2).sum()) for x in X_S]) for c in centres])
    shares = np.full(8, 1 / 8)
    for _ in range(40_000):
        shares = shares * (a / b / (a / b @ shares)[:, None]).mean(axis=0)
    logs = kliep.components(X_S, centres, gamma)(X_T)
    assert np.allclose(np.exp(logs), a / b, rtol=1e-12)
    found = kliep.fit_shares(logs)
    assert found.min() >= 0 and found.sum() == pytest.approx(1)
    assert np.allclose(a / b @ found, a / b @ shares, rtol=1e-6)


def test_kliep_has_no_lower_likelihood_than_skada() -> None:
    reweight = pytest.importorskip("skada._reweight")
    peer = reweight.KLIEPReweightAdapter(gamma=0.3, n_centers=8, random_state=0, max_iter=5000)
    peer.fit(np.concatenate([X_S, X_T]), sample_domain=DOMAIN)
    a, b = kmm.kernel(X_T, peer.centers_, 0.3), kmm.kernel(X_S, peer.centers_, 0.3).mean(axis=0)
    shares = kliep.fit_shares(kliep.components(X_S, peer.centers_, 0.3)(X_T))
    assert np.log(a / b @ shares).sum() >= np.log(a @ peer.alpha_).sum() - 1e-9


def test_kliep_of_many_centres_meets_the_condition_of_its_optimum() -> None:
    rng = np.random.default_rng(5)
    u_s, u_t = rng.normal(size=(400, 20)), 0.8 * rng.normal(size=(300, 20)) + 0.4
    a, b = kmm.kernel(u_t, u_t[:100], 0.2), kmm.kernel(u_s, u_t[:100], 0.2).mean(axis=0)
    shares = kliep.fit_shares(kliep.components(u_s, u_t[:100], 0.2)(u_t))
    slope = (a / b / (a / b @ shares)[:, None]).mean(axis=0)
    assert slope.max() <= 1 + 1e-6 and np.allclose(slope[shares > 1e-6], 1, atol=1e-6)
    assert np.count_nonzero(shares > 1e-6) > 5


def test_kliep_weighs_a_target_image_that_is_far_from_all_centres_like_any_other() -> None:
    logs = np.array([[0.0, -1.0], [-1.0, -0.5], [-2000.0, -2001.5]])
    found = kliep.fit_shares(logs)
    best = minimize_scalar(
        lambda share: -np.logaddexp(logs[:, 0] + np.log(share), logs[:, 1] + np.log1p(-share)).sum(),
        bounds=(1e-9, 1 - 1e-9),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert found[0] == pytest.approx(best.x, abs=1e-6)


def test_kliep_s_width_is_that_under_which_held_out_target_images_are_likeliest() -> None:
    """By a transcription with plain kernels, whose widths differ in likelihood."""
    rng = np.random.default_rng(3)
    z_s, z_t = rng.normal(size=(90, 2)).astype("f4"), (0.7 * rng.normal(size=(40, 2)) + 0.6).astype("f4")
    y = np.arange(90) % 2
    shift = Shift(z_s, y, Few(z_s, y), z_t, 2, seed=4)
    mixed = np.random.default_rng(4).permutation(40)
    found = {}
    for scale in (0.5, 1.0, 2.0, 4.0):
        gamma = kmm.bandwidth(shift.u_s, shift.u_t) / scale**2
        a = kmm.kernel(shift.u_t, shift.u_t[mixed], gamma)
        b = kmm.kernel(shift.u_s, shift.u_t[mixed], gamma).mean(axis=0)
        likelihood = []
        for number in range(5):
            held = mixed % 5 == number
            shares = np.full(40, 1 / 40)
            for _ in range(1000):
                shares = shares * (a[~held] / b / (a[~held] / b @ shares)[:, None]).mean(axis=0)
            likelihood.append(np.log(a[held] / b @ shares).mean())
        found[gamma] = np.mean(likelihood)
    ranked = sorted(found, key=found.__getitem__)
    assert kliep.kliep(shift).recipe["gamma"] == pytest.approx(ranked[-1])
    assert list(found).index(ranked[-1]) == 1, "neither the narrowest nor the widest"


@pytest.mark.parametrize("apart", [0.5, 30.0, 1000.0])
@pytest.mark.parametrize("copies", [1, 20])
def test_kliep_and_matching_give_weights_where_all_kernels_are_nought(apart: float, copies: int) -> None:
    """Domains so far from each other, or a source of so few different images, that floating point has no kernel."""
    rng = np.random.default_rng(0)
    z_s = rng.normal(size=(80 // copies, 6)).repeat(copies, axis=0).astype(np.float32)
    z_t, y_s = (rng.normal(size=(60, 6)) * 0.01 + apart).astype(np.float32), np.arange(80) % 2
    shift = Shift(z_s, y_s, Few(z_s, y_s), z_t, 2)
    with np.errstate(all="raise", under="ignore"):
        for method in (kliep.kliep, kmm.kernel_mean_matching):
            weights = method(shift).weights
            assert weights.min() >= 0 and weights.mean() == pytest.approx(1)


def test_the_density_ratio_against_newton_s_method() -> None:
    found, penalty = density.ratio(X_S, X_T, seed=0)
    x = np.concatenate([X_S, X_T])
    domain = np.repeat([0.0, 1.0], [40, 30])
    rows = np.column_stack([(x - x.mean(0)) / x.std(0), np.ones(70)])
    # Two vectors of weights, w and −w, of which both are penalised.
    ridge, theta = np.diag([penalty / 2] * 5 + [0.0]), np.zeros(6)
    for _ in range(50):
        p = 1 / (1 + np.exp(-rows @ theta))
        hessian = rows.T @ (rows * (p * (1 - p))[:, None]) + ridge
        theta -= np.linalg.solve(hessian, rows.T @ (p - domain) + ridge @ theta)
    ratios = np.exp(rows[:40] @ theta)
    assert np.allclose(found, ratios / ratios.mean(), rtol=1e-6) and found.max() < density.LARGEST


def test_the_density_ratio_of_two_gaussians_is_found() -> None:
    rng = np.random.default_rng(1)
    u_s, u_t = rng.normal(0, 1, size=(4000, 1)), rng.normal(0.8, 1, size=(4000, 1))
    at = np.array([[-1.0], [0.0], [1.0]])
    found, _ = density.ratio(u_s, u_t, seed=0, at=at)
    assert found == pytest.approx(np.exp(0.8 * at[:, 0] - 0.32), rel=0.12)


def test_weights_are_capped_and_keep_their_mean() -> None:
    weights = density.capped(np.array([0.1, 0.2, 0.3, 100.0, 80.0, 0.4] * 20), 2.0)
    assert weights.max() == pytest.approx(2.0) and weights.mean() == pytest.approx(1)
    alone = density.capped(np.array([80.0, *[0.0] * 79]))
    assert alone.mean() == pytest.approx(1) and alone[0] == density.LARGEST
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


def test_transport_against_a_transcription() -> None:
    y = np.arange(40) % 3
    cost = np.array([[sum((a - b) ** 2) for b in X_T] for a in X_S])
    cost /= np.median(cost)
    pull = np.zeros((40, 30))
    for _ in range(ROUNDS):
        kernel = np.exp(-(cost + CLASSES * pull) / ENTROPY)
        u, v = np.full(40, 1 / 40), np.full(30, 1 / 30)
        for _ in range(INNER):
            v = 1 / 30 / (kernel.T @ u)
            u = 1 / 40 / (kernel @ v)
        plan = u[:, None] * kernel * v
        for i in range(40):
            for j in range(30):
                pull[i, j] = 0.5 / np.sqrt(plan[y == y[i], j].sum() + FLOOR)
    assert np.allclose(carried(X_S, y, X_T), plan @ X_T / plan.sum(1, keepdims=True), atol=1e-6)


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
    assert all(np.allclose(head.weight_, one, atol=1e-6) for head, one in zip(heads, weights[3:], strict=True))


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
    assert np.allclose(found.weight.T, raw + change[:4] / few.z.std(0)[:, None], atol=1e-6)


def test_the_surest_of_every_predicted_class_are_believed() -> None:
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.45, 0.55]])
    assert pseudo_labels.surest(shares, 0.5).tolist() == [0, 1, 4]


def test_pseudo_labels_against_a_transcription() -> None:
    rng = np.random.default_rng(7)
    y, held = np.arange(90) % 3, np.arange(30) % 3
    centres = 1.5 * rng.normal(size=(3, 4))
    z = (centres[y] + rng.normal(size=(90, 4))).astype("f4")
    z_held = (centres[held] + rng.normal(size=(30, 4))).astype("f4")
    z_t = (centres[np.arange(60) % 3] + rng.normal(size=(60, 4)) + 0.6).astype("f4")
    found = adapt_by_pseudo_labels(Shift(z, y, Few(z_held, held), z_t, 3, penalty=2.0))

    def head(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = x.astype("f8")
        mean, scale = x.mean(0), x.std(0)
        targets = np.eye(3)[labels]
        v = (x - mean) / scale
        w = np.linalg.solve(v.T @ v + 2.0 * np.eye(4), v.T @ (targets - targets.mean(0))) / scale[:, None]
        return w, targets.mean(0) - mean @ w

    def heat(logits: np.ndarray) -> float:
        smoothed = (1 - 1 / 31) * np.eye(3)[held] + 1 / 31 / 3

        def loss(log_t: float) -> float:
            s = logits / np.exp(log_t)
            return float((np.log(np.exp(s).sum(1)) - (smoothed * s).sum(1)).mean())

        return float(np.exp(minimize_scalar(loss, bounds=(-6, 6), method="bounded", options={"xatol": 1e-10}).x))

    w, b = head(z, y)
    for share in (0.1, 0.2, 0.3, 0.4):
        s = (z_t @ w + b) / heat(z_held @ w + b)
        p = np.exp(s) / np.exp(s).sum(1, keepdims=True)
        believed = []
        for c in range(3):
            own = [i for i in range(60) if p[i].argmax() == c]
            own.sort(key=lambda i: -p[i, c])
            believed += [i for i in own[: max(1, round(share * len(own)))] if p[i, c] >= 0.5]
        believed.sort()
        w, b = head(np.concatenate([z, z_t[believed]]), np.concatenate([y, p[believed].argmax(1)]))
    assert found.recipe["believed"] == len(believed) > 12
    assert np.allclose(found.weight.T, w, atol=1e-6) and np.allclose(found.bias, b, atol=1e-6)
