//! What `mlc doc` says of the functions that are built in. A test finds those that are missing.

/// A built-in name, how it is called, and what it gives.
pub struct Doc {
    pub name: &'static str,
    pub signature: &'static str,
    pub about: &'static str,
}

const fn doc(name: &'static str, signature: &'static str, about: &'static str) -> Doc {
    Doc {
        name,
        signature,
        about,
    }
}

/// All of them, family by family.
pub const DOCS: &[Doc] = &[
    doc("exp", "exp(x)", "The exponential, element by element."),
    doc(
        "log",
        "log(x)",
        "The natural logarithm; -inf at 0, NaN below.",
    ),
    doc("log1p", "log1p(x)", "log(1 + x), exact near 0."),
    doc("expm1", "expm1(x)", "exp(x) - 1, exact near 0."),
    doc("sqrt", "sqrt(x)", "The square root; NaN below 0."),
    doc("sin", "sin(x)", "The sine of an angle in radians."),
    doc("cos", "cos(x)", "The cosine of an angle in radians."),
    doc("tan", "tan(x)", "The tangent of an angle in radians."),
    doc(
        "asin",
        "asin(x)",
        "The angle in [-pi/2, pi/2] whose sine is x.",
    ),
    doc("acos", "acos(x)", "The angle in [0, pi] whose cosine is x."),
    doc(
        "atan",
        "atan(x)",
        "The angle in (-pi/2, pi/2) whose tangent is x.",
    ),
    doc(
        "atan2",
        "atan2(y, x)",
        "The angle of the point (x, y), in [-pi, pi].",
    ),
    doc("sinh", "sinh(x)", "The hyperbolic sine."),
    doc("cosh", "cosh(x)", "The hyperbolic cosine."),
    doc("tanh", "tanh(x)", "The hyperbolic tangent."),
    doc("asinh", "asinh(x)", "The inverse of sinh."),
    doc("acosh", "acosh(x)", "The inverse of cosh; NaN below 1."),
    doc(
        "atanh",
        "atanh(x)",
        "The inverse of tanh; NaN outside [-1, 1].",
    ),
    doc("exp2", "exp2(x)", "2 to the power of x."),
    doc("log2", "log2(x)", "The logarithm to the base 2."),
    doc("sigmoid", "sigmoid(x)", "1 / (1 + exp(-x))."),
    doc(
        "softplus",
        "softplus(x)",
        "log(1 + exp(x)), without overflow.",
    ),
    doc("erf", "erf(x)", "The error function."),
    doc("erfc", "erfc(x)", "1 - erf(x), exact where erf is near 1."),
    doc(
        "erfcx",
        "erfcx(x)",
        "exp(x^2) * erfc(x), without underflow.",
    ),
    doc("erfinv", "erfinv(x)", "The inverse of erf, on (-1, 1)."),
    doc(
        "ndtr",
        "ndtr(x)",
        "The distribution function of the standard normal.",
    ),
    doc(
        "log_ndtr",
        "log_ndtr(x)",
        "Its logarithm, finite far to the left.",
    ),
    doc("ndtri", "ndtri(p)", "Its inverse, on (0, 1)."),
    doc(
        "lgamma",
        "lgamma(x)",
        "The logarithm of the absolute value of the gamma function.",
    ),
    doc("digamma", "digamma(x)", "The derivative of lgamma."),
    doc("trigamma", "trigamma(x)", "The derivative of digamma."),
    doc(
        "polygamma",
        "polygamma(n, x)",
        "The derivative of order n of digamma; n is known at compile time.",
    ),
    doc(
        "i0e",
        "i0e(x)",
        "The modified Bessel function of order 0, times exp(-abs(x)).",
    ),
    doc(
        "i1e",
        "i1e(x)",
        "The modified Bessel function of order 1, times exp(-abs(x)).",
    ),
    doc(
        "logaddexp",
        "logaddexp(x, y)",
        "log(exp(x) + exp(y)), without overflow.",
    ),
    doc(
        "lbeta",
        "lbeta(a, b)",
        "The logarithm of the beta function.",
    ),
    doc(
        "gammainc",
        "gammainc(a, x)",
        "The regularised lower incomplete gamma function.",
    ),
    doc(
        "gammaincc",
        "gammaincc(a, x)",
        "The regularised upper incomplete gamma function.",
    ),
    doc(
        "betainc",
        "betainc(a, b, x)",
        "The regularised incomplete beta function.",
    ),
    doc("abs", "abs(x)", "The absolute value."),
    doc("sign", "sign(x)", "-1, 0 or 1."),
    doc(
        "floor",
        "floor(x)",
        "The largest whole number that is not larger.",
    ),
    doc(
        "ceil",
        "ceil(x)",
        "The smallest whole number that is not smaller.",
    ),
    doc(
        "round",
        "round(x)",
        "The nearest whole number; halves go to the even one.",
    ),
    doc(
        "max",
        "max(x, axis: none), max(x, y)",
        "The largest element, of all or along axes; or the larger of two, element by element.",
    ),
    doc(
        "min",
        "min(x, axis: none), min(x, y)",
        "The smallest element, of all or along axes; or the smaller of two, element by element.",
    ),
    doc("pow", "pow(x, y)", "x ^ y."),
    doc(
        "div",
        "div(a, b)",
        "The whole part of a quotient of integers, toward minus infinity.",
    ),
    doc("mod", "mod(a, b)", "What div leaves, with the sign of b."),
    doc(
        "real",
        "real(x)",
        "To the pipeline's real type, leaf by leaf.",
    ),
    doc(
        "int",
        "int(x)",
        "To integers of 32 bits, toward 0, leaf by leaf.",
    ),
    doc("bool", "bool(x)", "Is it not 0? Leaf by leaf."),
    doc("f32", "f32(x)", "To reals of 32 bits, leaf by leaf."),
    doc("f64", "f64(x)", "To reals of 64 bits, leaf by leaf."),
    doc(
        "is_finite",
        "is_finite(x)",
        "Neither infinite nor NaN, element by element.",
    ),
    doc(
        "select",
        "select(c, a, b)",
        "a where c is true, elsewhere b, element by element; both are computed.",
    ),
    doc(
        "bit_and",
        "bit_and(a, b)",
        "The bits that both have, of integers of 32 bits.",
    ),
    doc("bit_or", "bit_or(a, b)", "The bits that one of both has."),
    doc("bit_xor", "bit_xor(a, b)", "The bits that exactly one has."),
    doc("shift_left", "shift_left(a, n)", "The bits n places up."),
    doc(
        "shift_right",
        "shift_right(a, n)",
        "The bits n places down, the sign kept.",
    ),
    doc(
        "zeros",
        "zeros(n, ..)",
        "0.0 in a tensor of the sizes given, or of one list of sizes.",
    ),
    doc("ones", "ones(n, ..)", "1.0 in a tensor of the sizes given."),
    doc("zeros_int", "zeros_int(n, ..)", "0 in an int tensor."),
    doc("falses", "falses(n, ..)", "false in a bool tensor."),
    doc("trues", "trues(n, ..)", "true in a bool tensor."),
    doc("full", "full(v, n, ..)", "The value v in every element."),
    doc(
        "zeros_like",
        "zeros_like(x)",
        "0 in the shape of x, leaf by leaf.",
    ),
    doc(
        "ones_like",
        "ones_like(x)",
        "1 in the shape of x, leaf by leaf.",
    ),
    doc(
        "iota",
        "iota(n), iota(a..b), iota(n, m, axis: 1)",
        "0, 1, .. n - 1; a, .. b - 1; or the index along an axis.",
    ),
    doc(
        "one_hot",
        "one_hot(i, n)",
        "1.0 at each index, 0.0 elsewhere, on a new last axis of n.",
    ),
    doc(
        "take",
        "take(x, i, axis: 0)",
        "The parts of x at indices along an axis.",
    ),
    doc(
        "gather",
        "gather(x, i, axis: 0)",
        "The parts of x at indices along an axis; another name of take.",
    ),
    doc(
        "take_along",
        "take_along(x, i, axis: -1)",
        "Elements at indices along an axis, each line with indices of its own.",
    ),
    doc(
        "scatter_add",
        "scatter_add(x, at: i, values: v, axis: 0)",
        "x with values added at indices; what meets at one index adds up.",
    ),
    doc(
        "argsort",
        "argsort(x, axis: -1)",
        "The indices that sort; equal elements keep their order, NaN comes last.",
    ),
    doc(
        "concat",
        "concat([a, b], axis: 0)",
        "One after the other along an axis.",
    ),
    doc(
        "stack",
        "stack([a, b], axis: 0), stack(r)",
        "On a new axis; the fields of a record on a new last axis.",
    ),
    doc(
        "halves",
        "halves(x)",
        "The two halves of the last axis, as a tuple.",
    ),
    doc(
        "split",
        "split(t, at: n)",
        "The first n rows and the rest, leaf by leaf; at: [p, q] gives the parts between the places.",
    ),
    doc(
        "chunks",
        "chunks(x, n, axis: 0)",
        "A list of n equal parts.",
    ),
    doc("flip", "flip(x, axis: 0)", "Reversed along axes."),
    doc(
        "roll",
        "roll(x, k, axis: 0)",
        "Moved up by k; what leaves at the end comes in at the start.",
    ),
    doc(
        "repeat",
        "repeat(x, n, axis: 0)",
        "Each part n times in a row.",
    ),
    doc("tile", "tile(x, n, axis: 0)", "The whole n times."),
    doc(
        "pad",
        "pad(x, (a, b), value: 0.0, axis: none)",
        "A value before and behind each axis, or one of them; a number for both sides, a pair, or a list of pairs.",
    ),
    doc(
        "list",
        "list(0..n)",
        "A list known at compile time, of a range, of a tensor's rows or of a tuple.",
    ),
    doc("append", "append(xs, x)", "A list with one item more."),
    doc("pair", "pair(n)", "A number twice; a pair as it is."),
    doc(
        "generative",
        "generative(sample: || (t, w), density: |t| w, sites: l, name: s, exact: b)",
        "A model made of functions: one that draws a trace with the logarithm of its density, one that gives it for a trace; either may be missing. With `exact: true` these are the density; otherwise estimates: exp(-w) of `sample` of its reciprocal, exp(w) of `density` of the density itself.",
    ),
    doc(
        "exchange",
        "exchange(m, .z, |d| (e, f))",
        "The model whose site z is drawn from e in place of d, and seen as f of the draw.",
    ),
    doc(
        "lift",
        "lift(m, {w: d, n: |p| e})",
        "The model in which parameters are sites: `w` is drawn from d, and what reads it reads the draw. A prior may be a function that makes it of the parameter. A net is one site, the vector of its parameters as `flatten(n.params)` has them.",
    ),
    doc(
        "sites",
        "sites(m, only: l, without: l)",
        "A list with an entry for each open site of a model, or for those at some addresses: {at, shape, support, low, high, values}. `low` and `high` are there where the support has finite ends, `values` where they are finitely many.",
    ),
    doc(
        "only",
        "only(t, [.x, .h.w])",
        "The parts of a trace at these addresses.",
    ),
    doc(
        "without",
        "without(t, [.x, .h.w])",
        "A trace without the parts at these addresses.",
    ),
    doc(
        "merge",
        "merge(a, b)",
        "Both records in one, and records in them; no address may be in both.",
    ),
    doc(
        "place",
        "place(.h.w, v)",
        "A record with the value v at an address.",
    ),
    doc("at", "at(t, .h.w)", "What stands at an address."),
    doc(
        "exact_density",
        "exact_density(m)",
        "Are the densities of a model, and of all models in it, exact, rather than estimated? Known at compile time.",
    ),
    doc(
        "needs_exact",
        "needs_exact(m, hint: s)",
        "A mistake in the call of the function that it stands in, if the density of a model is only estimated.",
    ),
    doc(
        "refuse",
        "refuse(why, hint: s)",
        "A mistake in the call of the function that it stands in, found before anything runs.",
    ),
    doc(
        "dot",
        "dot(x, y)",
        "The sum of the products of all elements, over all leaves.",
    ),
    doc(
        "einsum",
        "einsum([i, k], x[i, j], y[j, k])",
        "A sum of products: the letters of the result, then operands with a letter for each axis.",
    ),
    doc(
        "rand",
        "rand(n, ..)",
        "Uniform draws in the open unit interval.",
    ),
    doc(
        "sum",
        "sum(x, axis: none)",
        "The sum of all elements, or along axes.",
    ),
    doc(
        "mean",
        "mean(x, axis: none)",
        "The mean of all elements, or along axes.",
    ),
    doc(
        "prod",
        "prod(x, axis: none)",
        "The product of all elements, or along axes.",
    ),
    doc("any", "any(c, axis: none)", "Is one of them true?"),
    doc("all", "all(c, axis: none)", "Are all of them true?"),
    doc(
        "argmax",
        "argmax(x, axis: none)",
        "The index of the first largest element of a vector, or along an axis.",
    ),
    doc(
        "argmin",
        "argmin(x, axis: none)",
        "The index of the first smallest element of a vector, or along an axis.",
    ),
    doc(
        "cumsum",
        "cumsum(x, axis: none)",
        "The sums so far, of a vector or along an axis.",
    ),
    doc("cumprod", "cumprod(x, axis: none)", "The products so far."),
    doc("cummax", "cummax(x, axis: none)", "The largest so far."),
    doc("cummin", "cummin(x, axis: none)", "The smallest so far."),
    doc(
        "reshape",
        "reshape(x, n, ..)",
        "The same elements in another shape; one size may be -1.",
    ),
    doc(
        "transpose",
        "transpose(x, [1, 0])",
        "Axes in another order, by default the opposite one; x.T is the same.",
    ),
    doc(
        "swapaxes",
        "swapaxes(x, a, b)",
        "Two axes in each other's place.",
    ),
    doc(
        "moveaxis",
        "moveaxis(x, from, to)",
        "One axis elsewhere; the others keep their order.",
    ),
    doc(
        "insert_axis",
        "insert_axis(x, at)",
        "A new axis of 1 before the one named; -1 is behind all.",
    ),
    doc("drop_axis", "drop_axis(x, at)", "Without an axis of 1."),
    doc(
        "flatten_rows",
        "flatten_rows(x)",
        "All axes but the first made one.",
    ),
    doc(
        "flatten",
        "flatten(x)",
        "All elements of all leaves in a row.",
    ),
    doc(
        "unflatten",
        "unflatten(v, like: r)",
        "The elements of a vector in the form of r; undoes flatten.",
    ),
    doc(
        "broadcast_to",
        "broadcast_to(x, n, ..)",
        "Repeated along new leading axes and along axes of 1, to the sizes given.",
    ),
    doc(
        "spread",
        "spread(m, like: x, axis: 0)",
        "What a reduction of x gave, repeated along its axes to the shape of x.",
    ),
    doc("shape", "shape(x)", "The sizes of the axes, a list."),
    doc("rank", "rank(x)", "The number of axes."),
    doc(
        "size",
        "size(x, axis: none)",
        "The number of elements, of all or along axes.",
    ),
    doc(
        "len",
        "len(x)",
        "The size of the first axis; the number of items of a list or tuple.",
    ),
    doc(
        "windows",
        "windows(n, size: k, stride: 1, dilation: 1)",
        "How many windows of k elements fit in n.",
    ),
    doc(
        "stop",
        "stop(x)",
        "The same value, through which no derivative passes; also of a net.",
    ),
    doc("tangent", "tangent(x)", "0, with the derivative of x."),
    doc(
        "others_mean",
        "others_mean(v)",
        "The mean of v over the other lanes of the `for` around it.",
    ),
    doc(
        "free_of",
        "free_of(v, x)",
        "v; an error if it depends on x otherwise than through other lanes.",
    ),
    doc("is_function", "is_function(v)", "Can v be called?"),
    doc(
        "assume_smooth",
        "assume_smooth(x)",
        "x, taken for smooth in what an estimator checks.",
    ),
    doc(
        "sample",
        "sample(m, strategy = none)",
        "A trace of a model, and its log density. With a strategy, all sites have this estimator, whatever they say.",
    ),
    doc(
        "logdensity",
        "logdensity(m, trace, sum: l, analytic = false)",
        "The log density of a trace under a model. The sites at the addresses `sum`, which are finite and not in the trace, are summed over. With `analytic: true`, sites drawn in the `expect` around from the same family count by their divergence, where it declares `kl`: the mean is the same.",
    ),
    doc(
        "plug_in",
        "plug_in(e)",
        "The draw of an estimate taken for its value: biased, and said so.",
    ),
    doc(
        "map",
        "map(f, x, ..)",
        "A function of each leaf, or of the leaves of several values of one form.",
    ),
    doc(
        "close",
        "close(a, b, tol)",
        "Do no two elements differ by more than tol?",
    ),
    doc(
        "grid",
        "grid(pictures, columns: 8)",
        "Pictures real[n, h, w] in a grid, for a report.",
    ),
    doc(
        "constant_schedule",
        "constant_schedule(value: v)",
        "A number as a function of the step.",
    ),
    doc(
        "cholesky",
        "cholesky(a)",
        "The lower triangular factor of a positive definite matrix, or of each of a stack.",
    ),
    doc(
        "solve_triangular",
        "solve_triangular(l, b, lower: true, transpose: false, unit: false)",
        "The x with l @ x = b, for a triangular l.",
    ),
    doc("solve", "solve(a, b)", "The x with a @ x = b."),
    doc(
        "slogdet",
        "slogdet(a)",
        "The sign of the determinant and the logarithm of its absolute value.",
    ),
    doc(
        "eigh",
        "eigh(a)",
        "Eigenvalues, ascending, and eigenvectors, in columns, of a symmetric matrix.",
    ),
    doc(
        "svd",
        "svd(a)",
        "(u, s, v) with a = u @ diag(s) @ v.T; s descending.",
    ),
    doc(
        "qr",
        "qr(a)",
        "(q, r) with a = q @ r, orthonormal columns in q and an upper triangular r.",
    ),
    doc(
        "has",
        "has(d, cdf)",
        "Does a distribution, or each of a list, have a member of this name? Known at compile time.",
    ),
    doc(
        "provided",
        "provided(x)",
        "Was the argument x given? Known at compile time.",
    ),
    doc(
        "grad",
        "grad(e, wrt: x)",
        "The derivative of one real with respect to names in scope, in their form.",
    ),
    doc(
        "value_and_grad",
        "value_and_grad(e, wrt: x)",
        "The value and its derivative, as a tuple.",
    ),
    doc(
        "jvp",
        "jvp(e, wrt: x, along: v)",
        "The derivative of e along a direction, forward.",
    ),
    doc(
        "vjp",
        "vjp(e, wrt: x, by: v)",
        "The derivative of the product of e with v, in reverse.",
    ),
    doc(
        "hvp",
        "hvp(e, wrt: x, along: v)",
        "The second derivative of one real, times a direction.",
    ),
    doc(
        "jacobian",
        "jacobian(e, wrt: x)",
        "All first derivatives: the axes of e, then those of x.",
    ),
    doc(
        "hessian",
        "hessian(e, wrt: x)",
        "All second derivatives of one real: the axes of x twice.",
    ),
    doc(
        "laplacian",
        "laplacian(e, wrt: x)",
        "The sum of the second derivatives of one real by each element of x.",
    ),
    doc("pi", "pi", "3.14159265.."),
    doc("inf", "inf", "Infinity."),
    doc("nan", "nan", "No number."),
    doc(
        "none",
        "none",
        "The default of an argument that may be left out.",
    ),
    doc(
        "drop",
        "drop",
        "last: drop leaves out the last batch where it is smaller.",
    ),
    doc(
        "filter",
        "filter(table, |r| condition)",
        "The rows of a table or tensor for which the condition holds; in a top-level `let` only.",
    ),
    doc(
        "unique",
        "unique(x)",
        "The values that occur in a tensor, ascending, each once; in a top-level `let` only.",
    ),
    doc(
        "known",
        "known(x)",
        "A number computed from data as one known at compile time, so that it can be a size; in a top-level `let` only.",
    ),
    doc(
        "within",
        "within(x, low, high)",
        "The number itself; one known at compile time that lies outside is a mistake.",
    ),
    doc(
        "taps",
        "taps(e)",
        "(the value of e, the record of what nets called in it `tap`), which a derivative can be taken by.",
    ),
    doc(
        "nexts",
        "nexts(e)",
        "(the value of e, the record of what states of nets called in it become), which a step can `set`: `set n.states = r`.",
    ),
    doc(
        "randint",
        "randint(low, high, sizes..)",
        "Integers drawn uniformly from low to high - 1; biased by less than 2^-52.",
    ),
];

#[cfg(test)]
mod tests {
    use super::DOCS;
    use std::collections::BTreeSet;

    #[test]
    fn every_built_in_name_is_documented_once() {
        let known: BTreeSet<&str> = super::super::builtins::names().collect();
        let told: BTreeSet<&str> = DOCS.iter().map(|d| d.name).collect();
        assert_eq!(known, told);
        assert_eq!(DOCS.len(), told.len());
    }
}
