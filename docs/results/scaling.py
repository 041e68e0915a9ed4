"""Times mlc and JAX in turn as a problem grows, and draws what comes out.

    python docs/results/scaling.py path/to/mlc [--rounds 3] [--draw]

needs Python with jax and nothing else. It times `examples/bench/scaling.ml` and the same computations in JAX, and writes
`scaling.json` and `scaling.svg` beside this file and the table in `scaling.md`. `--draw` only draws anew from `scaling.json`.

Of JAX a loop over a jitted step and a `lax.scan` over many are timed, both with donated buffers; the faster counts. Its draws of
the batch are made beforehand, those of mlc are part of its step. Compile time is that of one step from the source's functions to
machine code: tracing, lowering and XLA of JAX, all passes of mlc.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import time
from pathlib import Path

from machine import machine

HERE = Path(__file__).resolve().parent
PIPELINE = HERE.parent.parent / "examples" / "bench" / "scaling.ml"
ROWS, INPUTS, CLASSES = 1797, 64, 10
BASE = dict(batch=128, width=256, depth=2)
WORK = 2**20  # numbers in all links of a chain

SERIES = {
    "batch": [dict(BASE, batch=b) for b in (8, 32, 128, 512, 2048, 8192)],
    "width": [dict(BASE, width=w) for w in (32, 128, 512, 1024, 2048, 4096)],
    "depth": [dict(BASE, depth=d) for d in (1, 2, 4, 8, 16, 32, 64)],
    "links": [dict(links=n, numbers=WORK // n) for n in (4, 16, 64, 128, 256, 512, 1024)],
}


# --- mlc

def mlc_times(mlc, stage, sizes, seconds):
    sets = [a for name, value in sizes.items() for a in ("--set", f"{name}={value}")]
    words = [mlc, "bench", str(PIPELINE), stage, "--json", "--seconds", str(seconds), *sets]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "MLC_CACHE": "off"})
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr}")
    line = json.loads(done.stdout.splitlines()[-1])
    return dict(least=line["min_ns"] * 1e-9, median=line["median_ns"] * 1e-9, compile=line["compile_ms"] * 1e-3,
                nodes=line["nodes"], kernels=line["kernels"])


# --- JAX

def classifier(batch, width, depth):
    """A step of Adam, its first carry, and `n` batches of indices."""
    import jax
    import jax.numpy as jnp
    keys = iter(jax.random.split(jax.random.key(0), 200))
    x = jax.random.normal(next(keys), (ROWS, INPUTS))
    y = jnp.argmax(x @ jax.random.normal(next(keys), (INPUTS, CLASSES)), 1)
    sizes = [INPUTS] + [width] * depth + [CLASSES]
    params = [(jax.random.normal(next(keys), (i, o)) * math.sqrt(2 / i), jnp.zeros(o)) for i, o in zip(sizes, sizes[1:])]

    def loss(params, at):
        h, labels = x[at], y[at]
        for w, b in params[:-1]:
            h = jax.nn.relu(h @ w + b)
        logits = h @ params[-1][0] + params[-1][1]
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

    def step(carry, at):
        p, m, v, t = carry
        value, g = jax.value_and_grad(loss)(p, at)
        t = t + 1.0
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        a, b = 1e-3 / (1 - 0.9**t), 1 / (1 - 0.999**t)
        p = jax.tree.map(lambda p, m, v: p - a * m / (jnp.sqrt(b * v) + 1e-8), p, m, v)
        return (p, m, v, t), value

    def first():
        zeros = lambda: jax.tree.map(jnp.zeros_like, params)
        return jax.tree.map(jnp.copy, params), zeros(), zeros(), jnp.zeros(())

    return step, first, lambda n: jax.random.randint(next(keys), (n, batch), 0, ROWS)


def chain(links, numbers):
    import jax
    import jax.numpy as jnp
    w = jnp.arange(numbers) / numbers

    def objective(x):
        for i in range(links):
            y = jnp.tanh(1.1 * x) if i % 2 == 0 else jnp.sin(x) + 0.1 * x
            x = y - y.mean()
        return jnp.square(x).mean()

    def step(w, _):
        value, g = jax.value_and_grad(objective)(w)
        return w - 0.01 * g, value

    return step, lambda: jnp.copy(w), lambda n: jnp.zeros((n, 1))


def clocked(run, reps):
    """Seconds of each of some runs."""
    times = []
    for _ in range(reps):
        t = time.perf_counter()
        run()
        times.append(time.perf_counter() - t)
    return times


class Jax:
    """One computation, compiled both ways."""

    def __init__(self, made, sizes):
        self.step, first, inputs = made(**sizes)
        self.given = inputs(1)[0]
        self.first = first
        self.compiled = []
        self.one = self.compile()
        self.carry = first()
        self.loop(1, [self.given])
        t = min(clocked(lambda: self.loop(3, [self.given] * 3), 2)) / 3
        # Runs of 30 ms, but for what takes longer.
        self.count = max(1, min(500, round(0.03 / t)))
        self.batches = inputs(self.count)
        self.each = [self.batches[i] for i in range(self.count)]
        self.many = self.scan() if self.compiled[0] < 20 else None
        self.modes = {"loop": [], "scan": []}

    def compile(self):
        import jax
        # A function of its own, so that nothing is found to be compiled already.
        jitted = jax.jit(lambda c, x: self.step(c, x), donate_argnums=0)
        carry = self.first()
        t = time.perf_counter()
        one = jitted.lower(carry, self.given).compile()
        self.compiled.append(time.perf_counter() - t)
        return one

    def scan(self):
        import jax
        many = jax.jit(lambda c, xs: jax.lax.scan(self.step, c, xs), donate_argnums=0)
        many = many.lower(self.carry, self.batches).compile()
        self.carry, _ = many(self.carry, self.batches)
        return many

    def loop(self, n, each):
        import jax
        for i in range(n):
            self.carry, value = self.one(self.carry, each[i])
        jax.block_until_ready((self.carry, value))

    def whole(self):
        import jax
        self.carry, value = self.many(self.carry, self.batches)
        jax.block_until_ready((self.carry, value))

    def times(self, seconds):
        """Times a round of both ways."""
        for name, run in (("loop", lambda: self.loop(self.count, self.each)), ("scan", self.whole)):
            if name == "scan" and self.many is None:
                continue
            once = clocked(run, 1)[0]
            reps = max(3, min(30, int(seconds / 2 / once)))
            t = [s / self.count for s in clocked(run, reps)]
            self.modes[name].append(dict(least=min(t), median=statistics.median(t)))

    def compile_again(self):
        if self.compiled[0] < 3:
            self.compile()

    def best(self):
        name = min((m for m in self.modes if self.modes[m]), key=lambda m: statistics.median(r["median"] for r in self.modes[m]))
        return name, self.modes[name]


# --- Both

def summary(rounds):
    """The median of the rounds' medians; from the least time to the largest of their medians."""
    medians = [r["median"] for r in rounds]
    return dict(median=statistics.median(medians), low=min(r["least"] for r in rounds), high=max(medians))


def spread(values):
    return dict(median=statistics.median(values), low=min(values), high=max(values))


def point(mlc, axis, sizes, rounds, seconds):
    stage = "chain" if axis == "links" else "classifier"
    peer = Jax(chain if axis == "links" else classifier, sizes)
    own = []
    for r in range(rounds):
        own.append(mlc_times(mlc, stage, sizes, seconds))
        if r > 0:
            peer.compile_again()
        peer.times(seconds)
    mode, theirs = peer.best()
    return dict(
        sizes=sizes, nodes=own[0]["nodes"], kernels=own[0]["kernels"],
        step=dict(mlc=summary(own), jax=dict(summary(theirs), mode=mode)),
        compile=dict(mlc=spread([r["compile"] for r in own]), jax=spread(peer.compiled)),
    )


def measure(mlc, rounds, seconds, limit):
    import jax
    jax.config.update("jax_platforms", "cpu")
    start = time.perf_counter()
    series = {}
    for axis, all_sizes in SERIES.items():
        series[axis] = []
        for sizes in all_sizes:
            left = limit - (time.perf_counter() - start)
            p = point(mlc, axis, sizes, rounds if left > 0 else 1, seconds)
            series[axis].append(p)
            s = p["step"]
            print(f"{axis} {sizes[axis]}: mlc {1e3 * s['mlc']['median']:.3f} ms, "
                  f"jax {1e3 * s['jax']['median']:.3f} ms ({s['jax']['mode']})", flush=True)
    return dict(date=time.strftime("%Y-%m-%d"), machine=machine(), jax=jax.__version__, rounds=rounds,
                load=round(os.getloadavg()[0], 1), series=series)


# --- The picture

TITLES = {
    ("batch", "step"): "Time of a step by batch size",
    ("width", "step"): "Time of a step by width",
    ("depth", "step"): "Time of a step by depth",
    ("depth", "compile"): "Compile time by depth",
    ("links", "step"): "Time of a step by graph size",
    ("links", "compile"): "Compile time by graph size",
}
LABELS = {
    "batch": "rows of a batch",
    "width": "units of a hidden layer",
    "depth": "hidden layers",
    "links": "links of the chain; the same work in all",
}
STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #3d444d }
  .title { font-weight: 600; font-size: 13px; fill: #1f2328 }
  .small { font-size: 11px }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .axis { stroke: #818b98; stroke-width: 1 }
  .page { fill: #ffffff }
  .mlc { stroke: #0969da } .mlc.fill { fill: #0969da; stroke: none } text.mlc { fill: #0969da; stroke: none; font-weight: 600 }
  .jax { stroke: #bc4c00 } .jax.fill { fill: #bc4c00; stroke: none } text.jax { fill: #bc4c00; stroke: none; font-weight: 600 }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round }
  .band { fill-opacity: 0.18 }
  @media (prefers-color-scheme: dark) {
    text { fill: #9da7b3 } .title { fill: #e6edf3 }
    .grid { stroke: #2a313c } .axis { stroke: #656c76 } .page { fill: #0d1117 }
    .mlc { stroke: #58a6ff } .mlc.fill, text.mlc { fill: #58a6ff }
    .jax { stroke: #f0883e } .jax.fill, text.jax { fill: #f0883e }
  }
"""
WIDE, HIGH = 336, 240  # one panel
LEFT, TOP, RIGHT, BOTTOM = 62, 34, 20, 46
HEAD = 44


def duration(s):
    for unit, k in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if s >= k * 0.9999 or unit == "µs":
            return f"{s / k:g} {unit}"


class Axes:
    """Logarithmic axes of one panel: x between the sizes, y in whole decades."""

    def __init__(self, x0, y0, xs, ys):
        self.x0, self.y0 = x0 + LEFT, y0 + TOP
        self.w, self.h = WIDE - LEFT - RIGHT, HIGH - TOP - BOTTOM
        self.low, self.high = math.log10(min(xs)), math.log10(max(xs))
        self.bottom, self.top = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))

    def x(self, v):
        return self.x0 + self.w * (math.log10(v) - self.low) / (self.high - self.low)

    def y(self, v):
        return self.y0 + self.h * (self.top - math.log10(v)) / (self.top - self.bottom)


def panel(x0, y0, axis, what, points):
    xs = [p["sizes"][axis] for p in points]
    ys = [p[what][who][k] for p in points for who in ("mlc", "jax") for k in ("low", "high")]
    a = Axes(x0, y0, xs, ys)
    out = [f'<text class="title" x="{x0 + LEFT}" y="{y0 + 20}">{TITLES[axis, what]}</text>']
    for d in range(a.bottom, a.top + 1):
        y = a.y(10.0**d)
        out.append(f'<line class="grid" x1="{a.x0}" x2="{a.x0 + a.w}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text class="small" x="{a.x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{duration(10.0**d)}</text>')
    last = -math.inf
    for v in xs:
        x = a.x(v)
        out.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{a.y0 + a.h}" y2="{a.y0 + a.h + 4}"/>')
        if x - last > 26:
            out.append(f'<text class="small" x="{x:.1f}" y="{a.y0 + a.h + 17}" text-anchor="middle">{v}</text>')
            last = x
    out.append(f'<line class="axis" x1="{a.x0}" x2="{a.x0 + a.w}" y1="{a.y0 + a.h}" y2="{a.y0 + a.h}"/>')
    out.append(f'<text class="small" x="{a.x0 + a.w / 2}" y="{a.y0 + a.h + 34}" text-anchor="middle">{LABELS[axis]}</text>')
    for who in ("jax", "mlc"):
        at = lambda k: [f"{a.x(v):.1f},{a.y(p[what][who][k]):.1f}" for v, p in zip(xs, points)]
        out.append(f'<polygon class="{who} fill band" points="{" ".join(at("low") + at("high")[::-1])}"/>')
        out.append(f'<polyline class="{who} line" points="{" ".join(at("median"))}"/>')
        for v, p in zip(xs, points):
            out.append(f'<circle class="{who} fill" cx="{a.x(v):.1f}" cy="{a.y(p[what][who]["median"]):.1f}" r="3"/>')
    return out


def rounds(data):
    n = data["rounds"]
    return f"{n} round" if n == 1 else f"{n} rounds"


def picture(data):
    columns = 3
    rows = math.ceil(len(TITLES) / columns)
    w, h = columns * WIDE, HEAD + rows * HIGH + 8
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" '
           f'aria-label="Time of a step and compile time of mlc and JAX by size">',
           f"<style>{STYLE}</style>", f'<rect class="page" width="{w}" height="{h}"/>']
    out.append(f'<line class="mlc line" x1="{LEFT}" x2="{LEFT + 24}" y1="24" y2="24"/>'
               f'<text class="mlc" x="{LEFT + 30}" y="28">mlc</text>'
               f'<line class="jax line" x1="{LEFT + 76}" x2="{LEFT + 100}" y1="24" y2="24"/>'
               f'<text class="jax" x="{LEFT + 106}" y="28">JAX</text>')
    out.append(f'<text class="small" x="{LEFT + 156}" y="28">medians; bands from the least time to the largest median of '
               f'{rounds(data)}; both axes logarithmic. {data["machine"]}, jax {data["jax"]}, {data["date"]}</text>')
    for i, (axis, what) in enumerate(TITLES):
        out += panel(i % columns * WIDE, HEAD + i // columns * HIGH, axis, what, data["series"][axis])
    return "\n".join(out + ["</svg>"]) + "\n"


# --- The table

def short(s):
    k, unit = next((k, u) for k, u in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")) if s >= k or u == "µs")
    return f"{s / k:#.3g}".rstrip(".") + f" {unit}"


def table(data):
    out = [f"{data['machine']}, jax {data['jax']}, {data['date']}, {rounds(data)}, load {data['load']} at the end.", "",
           "| | mlc, step | JAX, step | JAX / mlc | mlc, compile | JAX, compile | kernels of mlc |",
           "| --- | --- | --- | --- | --- | --- | --- |"]
    for axis, points in data["series"].items():
        for p in points:
            s, c = p["step"], p["compile"]
            name = f"{axis} {p['sizes'][axis]}" + (f", {p['sizes']['numbers']} numbers" if axis == "links" else "")
            out.append(f"| {name} | {short(s['mlc']['median'])} | {short(s['jax']['median'])} ({s['jax']['mode']}) | "
                       f"{s['jax']['median'] / s['mlc']['median']:.2f} | {short(c['mlc']['median'])} | "
                       f"{short(c['jax']['median'])} | {p['kernels']} |")
    return "\n".join(out)


def write(data):
    (HERE / "scaling.svg").write_text(picture(data))
    page = HERE / "scaling.md"
    before, rest = page.read_text().split("<!-- table -->\n", 1)
    after = rest.split("<!-- end of table -->\n", 1)[1]
    page.write_text(f"{before}<!-- table -->\n{table(data)}\n<!-- end of table -->\n{after}")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("mlc", nargs="?", default="mlc", help="the program, by default that on the path")
    a.add_argument("--rounds", type=int, default=3, help="how often each is timed, in turn")
    a.add_argument("--seconds", type=float, default=0.2, help="seconds of samples a round, about")
    a.add_argument("--limit", type=float, default=330, help="seconds after which what is left has one round")
    a.add_argument("--draw", action="store_true", help="time nothing, draw scaling.json")
    o = a.parse_args()
    kept = HERE / "scaling.json"
    if not o.draw:
        kept.write_text(json.dumps(measure(o.mlc, o.rounds, o.seconds, o.limit), indent=1) + "\n")
    write(json.loads(kept.read_text()))


if __name__ == "__main__":
    main()
