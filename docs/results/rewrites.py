"""Times the same computations written in different ways and says which differ by more than a tenth.

    python docs/results/rewrites.py path/to/mlc [--rounds 5] [--stages NAME ..]

times all stages of `examples/bench/rewrites.ml`, one after the other, in several rounds, and prints a Markdown table: the least time
of each form over all rounds and its ratio to that of the first form, and the median of the ratios of single rounds. A form is marked
where both are beyond a tenth. `--threads 1` leaves out what dividing work does. Needs Python alone.
"""
import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

from machine import machine

PIPELINE = Path(__file__).resolve().parent.parent.parent / "examples" / "bench" / "rewrites.ml"
BEYOND = 1.1


def a_round(mlc, threads, seconds, stages):
    words = [mlc, "bench", str(PIPELINE), *stages, "--json", "--seconds", str(seconds)]
    if threads:
        words += ["--threads", str(threads)]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "MLC_CACHE": "off"})
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr}")
    return {l["metric"]: l for l in map(json.loads, filter(lambda l: l.startswith("{"), done.stdout.splitlines()))}


def short(ns):
    k, unit = next((k, u) for k, u in ((1e6, "ms"), (1e3, "µs"), (1, "ns")) if ns >= k or u == "ns")
    return f"{ns / k:.3g} {unit}"


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("mlc", nargs="?", default="mlc", help="the program, by default that on the path")
    a.add_argument("--stages", nargs="+", default=[], help="only these stages")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--threads", type=int, help="threads of mlc, by default all cores")
    a.add_argument("--seconds", type=float, default=0.1, help="seconds of samples of a stage a round, about")
    o = a.parse_args()
    rounds = [a_round(o.mlc, o.threads, o.seconds, o.stages) for _ in range(o.rounds)]
    groups = {}
    for stage in rounds[0]:
        groups.setdefault(stage.rsplit("_", 1)[0], []).append(stage)
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}, {o.rounds} rounds, {o.threads or 'all'} threads.\n")
    print("| computation | form | least | ratio | median ratio | kernels | |\n| --- | --- | --- | --- | --- | --- | --- |")
    beyond = []
    for group, stages in groups.items():
        least = {s: min(r[s]["min_ns"] for r in rounds) for s in stages}
        for i, s in enumerate(stages):
            ratio = least[s] / least[stages[0]]
            middle = statistics.median(r[s]["min_ns"] / r[stages[0]]["min_ns"] for r in rounds)
            slower, faster = min(ratio, middle) > BEYOND, max(ratio, middle) < 1 / BEYOND
            mark = "**slower**" if slower else "faster: the first form is slow" if faster else ""
            if mark:
                beyond.append(s)
            print(f"| {group.replace('_', ', ') if i == 0 else ''} | {s.rsplit('_', 1)[1]} | {short(least[s])} | {ratio:.2f} | "
                  f"{middle:.2f} | {rounds[0][s]['kernels']} | {mark} |")
    print(f"\n{len(beyond)} of {len(rounds[0]) - len(groups)} forms differ from the first by more than a tenth.")


if __name__ == "__main__":
    main()
