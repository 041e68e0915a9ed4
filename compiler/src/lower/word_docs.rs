//! What `mlc doc` says of the words of the language that are no functions: how each is written, and what it means. All of
//! them are in `docs/language.md`.

/// (word, how it is written, what it means)
pub const WORDS: &[(&str, &str, &str)] = &[
    (
        "use",
        "use std.dist.{normal, bernoulli}",
        "Names of another module: of the library, or of a file of the pipeline's folder.",
    ),
    (
        "let",
        "let pattern = e",
        "A value by a name; at the top of a file it is kept, and `--set name=e` gives another.",
    ),
    (
        "fn",
        "fn f(x: real[n], y = 1.0) = e",
        "A function; `with vjp(dy) { .. }` or `with jvp(dx) { .. }` states its derivative.",
    ),
    (
        "data",
        "data d = csv(\"file.csv\")",
        "What is read from a file, before anything runs.",
    ),
    (
        "csv",
        "csv(\"file.csv\", columns: [..], missing: drop, delimiter: \";\", names: [..], skip: 1)",
        "In `data`: a record of columns by the names of the header; gzip, too. `columns:` selects, and as a record gives types: \"int\", \"real\", \"bool\", \"levels\".",
    ),
    (
        "idx",
        "idx(\"file.idx.gz\")",
        "In `data`: a tensor in the format of MNIST; gzip, too.",
    ),
    (
        "npy",
        "npy(\"file.npy\", rows: 0..1000, on_disk: true)",
        "In `data`: a tensor in NumPy's format, or some rows of it; with `on_disk: true` batches read their rows from the file.",
    ),
    (
        "npz",
        "npz(\"file.npz\")",
        "In `data`: a record of the arrays of NumPy's archive.",
    ),
    (
        "parquet",
        "parquet(\"file.parquet\", columns: [..], missing: drop)",
        "In `data`: a record of columns; options as those of `csv`.",
    ),
    (
        "pictures",
        "pictures(\"folder\")",
        "In `data`: the PNG files of a folder, a record of `image` and, where there are subfolders, `label`.",
    ),
    (
        "safetensors",
        "safetensors(\"file.safetensors\")",
        "In `data`: a record of the tensors of a file, by address.",
    ),
    (
        "param",
        "param w in support = e",
        "A parameter: a tensor, tuple or record of reals that stages move.",
    ),
    (
        "net",
        "net n = f(..)",
        "Code with parameters of its own, made by a net's definition `net f(sizes)(x) { .. }`.",
    ),
    (
        "state",
        "state s = e",
        "A value that lasts from step to step, assigned by `set`. In a net, `next s = e` says what it becomes.",
    ),
    (
        "set",
        "set s = e",
        "Gives a state, a part of one, or a parameter a new value; at the top of a step.",
    ),
    (
        "states",
        "states.w.adam.m",
        "In an `every` or the `verdict` of a stage: what it and its optimizers keep, by address. Others read it as `stage.states`.",
    ),
    (
        "model",
        "model m(x) { z ~ d; .. }",
        "A generative model: its trace has a field for each site.",
    ),
    (
        "given",
        "m given {x: v}",
        "The model with sites fixed to values.",
    ),
    (
        "factor",
        "factor e",
        "Adds a log weight to the model's density.",
    ),
    (
        "via",
        "z ~ d via e",
        "How derivatives pass through the site: an estimator of `std.estimators`, or one's own.",
    ),
    (
        "expect",
        "expect { z ~ d; e }",
        "The expected value of a block that samples: one draw's value, and an unbiased derivative.",
    ),
    (
        "dist",
        "dist d(a, b in positive) on real { logpdf(x) = .. }",
        "A distribution, by its members.",
    ),
    (
        "estimator",
        "estimator e(d, k) where smooth(k) { .. }",
        "How gradients pass through a site; `k` is the rest of the `expect`.",
    ),
    (
        "optimizer",
        "optimizer o(lr) for p, g { .. }",
        "A step of a parameter by its gradient; `for all p, g, f` on all at once.",
    ),
    (
        "transform",
        "transform t(n) for all p, g { .. }",
        "A change of the gradient before an optimizer: `t(n) |> o`.",
    ),
    (
        "for",
        "for x in xs, i in 0..n { e }",
        "e for each entry of the leading axis, all at once.",
    ),
    (
        "scan",
        "scan (c = e) for x in xs { next c = ..; yield y }",
        "A loop that carries values; `while cond, max: n`, `unroll: true`, `checkpoint: k`.",
    ),
    (
        "if",
        "if c { a } else { b }",
        "One of two values; of a value of the run, chosen lane by lane.",
    ),
    (
        "with_key",
        "with_key(k) e",
        "e with draws that k names: equal keys draw equal numbers.",
    ),
    (
        "strict",
        "strict { e }",
        "Sums and products in index order, one element after another; no rewriting.",
    ),
    (
        "precision",
        "precision f64",
        "The element type of the pipeline's reals; at the top of the file.",
    ),
    (
        "stage",
        "stage s = train .. { .. }",
        "Something that runs: `train`, `compute` or `report`; `after` others.",
    ),
    (
        "train",
        "train b in table.shuffle().batch(n) for k epochs { .. }",
        "A stage whose body is one step; also `train for n steps { .. }`.",
    ),
    (
        "compute",
        "compute after s { let .. log .. }",
        "A stage that is run once.",
    ),
    (
        "report",
        "report after s { image .. plot .. }",
        "A stage that shows pictures and plots in the run's report.",
    ),
    (
        "minimize",
        "minimize e over a, b using o",
        "A step of the optimizer down the gradient; `maximize`: up.",
    ),
    (
        "maximize",
        "maximize e over a, b using o",
        "A step of the optimizer up the gradient; `minimize`: down.",
    ),
    (
        "update",
        "update a by g using o",
        "A step of the optimizer by a gradient that is given.",
    ),
    (
        "every",
        "every n steps { .. }",
        "What is done after each n steps or epochs: `log`, `plot`, `set`, `checkpoint`.",
    ),
    (
        "stop",
        "stop when c",
        "Ends the stage; as a function, `stop(x)` is x without derivatives.",
    ),
    (
        "keep",
        "keep lowest v",
        "The stage leaves the parameters and states with the best v.",
    ),
    (
        "skip",
        "skip nan",
        "A step that meets a value that is not a number is skipped; `max: n` says how many in a row may be.",
    ),
    (
        "verdict",
        "verdict e",
        "Whether what the stage leaves may be used: e is a truth value, or a record with `holds`.",
    ),
    (
        "export",
        "export e, to: \"file.csv\"",
        "Writes values to a file of the run's folder: CSV, NPZ, JSON for ArviZ, or safetensors, which `data` reads again.",
    ),
    (
        "test",
        "test \"name\" { assert c }",
        "What `mlc test` checks; `snapshot e` compares with a golden value, `snapshot graph e` with a graph, `snapshot diagnostics { .. }` with what is said of mistakes.",
    ),
];
