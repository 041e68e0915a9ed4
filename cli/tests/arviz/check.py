"""Loads what `posterior.ml` exported with ArviZ and NumPy: `check.py FOLDER`.

Ends with 0 if all is as it should be, with 77 if ArviZ is not installed (`pip install arviz`).
"""

import csv
import sys
import warnings

warnings.simplefilter("ignore")
try:
    import arviz
    import numpy
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

folder = sys.argv[1]

data = arviz.from_json(f"{folder}/inference.json")
mu = data.posterior["mu"].values
assert mu.shape == (1, 500), mu.shape
assert data.posterior_predictive["y"].values.shape == (1, 500, 5)
assert data.observed_data["y"].values.shape == (5,)
assert numpy.allclose(data.observed_data["y"].values, [0.3, 1.2, 0.8, 1.9, 0.1])
assert data.attrs["inference_library"] == "mlc"
# Six standard errors.
assert abs(mu.mean() - 4.3 / 6) < 6 * (1 / 6) ** 0.5 / 500**0.5
summary = arviz.summary(data, var_names=["mu"])
assert summary.loc["mu", "ess_bulk"] > 300, summary

arrays = numpy.load(f"{folder}/all.npz")
assert sorted(arrays.files) == ["posterior.mu", "posterior_predictive.y"], arrays.files
assert arrays["posterior.mu"].dtype == numpy.float32
assert numpy.array_equal(arrays["posterior.mu"], mu[0].astype(numpy.float32))
predictive = data.posterior_predictive["y"].values[0].astype(numpy.float32)
assert numpy.array_equal(arrays["posterior_predictive.y"], predictive)

with open(f"{folder}/posterior.csv", newline="") as file:
    rows = list(csv.reader(file))
assert rows[0] == ["mu"] and len(rows) == 501
assert numpy.array_equal(numpy.float32([r[0] for r in rows[1:]]), arrays["posterior.mu"])
print("ArviZ", arviz.__version__, "loads them")
