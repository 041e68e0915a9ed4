"""The numbers in steps.ml: three steps of each optimizer in NumPy, written from the papers and not from the library.

    python3 reference.py        prints the rows

The parameters are w (3 x 2), b (2) and c (a number); the objective is that of steps.ml, its derivatives are written by hand.
"""

import numpy as np

A = np.array([[1.0, 2.0], [0.5, -1.0], [0.3, 0.8]])
D = np.array([[1.0, 2.0], [0.5, 1.5], [3.0, 1.0]])
START = (np.array([[0.3, -0.7], [1.1, 0.4], [-0.2, 0.9]]), np.array([0.5, -0.2]), np.array(1.5))
SIZES = [6, 2, 1]


def f(x):
    w, b, c = split(x)
    return 0.5 * np.sum(D * (w - A) ** 2) + np.sum(np.cos(b)) + w[0, 1] * b[1] + c**4 / 4


def grad(x):
    w, b, c = split(x)
    gw, gb = D * (w - A), -np.sin(b)
    gw[0, 1] += b[1]
    gb[1] += w[0, 1]
    return join(gw, gb, c**3)


def hessian(x):
    w, b, c = split(x)
    h = np.diag(join(D, -np.cos(b), 3 * c**2))
    h[1, 7] = h[7, 1] = 1.0
    return h


def join(w, b, c):
    return np.concatenate([np.ravel(w), np.ravel(b), np.ravel(c)])


def split(x):
    return x[:6].reshape(3, 2).copy(), x[6:8].copy(), x[8]


def leaves(x):
    """The three tensors, each as a vector."""
    return np.split(x, np.cumsum(SIZES)[:-1])


X0 = join(*START)


def run(step, n=3, at=None):
    """`step(t, x, g, s)` gives the new x; t counts from 1, s is a dictionary to keep things in."""
    x, s = X0.copy(), {}
    for t in range(1, n + 1):
        x = step(t, x, grad(x), s)
    return x


def by_leaf(rule):
    """A rule for one tensor, by its shape."""

    def step(t, x, g, s):
        shapes = [(3, 2), (2,), ()]
        out = []
        for i, (p, d, shape) in enumerate(zip(leaves(x), leaves(g), shapes)):
            out.append(np.ravel(rule(t, p.reshape(shape), d.reshape(shape), s.setdefault(i, {}))))
        return np.concatenate(out)

    return step


def norm(x):
    return np.sqrt(np.sum(x * x))


def ema(s, name, new, beta):
    s[name] = beta * s.get(name, 0.0) + (1 - beta) * new
    return s[name]


def adam_direction(t, g, s, b1=0.9, b2=0.999, eps=1e-8):
    m = ema(s, "m", g, b1) / (1 - b1**t)
    v = ema(s, "v", g * g, b2) / (1 - b2**t)
    return m / (np.sqrt(v) + eps)


def momentum(t, x, g, s, lr=0.1, mu=0.9):
    s["v"] = mu * s.get("v", 0) + g
    return x - lr * s["v"]


def nesterov(t, x, g, s, lr=0.1, mu=0.9):
    s["v"] = mu * s.get("v", 0) + g
    return x - lr * (g + mu * s["v"])


def subgradient(t, x, g, s):
    return x - 0.1 / np.sqrt(t) * g / norm(g)


def polyak(t, x, g, s, low=-20.0):
    return x - 0.5 * (f(x) - low) / np.sum(g * g) * g


def coordinate(greedy):
    def step(t, x, g, s):
        i = int(np.argmax(np.abs(g))) if greedy else (t - 1) % 9
        x = x.copy()
        x[i] -= g[i] / abs(hessian(x)[i, i])
        return x

    return step


def adagrad(t, x, g, s, lr=0.1):
    s["n"] = s.get("n", 0) + g * g
    return x - lr * g / (np.sqrt(s["n"]) + 1e-10)


def adadelta(t, x, g, s, rho=0.95, eps=1e-6):
    v = ema(s, "v", g * g, rho)
    d = np.sqrt(s.get("d", 0 * g) + eps) / np.sqrt(v + eps) * g
    ema(s, "d", d * d, rho)
    return x - d


def rmsprop(t, x, g, s):
    return x - 0.1 * g / (np.sqrt(ema(s, "v", g * g, 0.9)) + 1e-8)


def adam(t, x, g, s, lr=0.1):
    return x - lr * adam_direction(t, g, s)


def adamw(t, x, g, s):
    return x - 0.1 * (adam_direction(t, g, s) + 0.01 * x)


def adamw_independent(t, x, g, s):
    return x - 0.1 * adam_direction(t, g, s) - 0.01 * x


def amsgrad(t, x, g, s, b1=0.9, b2=0.5):
    m = ema(s, "m", g, b1) / (1 - b1**t)
    s["top"] = np.maximum(s.get("top", 0 * g), ema(s, "v", g * g, b2))
    return x - 0.1 * m / (np.sqrt(s["top"] / (1 - b2**t)) + 1e-8)


def nadam(t, x, g, s, b1=0.9, b2=0.999):
    m = ema(s, "m", g, b1)
    v = ema(s, "v", g * g, b2) / (1 - b2**t)
    ahead = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
    return x - 0.1 * ahead / (np.sqrt(v) + 1e-8)


def radam(t, x, g, s, b1=0.9, b2=0.999):
    m = ema(s, "m", g, b1) / (1 - b1**t)
    v = ema(s, "v", g * g, b2)
    most = 2 / (1 - b2) - 1
    rho = most - 2 * t * b2**t / (1 - b2**t)
    if rho <= 4:
        return x - 0.1 * m
    r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    return x - 0.1 * r * m / (np.sqrt(v / (1 - b2**t)) + 1e-8)


def adabelief(t, x, g, s, b1=0.9, b2=0.999, eps=1e-16):
    m = ema(s, "m", g, b1)
    s["s"] = b2 * s.get("s", 0) + (1 - b2) * (g - m) ** 2 + eps
    return x - 0.1 * (m / (1 - b1**t)) / (np.sqrt(s["s"] / (1 - b2**t)) + eps)


def lion(t, x, g, s):
    m = s.get("m", 0 * g)
    ema(s, "m", g, 0.99)
    return x - 0.1 * (np.sign(0.9 * m + 0.1 * g) + 0.5 * x)


@by_leaf
def lars(t, p, g, s):
    rate = 0.02 * norm(p) / (norm(g) + 0.01 * norm(p))
    s["v"] = 0.9 * s.get("v", 0) + 0.5 * rate * (g + 0.01 * p)
    return p - s["v"]


@by_leaf
def lamb(t, p, g, s):
    u = adam_direction(t, g, s, eps=1e-6) + 0.01 * p
    return p - 0.1 * norm(p) / norm(u) * u


@by_leaf
def adafactor(t, p, g, s):
    beta = 1 - t**-0.8
    q = g * g + 1e-30
    if p.ndim == 2:
        r = ema(s, "r", q @ np.ones(2), beta)
        c = ema(s, "c", np.ones(3) @ q, beta)
        v = np.outer(r, c) / np.sum(r)
    else:
        v = ema(s, "v", q, beta)
    u = g / np.sqrt(v)
    rms = lambda x: np.sqrt(np.mean(x * x))
    u = u / max(1.0, rms(u) / 1.0)
    return p - max(1e-3, rms(p)) * min(1e-2, 1 / np.sqrt(t)) * u


def power(a, e):
    w, v = np.linalg.eigh(a)
    return v @ np.diag(w**e) @ v.T


@by_leaf
def shampoo(t, p, g, s, eps=1e-4):
    if p.ndim == 0:
        s["n"] = s.get("n", eps) + g * g
        return p - 0.1 * g / np.sqrt(s["n"])
    if p.ndim == 1:
        s["h"] = s.get("h", eps * np.eye(2)) + np.outer(g, g)
        return p - 0.1 * power(s["h"], -0.5) @ g
    s["l"] = s.get("l", eps * np.eye(3)) + g @ g.T
    s["r"] = s.get("r", eps * np.eye(2)) + g.T @ g
    return p - 0.1 * power(s["l"], -0.25) @ g @ power(s["r"], -0.25)


@by_leaf
def muon(t, p, g, s):
    if p.ndim < 2:
        return p - 0.1 * adam_direction(t, g, s)
    s["v"] = 0.95 * s.get("v", 0) + g
    m = g + 0.95 * s["v"]
    # By its singular values: the polynomial acts on them alone.
    u, z, vt = np.linalg.svd(m, full_matrices=False)
    z = z / norm(z)
    for _ in range(5):
        z = 3.4445 * z - 4.775 * z**3 + 2.0315 * z**5
    return p - 0.02 * (np.sqrt(3 / 2) * u @ np.diag(z) @ vt + 0.1 * p)


def wolfe(x, d):
    fx, slope = f(x), grad(x) @ d
    low, high, t = 0.0, np.inf, 1.0
    for _ in range(30):
        if f(x + t * d) > fx + 1e-4 * t * slope:
            high = t
        elif grad(x + t * d) @ d < 0.9 * slope:
            low = t
        else:
            return t
        t = 2 * t if high == np.inf else (low + high) / 2
    return low


def lbfgs(t, x, g, s):
    """The same inverse Hessian as a matrix, by the update of BFGS (Nocedal and Wright 2006, equation 6.17)."""
    if t == 1:
        h = np.eye(9) / max(norm(g), 1.0)
        s["pairs"] = []
    else:
        s["pairs"].append((x - s["x"], g - s["g"]))
        ds, dy = s["pairs"][-1]
        h = np.eye(9) * (ds @ dy) / (dy @ dy)
        for ds, dy in s["pairs"]:
            rho = 1 / (ds @ dy)
            v = np.eye(9) - rho * np.outer(dy, ds)
            h = v.T @ h @ v + rho * np.outer(ds, ds)
    s["x"], s["g"] = x, g
    d = -h @ g
    return x + wolfe(x, d) * d


def sophia(t, x, g, s):
    """Where the diagonal is estimated by 0: each step is of full length."""
    return x - 0.1 * (np.sign(ema(s, "m", g, 0.96)) + 0.5 * x)


METRIC = np.arange(1.0, 10.0)


def natural(t, x, g, s):
    return x - 0.5 * g / (METRIC + 0.25)


def dog(t, x, g, s):
    s["far"] = max(s.get("far", 0.01 * (1 + norm(X0))), norm(x - X0))
    s["n"] = s.get("n", 0) + np.sum(g * g)
    return x - s["far"] / np.sqrt(s["n"] + 1e-8) * g


def dowg(t, x, g, s):
    s["far"] = max(s.get("far", 0.01 * (1 + norm(X0))), norm(x - X0))
    s["n"] = s.get("n", 0) + s["far"] ** 2 * np.sum(g * g)
    return x - s["far"] ** 2 / np.sqrt(s["n"] + 1e-8) * g


def prodigy(t, x, g, s, b1=0.9, b2=0.9):
    d = s.get("d", 0.01)
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * d * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * d**2 * g * g
    q = np.sqrt(b2)
    s["r"] = q * s.get("r", 0) + (1 - q) * d**2 * (g @ (X0 - x))
    s["s"] = q * s.get("s", 0) + (1 - q) * d**2 * g
    s["d"] = max(d, s["r"] / np.sum(np.abs(s["s"])))
    return x - d * m / (np.sqrt(v) + d * 1e-8)


def sam(t, x, g, s):
    return x - 0.1 * grad(x + 0.05 * g / norm(g))


def lookahead(t, x, g, s):
    fast = x - 0.1 * g
    if t % 2 == 0:
        fast = X0 + 0.5 * (fast - X0) if "slow" not in s else s["slow"] + 0.5 * (fast - s["slow"])
        s["slow"] = fast
    return fast


def schedule_free(t, y, g, s, beta=0.9):
    """In training: y, where gradients are taken."""
    z = s.get("z", X0) - 0.1 * g
    x = s.get("x", X0) + (z - s.get("x", X0)) / t
    s["z"], s["x"] = z, x
    return (1 - beta) * z + beta * x


def schedule_free_adamw(t, y, g, s, lr=0.1, beta=0.9, b2=0.999, warm=2, decay=0.01):
    rate = lr * np.sqrt(1 - b2**t) * min(1, t / warm)
    v = ema(s, "v", g * g, b2)
    z = s.get("z", X0) - rate * g / (np.sqrt(v) + 1e-8) - rate * decay * y
    s["sum"] = s.get("sum", 0) + rate**2
    c = rate**2 / s["sum"]
    x = (1 - c) * s.get("x", X0) + c * z
    s["z"], s["x"] = z, x
    return (1 - beta) * z + beta * x


def sgd_on(change):
    return lambda t, x, g, s: x - 0.1 * change(t, x, g, s)


def sgd(t, x, g, s):
    return x - 0.1 * g


def soft(q, r):
    return np.sign(q) * np.maximum(np.abs(q) - r, 0)


def proximal(t, x, g, s):
    return soft(x - 0.1 * g, 0.1 * 0.3)


@by_leaf
def group(t, p, g, s):
    q = p - 0.1 * g
    return max(0.0, 1 - 0.1 * 0.3 / norm(q)) * q


def ridge(t, x, g, s):
    return (x - 0.1 * g) / (1 + 0.1 * 0.3)


def fista(t, y, g, s):
    x = soft(y - 0.1 * g, 0.1 * 0.3)
    old = s.get("t", 1.0)
    new = (1 + np.sqrt(1 + 4 * old**2)) / 2
    y = x + (old - 1) / new * (x - s.get("x", X0))
    s["x"], s["t"] = x, new
    return y


@by_leaf
def in_ball(t, p, g, s):
    q = p - 0.1 * g
    return q * min(1, 0.5 / norm(q))


def ftrl(t, w, g, s, lr=0.1, beta=1.0, l1=0.01, l2=0.1):
    n = s.get("n", 0 * g)
    z = s.get("z", -(beta / lr + l2) * w - l1 * np.sign(w))
    sigma = (np.sqrt(n + g * g) - np.sqrt(n)) / lr
    z = z + g - sigma * w
    n = n + g * g
    s["n"], s["z"] = n, z
    return np.where(np.abs(z) <= l1, 0, -(z - np.sign(z) * l1) / ((beta + np.sqrt(n)) / lr + l2))


def mirror(t, x, g, s):
    """With the hyperbolic mirror map: its gradient is arsinh."""
    return np.sinh(np.arcsinh(x) - 0.1 * g)


@by_leaf
def ratio(t, p, g, s):
    most = 0.1 * max(norm(p), 1e-3)
    return p - 0.1 * g * min(1, most / norm(g))


@by_leaf
def centralized(t, p, g, s):
    if p.ndim == 2:
        g = g - g.mean(axis=1, keepdims=True)
    return p - 0.1 * g


def exponentiated():
    """Three steps on a simplex, of (p - target)^2 / 2 summed up."""
    p = np.array([0.2, 0.3, 0.5])
    for _ in range(3):
        p = p * np.exp(-0.5 * (p - np.array([3.0, 0.2, -1.0])))
        p = p / p.sum()
    return p


def simplex(q):
    """The nearest vector of a simplex, by bisection of what is taken off."""
    low, high = np.min(q) - 1, np.max(q)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(q - middle, 0).sum() > 1 else (low, middle)
    return np.maximum(q - low, 0)


def on_simplex():
    p = np.array([0.2, 0.3, 0.5])
    for _ in range(3):
        p = simplex(p - 0.1 * (p - np.array([3.0, 0.2, -1.0])))
    return p


ROWS = {
    "sgd(lr: 0.1)": sgd,
    "momentum(lr: 0.1)": momentum,
    "nesterov(lr: 0.1)": nesterov,
    "subgradient()": subgradient,
    "polyak(lowest: -20.0, scale: 0.5)": polyak,
    "coordinate_descent()": coordinate(False),
    "coordinate_descent(greedy: true)": coordinate(True),
    "adagrad(lr: 0.1)": adagrad,
    "adadelta()": adadelta,
    "rmsprop(lr: 0.1)": rmsprop,
    "adam(lr: 0.1)": adam,
    "adamw(lr: 0.1)": adamw,
    "adamw(lr: 0.1, independent: true)": adamw_independent,
    "amsgrad(lr: 0.1, b2: 0.5)": amsgrad,
    "nadam(lr: 0.1)": nadam,
    "radam(lr: 0.1)": radam,
    "adabelief(lr: 0.1)": adabelief,
    "lion(lr: 0.1, decay: 0.5)": lion,
    "lars(lr: 0.5, trust: 0.02, decay: 0.01)": lars,
    "lamb(lr: 0.1, decay: 0.01)": lamb,
    "adafactor()": adafactor,
    "shampoo(lr: 0.1)": shampoo,
    "muon(decay: 0.1, other: adam(lr: 0.1))": muon,
    "lbfgs(memory: 2)": lbfgs,
    "sophia(lr: 0.1, scale: 0.0, decay: 0.5)": sophia,
    "natural(metric, lr: 0.5, damping: 0.25)": natural,
    "dog(first: 0.01)": dog,
    "dowg(first: 0.01)": dowg,
    "prodigy(first: 0.01, b2: 0.9)": prodigy,
    "sam(inner: sgd(lr: 0.1))": sam,
    "lookahead(sgd(lr: 0.1), every: 2)": lookahead,
    "schedule_free(sgd(lr: 0.1))": schedule_free,
    "schedule_free_adamw(lr: 0.1, warmup: 2, decay: 0.01)": schedule_free_adamw,
    "ema(sgd(lr: 0.1))": sgd,
    "swa(sgd(lr: 0.1))": sgd,
    "on_plateau(sgd(lr: 0.1))": sgd,
    "proximal(lr: 0.1, prox: soft_threshold(0.3))": proximal,
    "proximal(lr: 0.1, prox: shrink(0.3))": group,
    "proximal(lr: 0.1, prox: ridge(0.3))": ridge,
    "fista(lr: 0.1, prox: soft_threshold(0.3))": fista,
    "projected(sgd(lr: 0.1), onto: ball(0.5))": in_ball,
    "proximal(lr: 0.1, prox: within_set(ball(0.5)))": in_ball,
    "projected(sgd(lr: 0.1), onto: box(0.0, 1.0))": lambda t, x, g, s: np.clip(x - 0.1 * g, 0, 1),
    "ftrl(lr: 0.1, l1: 0.01, l2: 0.1)": ftrl,
    "mirror_descent(lr: 0.1, to: asinh, back: sinh)": mirror,
    "clip_norm(1.0) |> sgd(lr: 0.1)": sgd_on(lambda t, x, g, s: g * min(1, 1 / norm(g))),
    "clip_value(0.5) |> sgd(lr: 0.1)": sgd_on(lambda t, x, g, s: np.clip(g, -0.5, 0.5)),
    "clip_ratio(0.1) |> sgd(lr: 0.1)": ratio,
    "normalized() |> sgd(lr: 0.1)": sgd_on(lambda t, x, g, s: g / norm(g)),
    "centralized() |> sgd(lr: 0.1)": centralized,
    "weight_decay(0.1) |> sgd(lr: 0.1)": sgd_on(lambda t, x, g, s: g + 0.1 * x),
    "noise(eta: 0.0) |> sgd(lr: 0.1)": sgd,
    "average(0.5) |> sgd(lr: 0.1)": sgd_on(lambda t, x, g, s: ema(s, "m", g, 0.5) / (1 - 0.5**t)),
    "scale(0.5) |> sgd(lr: 0.2)": sgd,
}

def shown(numbers):
    """With 15 digits."""
    return ", ".join(repr(float(f"{v:.15g}")) for v in numbers)


if __name__ == "__main__":
    for call, step in ROWS.items():
        x = run(step)
        print(f"  assert close(walk({call}), [\n    {shown(x[:5])},\n    {shown(x[5:])}\n  ], 1e-12)")
    print("exponentiated(lr: 0.5):", shown(exponentiated()))
    print("projected(sgd(lr: 0.1), onto: simplex_of()):", shown(on_simplex()))
