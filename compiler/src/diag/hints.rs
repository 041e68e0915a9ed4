//! What to do about a diagnostic whose report says nothing nearer.

/// A sentence for each code that needs one.
const HINTS: &[(&str, &str)] = &[
    ("E0001", "the grammar is in `docs/language.md`"),
    ("E0003", "every bracket closes in the block that opens it"),
    (
        "E0100",
        "define it with `let`, `fn` or `param`, or import it with `use`",
    ),
    (
        "E0103",
        "`--set` gives another value to a top-level `let` of the pipeline",
    ),
    (
        "E0200",
        "tensors are numbers, truth values and lists of them; convert or call what is not one",
    ),
    ("E0201", "`docs/language.md` lists what each function takes"),
    (
        "E0203",
        "only functions, nets, models and distributions are called",
    ),
    (
        "E0204",
        "a pattern has as many names as the value has parts",
    ),
    (
        "E0207",
        "write an integer, or a `let` that is one; what a run computes is too late here",
    ),
    ("E0208", "write it in the block of a `scan`"),
    (
        "E0210",
        "remove it; `for` and `scan` take generators and the options that `docs/language.md` lists",
    ),
    (
        "E0300",
        "change the declaration or the value, so that element types and shapes are the same",
    ),
    (
        "E0301",
        "shapes must fit exactly; nothing is broadcast but a single number",
    ),
    ("E0302", "convert with `real(..)`, `int(..)` or `bool(..)`"),
    ("E0304", "sizes and ranges lie between 0 and 2^31"),
    (
        "E0305",
        "both sides need the same structure: as many parts, with the same names",
    ),
    (
        "E0307",
        "an axis of n elements has indices 0 to n - 1, and -1 to -n from its end",
    ),
    (
        "E0308",
        "`for` goes over a tensor, a list, a tuple of them, or a range `0..n`",
    ),
    ("E0309", "lanes in step go over things of one length"),
    ("E0311", "add `else { .. }`"),
    ("E0312", "give both sides one type and shape"),
    ("E0313", "look at the shape with `:type` in `mlc repl`"),
    (
        "E0401",
        "give the argument a value in the set that the distribution declares after `in`",
    ),
    (
        "E0404",
        "write a distribution such as `normal(0.0, 1.0)`, or a model `m()`, on the right",
    ),
    (
        "E0406",
        "give each site of a model its own name; sites of a `for` get one for each lane",
    ),
    (
        "E0407",
        "write an estimator's name, such as `via reparam` or `via reinforce`",
    ),
    ("E0411", "name sites of the model, or remove the field"),
    (
        "E0413",
        "conditions are `smooth(k)`, `scored(d)`, `reparameterised(d)`, `finite(d)` and `measure_valued(d)`",
    ),
    (
        "E0414",
        "pass the continuation one draw of the site, with the shape of the site",
    ),
    (
        "E0421",
        "use another estimator, or declare what it needs in the distribution",
    ),
    (
        "E0430",
        "stop the derivative there with `stop(..)`, or write the value in another way",
    ),
    (
        "E0431",
        "name real values: parameters, or names that a `let` binds",
    ),
    (
        "E0500",
        "see that the path names the file you mean, and that it is complete",
    ),
    (
        "E0502",
        "a first value is computed once, before the first step: write it with constants and `randn`",
    ),
    ("E0503", "move it to the top of the file"),
    (
        "E0504",
        "give a record with one field for each parameter, such as `net.params`",
    ),
    (
        "E0505",
        "write a net and its compile-time arguments, such as `mlp([2, 8, 1])`",
    ),
    ("E0602", "move it into `stage s = train .. { .. }`"),
    ("E0603", "move it into `test \"..\" { .. }`"),
    (
        "E0605",
        "break the circle: let one of the stages do without the other's result",
    ),
    ("E0607", "write a positive number of steps or epochs"),
    (
        "E0608",
        "see what the data holds: `log` its shape in a `compute` stage",
    ),
    (
        "E0609",
        "give the values different names: `log a = .., b = ..`",
    ),
    (
        "E0612",
        "a state or parameter keeps its type: give a value of the same shape and element type",
    ),
    (
        "E0614",
        "name the parameters that the objective uses after `over`",
    ),
    (
        "E0615",
        "write an optimizer of `std.optim`, such as `adam(lr: 1e-3)`",
    ),
];

/// The general hint of a code.
pub fn general(code: &str) -> Option<&'static str> {
    HINTS.iter().find(|h| h.0 == code).map(|h| h.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend() {
        assert!(HINTS.windows(2).all(|p| p[0].0 < p[1].0));
    }
}
