"""Fits what each element-wise operation takes against an addition: the weights of `compiler/src/codegen/cost.rs`.

    python docs/results/costs.py path/to/mlc [--rounds 3] [--threads 1]

times the chains of `examples/bench/costs.ml` at four lengths each, takes the least time of each over the rounds, and fits a line by
length: its slope is the time of one call for 4096 numbers, less that of the additions and products that keep the argument where the
operation is finite. It prints a table, and match arms for `weight`. Needs Python alone.
"""
import argparse
import json
import os
import re
import subprocess
import time
from pathlib import Path

from machine import machine

ROOT = Path(__file__).resolve().parent.parent.parent
PIPELINE = ROOT / "examples" / "bench" / "costs.ml"
TABLE = ROOT / "compiler" / "src" / "codegen" / "cost.rs"
NUMBERS = 4096

# A stage's operation by its name in the compiler, and the cheap operations beside it in a link of its chain.
PLAIN = {"add": ("Add", 0), "sub": ("Sub", 0), "mul": ("Mul", 0), "div": ("Div", 0), "sqrt": ("Sqrt", 0), "mod": ("Mod", 1),
         "max": ("Max", 1), "min": ("Min", 1), "neg": ("Neg", 1), "abs": ("Abs", 1), "sign": ("Sign", 1), "floor": ("Floor", 1),
         "ceil": ("Ceil", 1), "round": ("Round", 1), "select": ("Select", 1)}
NATIVE = {"exp": ("Exp", 1), "expm1": ("Expm1", 1), "log": ("Log", 1), "log1p": ("Log1p", 1), "sin": ("Sin", 1), "cos": ("Cos", 0),
          "tanh": ("Tanh", 1), "sigmoid": ("Sigmoid", 0), "softplus": ("Softplus", 0), "pow": ("Pow", 0), "erf": ("Erf", 1),
          "erfinv": ("Erfinv", 1)}
SPECIAL = {"tan": ("Tan", 1), "asin": ("Asin", 1), "acos": ("Acos", 1), "atan": ("Atan", 1), "atan2": ("Atan2", 0),
           "sinh": ("Sinh", 1), "cosh": ("Cosh", 1), "asinh": ("Asinh", 1), "acosh": ("Acosh", 1), "atanh": ("Atanh", 1),
           "exp2": ("Exp2", 1), "log2": ("Log2", 1), "erfc": ("Erfc", 0), "erfcx": ("Erfcx", 0), "ndtr": ("Ndtr", 0),
           "log_ndtr": ("LogNdtr", 1), "ndtri": ("Ndtri", 2), "i0e": ("I0e", 0), "i1e": ("I1e", 0), "polygamma": ("Polygamma", 1),
           "logaddexp": ("Logaddexp", 0), "lbeta": ("Lbeta", 1), "gammainc": ("Gammainc", 1), "gammaincc": ("Gammaincc", 1),
           "betainc": ("Betainc", 0)}
SLOW = {"lgamma": ("Lgamma", 1), "digamma": ("Digamma", 1), "trigamma": ("Trigamma", 1),
        **{k: (f"Special(Special::{name})", extra) for k, (name, extra) in SPECIAL.items()}}
# The lengths of chains: the longer, the less a call takes.
GROUPS = [(PLAIN, (8, 16, 32, 64)), (NATIVE, (4, 8, 16, 32)), (SLOW, (1, 2, 3, 4))]


def times(mlc, names, n, threads, seconds):
    words = [mlc, "bench", str(PIPELINE), *(f"op_{k}" for k in names), "--json", "--set", f"n={n}", "--threads", str(threads),
             "--seconds", str(seconds)]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "MLC_CACHE": "off"})
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr}")
    lines = [json.loads(l) for l in done.stdout.splitlines() if l.startswith("{")]
    return {l["metric"].removeprefix("op_"): l["min_ns"] for l in lines}


def slope(lengths, ts):
    """Least squares of a line, each time by its own size: (slope, largest part by which a time is off)."""
    w = [1 / t**2 for t in ts]
    total = sum(w)
    nm = sum(a * n for a, n in zip(w, lengths)) / total
    tm = sum(a * t for a, t in zip(w, ts)) / total
    b = sum(a * (n - nm) * (t - tm) for a, n, t in zip(w, lengths, ts)) / sum(a * (n - nm) ** 2 for a, n in zip(w, lengths))
    off = max(abs(tm + b * (n - nm) - t) / t for n, t in zip(lengths, ts))
    return b, off


def present():
    """The weights of the source: by operation, and what other natives have."""
    body = TABLE.read_text().split("pub fn weight", 1)[1].split("\n}", 1)[0]
    arms, other = {}, 1
    for names, value in re.findall(r"^\s+((?:Scalar::|f if|\|).*?)=> ([\d_]+),", body, re.S | re.M):
        value = int(value.replace("_", ""))
        if "native" in names:
            other = value
        for name in re.findall(r"Scalar::(Special\(Special::\w+\)|\w+)", names):
            arms[name] = value
    return arms, other


def rounded(w):
    """To one of a few steps, so that operations of nearly one cost share an arm."""
    if w < 1.5:
        return 1
    ladder = [k * 10**d for d in range(6) for k in (1, 1.5, 2, 2.5, 3, 3.5, 4.5, 6, 7.5)]
    return int(min((v for v in ladder if v == int(v)), key=lambda v: abs(v - w) / v))


def arms(weights):
    by = {}
    for name, w in weights.items():
        by.setdefault(rounded(w), []).append(name)
    out = []
    for value in sorted(by):
        if value == 1:
            continue
        names = [f"Scalar::{n}" for n in by[value]]
        line = "        "
        for i, n in enumerate(names):
            piece = n if i == 0 else f" | {n}"
            if len(line) + len(piece) > 110:
                out.append(line)
                line, piece = "        ", f"| {n}"
            line += piece
        out.append(f"{line} => {value},")
    natives = sorted(rounded(weights[n]) for group in (NATIVE, SLOW) for n, _ in group.values())
    out.append(f"        f if native(f).is_some() => {natives[len(natives) // 2]},")
    out.append("        _ => 1,")
    return "\n".join(out)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("mlc", nargs="?", default="mlc", help="the program, by default that on the path")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--seconds", type=float, default=0.03, help="seconds of samples of a chain a round, about")
    o = a.parse_args()
    least = {}
    for _ in range(o.rounds):
        for group, lengths in GROUPS:
            for n in lengths:
                for k, t in times(o.mlc, group, n, o.threads, o.seconds).items():
                    least[k, n] = min(t, least.get((k, n), t))
    fitted = {}
    for group, lengths in GROUPS:
        for k in group:
            fitted[k] = slope(lengths, [least[k, n] for n in lengths])
    add = fitted["add"][0]
    was, other = present()
    weights = {}
    print(f"// {machine()}, load {os.getloadavg()[0]:.1f}, MLC_VECTOR={os.environ.get('MLC_VECTOR', 'best')}, {time.strftime('%Y-%m-%d')}, {o.threads} thread(s); an addition takes {1e3 * add / NUMBERS:.1f} ps a number\n")
    print("| operation | ps a number | against an addition | present weight | worst misfit |\n| --- | --- | --- | --- | --- |")
    for group, _ in GROUPS:
        for k, (name, extra) in group.items():
            b, off = fitted[k]
            weights[name] = max(0.0, b / add - extra)
            old = was.get(name, 1 if group is PLAIN else other)
            print(f"| {name} | {1e3 * (b - extra * add) / NUMBERS:.1f} | {weights[name]:.1f} | {old} | {100 * off:.0f} % |")
    worst = max(off for _, off in fitted.values())
    if worst > 0.1:
        print(f"\n// A line misses a time by {100 * worst:.0f} %: the machine was not idle, so do not keep these.")
    print(f"\n{arms(weights)}")


if __name__ == "__main__":
    main()
