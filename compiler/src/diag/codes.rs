//! The codes of diagnostics: what each says, and what to do where a report says nothing nearer. `docs/errors.md` is made of
//! this table.

/// A class of mistakes.
pub struct Code {
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub about: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

/// All codes, ascending.
pub const CODES: &[Code] = &[
    Code {
        code: "E0001",
        about: "The text does not follow the grammar at this place.",
        hint: "the grammar is in `docs/language.md`",
    },
    Code {
        code: "E0002",
        about: "Brackets, blocks or operators are nested more deeply than the parser goes.",
        hint: "name parts of the expression with `let`",
    },
    Code {
        code: "E0003",
        about: "A bracket is not closed, or is closed by one of another kind.",
        hint: "every bracket closes in the block that opens it",
    },
    Code {
        code: "E0004",
        about: "A number is too large to be written so.",
        hint: "write a real number such as `1e20`, or work with logarithms",
    },
    Code {
        code: "E0005",
        about: "The file is not UTF-8 text.",
        hint: "save the file as UTF-8",
    },
    Code {
        code: "E0006",
        about: "The file holds a character that is no text: a control character, or one that turns the direction of writing.",
        hint: "remove it; a text has letters, spaces, tabs and line ends",
    },
    Code {
        code: "E0100",
        about: "A name is used that nothing defines here.",
        hint: "define it with `let`, `fn` or `param`, or import it with `use`",
    },
    Code {
        code: "E0101",
        about: "A `use` names a module that is neither in the standard library nor beside the pipeline.",
        hint: "put the module beside the pipeline, or see `stdlib/` for those of the library",
    },
    Code {
        code: "E0102",
        about: "A `use` names something that the module does not define.",
        hint: "see what the module defines",
    },
    Code {
        code: "E0103",
        about: "`--set` names no top-level `let` of the pipeline.",
        hint: "`--set` gives another value to a top-level `let` of the pipeline",
    },
    Code {
        code: "E0104",
        about: "A definition needs its own value.",
        hint: "a definition cannot need its own value; recursion is written with `scan`",
    },
    Code {
        code: "E0105",
        about: "A function calls itself without end.",
        hint: "write the loop with `scan`",
    },
    Code {
        code: "E0108",
        about: "Something that makes parameters is called without being declared.",
        hint: "write `net n = mlp(..)` first, then call `n`",
    },
    Code {
        code: "E0110",
        about: "A name that starts with `_` is used outside its own file.",
        hint: "use what the module offers, or rename it there",
    },
    Code {
        code: "E0111",
        about: "A file defines a name, or names a test, twice.",
        hint: "give one of them another name",
    },
    Code {
        code: "E0112",
        about: "`precision` names no precision, or does not stand once in the pipeline itself.",
        hint: "write `precision f32` or `precision f64` once, at the top of the pipeline",
    },
    Code {
        code: "E0113",
        about: "The file of a module cannot be used: it is no text file, or lies outside the pipeline's folder.",
        hint: "put the file into the pipeline's folder, or allow others with `--allow-outside`",
    },
    Code {
        code: "E0114",
        about: "A definition takes the name of a derivative, a draw or another thing that the compiler itself looks for.",
        hint: "take another name",
    },
    Code {
        code: "E0200",
        about: "A tensor is needed, and the value is something else.",
        hint: "tensors are numbers, truth values and lists of them; convert or call what is not one",
    },
    Code {
        code: "E0201",
        about: "A function is given arguments that it does not take, or lacks some that it needs.",
        hint: "`docs/language.md` lists what each function takes",
    },
    Code {
        code: "E0202",
        about: "A function has no argument of this name.",
        hint: "use one of the names that the definition declares",
    },
    Code {
        code: "E0203",
        about: "Something is called that is not a function.",
        hint: "only functions, nets, models and distributions are called",
    },
    Code {
        code: "E0204",
        about: "A pattern does not fit the value that it takes apart.",
        hint: "a pattern has as many names as the value has parts",
    },
    Code {
        code: "E0205",
        about: "A value is computed in a block and not used.",
        hint: "bind it with `let`, or remove it",
    },
    Code {
        code: "E0206",
        about: "A record, net or stage has no field of this name.",
        hint: "use one of the fields that the message lists",
    },
    Code {
        code: "E0207",
        about: "An integer must be known at compile time, and is not.",
        hint: "write an integer, or a `let` that is one; what a run computes is too late here",
    },
    Code {
        code: "E0208",
        about: "`next` or `yield` stands outside a `scan`.",
        hint: "write it in the block of a `scan`",
    },
    Code {
        code: "E0209",
        about: "There is no type of this name.",
        hint: "types are `real`, `int`, `bool`, `f32`, `f64`, tuples and records of them; a capital letter stands for any element type",
    },
    Code {
        code: "E0210",
        about: "A loop has no option of this name.",
        hint: "remove it; `for` and `scan` take generators and the options that `docs/language.md` lists",
    },
    Code {
        code: "E0211",
        about: "The unknown names of a size cannot be found from the size.",
        hint: "let each name stand alone in an argument before it is used in arithmetic",
    },
    Code {
        code: "E0212",
        about: "A carry of a `scan` changes its type from one iteration to the next.",
        hint: "begin with a value of the type that `next` gives; `unroll: true` lets a carry change",
    },
    Code {
        code: "E0213",
        about: "A body would be repeated too often.",
        hint: "leave out `unroll: true`: the loop then has one body",
    },
    Code {
        code: "E0214",
        about: "A `scan .. while` says nothing of how often it may run at most.",
        hint: "write `while cond, max: 1000 { .. }`",
    },
    Code {
        code: "E0300",
        about: "A value has another type or shape than declared.",
        hint: "change the declaration or the value, so that element types and shapes are the same",
    },
    Code {
        code: "E0301",
        about: "An operation does not take operands of these types.",
        hint: "shapes must fit exactly; nothing is broadcast but a single number",
    },
    Code {
        code: "E0302",
        about: "Two operands have different element types, or one that the operation does not take.",
        hint: "convert with `real(..)`, `int(..)` or `bool(..)`",
    },
    Code {
        code: "E0303",
        about: "Two operands have different shapes.",
        hint: "shapes must be equal, or one side a single number; go over the rows with `for`",
    },
    Code {
        code: "E0304",
        about: "A size, a range or an integer is out of bounds.",
        hint: "sizes and ranges lie between 0 and 2^31; an integer has 32 bits in a tensor, and 64 where it is known at compile time",
    },
    Code {
        code: "E0305",
        about: "Two tuples, lists or records have different structures.",
        hint: "both sides need the same structure: as many parts, with the same names",
    },
    Code {
        code: "E0306",
        about: "The sides of a matrix product do not fit.",
        hint: "`@` sums over the last axis of the left and the first of the right",
    },
    Code {
        code: "E0307",
        about: "An index or a slice does not fit its axis.",
        hint: "an axis of n elements has indices 0 to n - 1, and -1 to -n from its end",
    },
    Code {
        code: "E0308",
        about: "A loop cannot go over this value.",
        hint: "`for` goes over a tensor, a list, a tuple of them, or a range `0..n`",
    },
    Code {
        code: "E0309",
        about: "Things that a loop goes over in step have different lengths.",
        hint: "lanes in step go over things of one length",
    },
    Code {
        code: "E0310",
        about: "A condition is not one truth value.",
        hint: "go over the elements with `for`, or choose between them with `select`",
    },
    Code {
        code: "E0311",
        about: "An `if` that gives a value has no `else`.",
        hint: "add `else { .. }`",
    },
    Code {
        code: "E0312",
        about: "The two sides of an `if` have different types.",
        hint: "give both sides one type and shape",
    },
    Code {
        code: "E0313",
        about: "Axes or sizes do not fit the tensor.",
        hint: "look at the shape with `:type` in `mlc repl`",
    },
    Code {
        code: "E0314",
        about: "The lanes of a `for` together have too many elements.",
        hint: "go over fewer lanes, or sum in a `scan`",
    },
    Code {
        code: "E0315",
        about: "A matrix does not have the form that an operation of linear algebra takes.",
        hint: "matrices that are factored are `real[n, n]`; right-hand sides have as many rows",
    },
    Code {
        code: "E0320",
        about: "The letters of an `einsum` do not fit its operands.",
        hint: "each axis of an operand has a letter that nothing else binds; a letter has one size: `einsum([i, k], x[i, j], y[j, k])`",
    },
    Code {
        code: "E0330",
        about: "Compiling the program takes too much: too many expressions, or too many operations in its graph.",
        hint: "bind results with `let` instead of computing them again; loop with `for` or `scan` instead of unrolling",
    },
    Code {
        code: "E0401",
        about: "An argument of a distribution lies outside the set that is declared for it.",
        hint: "give the argument a value in the set that the distribution declares after `in`",
    },
    Code {
        code: "E0402",
        about: "A distribution declares no member of this name.",
        hint: "use one of the members that the message lists",
    },
    Code {
        code: "E0403",
        about: "A site stands outside a model and outside an `expect`.",
        hint: "write it in a `model` or an `expect`",
    },
    Code {
        code: "E0404",
        about: "What stands on the right of `~` is no distribution and no model.",
        hint: "write a distribution such as `normal(0.0, 1.0)`, or a model `m()`, on the right",
    },
    Code {
        code: "E0406",
        about: "Two sites of a model have one address.",
        hint: "give each site of a model its own name; sites of a `for` get one for each lane",
    },
    Code {
        code: "E0407",
        about: "`via` is given something that is not an estimator.",
        hint: "write an estimator's name, such as `via reparam` or `via reinforce`",
    },
    Code {
        code: "E0408",
        about: "An estimator that is marked biased is used without saying so.",
        hint: "say so: `via biased s`",
    },
    Code {
        code: "E0409",
        about: "No estimator of the library is valid at the site.",
        hint: "give the distribution a `logpdf`, or `noise` and `transform`, or name another estimator with `via`",
    },
    Code {
        code: "E0410",
        about: "A trace has no value for a site of the model.",
        hint: "give the guide a site of that name, or the model a value with `given`",
    },
    Code {
        code: "E0411",
        about: "`given` names something that is no site of the model.",
        hint: "name sites of the model, or remove the field",
    },
    Code {
        code: "E0412",
        about: "A trace has a value for something that is no open site of the model.",
        hint: "remove it from the guide, or give the model a site of that name",
    },
    Code {
        code: "E0413",
        about: "An estimator, or a distribution's member, names a condition that does not exist.",
        hint: "conditions are `smooth(k)`, `scored(d)`, `reparameterised(d)`, `finite(d)` and `measure_valued(d)`; of members all but the first, `has(d, cdf)`, `single(d)` (a draw is one number), `provided(x)`, and `not` before them",
    },
    Code {
        code: "E0414",
        about: "An estimator continues with a value of another type than the site has.",
        hint: "pass the continuation one draw of the site, with the shape of the site",
    },
    Code {
        code: "E0415",
        about: "A value for a site in a `for` has another number of entries than there are lanes.",
        hint: "give one entry for each lane",
    },
    Code {
        code: "E0416",
        about: "An estimator that uses the rest of an `expect` more than once stands in a `scan` that is not unrolled.",
        hint: "write `unroll: true` on the `scan`",
    },
    Code {
        code: "E0417",
        about: "An estimator uses its continuation otherwise than affinely: what it gives would be biased.",
        hint: "add multiples of `k(..)` only, or declare it `biased estimator`",
    },
    Code {
        code: "E0418",
        about: "The order of an estimator is not a number from 1 on.",
        hint: "write `order 1`, or a member of the distribution that is such a number",
    },
    Code {
        code: "E0419",
        about: "The estimators of an `expect` repeat it for each other's values too often.",
        hint: "use `reparam` or `reinforce` at some of the sites",
    },
    Code {
        code: "E0420",
        about: "A site is reparameterised, and its value is used discontinuously: the gradient would be wrong.",
        hint: "use `via reinforce`, which needs no smoothness",
    },
    Code {
        code: "E0421",
        about: "An estimator needs something that the distribution does not declare.",
        hint: "use another estimator, or declare what it needs in the distribution",
    },
    Code {
        code: "E0425",
        about: "A mean over the other lanes of a `for`, where there are none.",
        hint: "write it inside a `for` of two lanes or more",
    },
    Code {
        code: "E0426",
        about: "A baseline depends on the draw that it is for, so that the gradient would be biased.",
        hint: "take it from other draws, a state, or a net of what was observed",
    },
    Code {
        code: "E0430",
        about: "An operation has no derivative.",
        hint: "stop the derivative there with `stop(..)`, or write the value in another way",
    },
    Code {
        code: "E0431",
        about: "A derivative is taken with respect to something that is not a real value in scope.",
        hint: "name real values: parameters, or names that a `let` binds",
    },
    Code {
        code: "E0432",
        about: "A function of an estimate that is not affine is differentiated: its derivative would be biased.",
        hint: "move the function inside the `expect`, or write `plug_in(e)` to take the draw for the value",
    },
    Code {
        code: "E0440",
        about: "A derivative that a function states does not fit the function.",
        hint: "`with vjp(dy) { .. }` gives a cotangent for each argument of reals, `with jvp(dx, ..) { .. }` a tangent of the result",
    },
    Code {
        code: "E0444",
        about: "The support of a distribution of several elements has too many points to go over.",
        hint: "let each element be a site of its own, in a `for`, or take an estimator that does not enumerate",
    },
    Code {
        code: "E0445",
        about: "`mvd` of a distribution does not give weak derivatives.",
        hint: "it gives a list of tuples `(theta, c, plus, minus)`",
    },
    Code {
        code: "E0446",
        about: "A density that is only estimated stands where an exact one is needed.",
        hint: "use an objective that takes estimates, such as `elbo` or `iwelbo`, or an exact strategy: `enumeration()`, `quadrature(n)`",
    },
    Code {
        code: "E0447",
        about: "Logarithms of estimates are added that err to different sides: what is unbiased for a density, and what for its reciprocal.",
        hint: "score the model with `logdensity`, and take the guide's log density from `sample`, as `elbo` does",
    },
    Code {
        code: "E0450",
        about: "A model that can only be drawn from is scored, or the other way round.",
        hint: "choose a method that has both: `importance(r, n)` or `sir(q, n)` instead of `quadrature(n)` for what is drawn from",
    },
    Code {
        code: "E0451",
        about: "A model made of functions is conditioned, and then drawn from.",
        hint: "condition the model inside it, before it is made",
    },
    Code {
        code: "E0452",
        about: "A model's functions are not of the form that `generative` needs.",
        hint: "give the functions by name: `generative(sample: draw, density: score)`",
    },
    Code {
        code: "E0453",
        about: "An address names no part of the record or model, or two records have a part at one address.",
        hint: "use one of the addresses that the message lists",
    },
    Code {
        code: "E0454",
        about: "Addresses are expected, and something else is given.",
        hint: "an address begins with a dot: `.z`, `.h.w`; several stand in brackets: `[.x, .y]`",
    },
    Code {
        code: "E0455",
        about: "A function written in the language refuses what it is given.",
        hint: "the message says why, and what to give instead",
    },
    Code {
        code: "E0456",
        about: "A guide draws a site from a distribution whose support is not that of the model's site.",
        hint: "give the guide a distribution with the support of the model's site",
    },
    Code {
        code: "E0457",
        about: "Sites differ between the two sides of an `if` on a computed value, or between the items of a list.",
        hint: "give both sides the same sites, or draw above the `if`",
    },
    Code {
        code: "E0458",
        about: "`of:` does not say of how many rows the lanes of a model's plate are a sample.",
        hint: "write it on a `for` of a model with one generator: `for x in xs, of: n { .. }`, n at least the number of lanes",
    },
    Code {
        code: "E0459",
        about: "`given` has a record for a site with one value, or a value for a model within the model.",
        hint: "give sites values, and models within the model records of values: `given {x: 1.0, h: {w: 2.0}}`",
    },
    Code {
        code: "E0460",
        about: "A site is to be summed over, and its distribution does not list its values.",
        hint: "sum over sites of distributions that declare `support()`; draw the others",
    },
    Code {
        code: "E0461",
        about: "What depends on a site that is summed over would be needed where the sum ends.",
        hint: "use the site only inside its block; let a loop's carry be the site, or a function of it",
    },
    Code {
        code: "E0462",
        about: "An exact sum would go over too many combinations of values at once.",
        hint: "sum over fewer sites, and draw the others",
    },
    Code {
        code: "E0463",
        about: "A site that is to be summed over is no open site of the model.",
        hint: "name open sites of the model, after `sum:`",
    },
    Code {
        code: "E0468",
        about: "A parameter cannot be a site of a model, or not by this prior.",
        hint: "lift a parameter or net that the model's block reads, with a distribution of its shape: `lift(m, {w: normal(0.0, 1.0)})`",
    },
    Code {
        code: "E0500",
        about: "A data file cannot be read.",
        hint: "see that the path names the file you mean, and that it is complete",
    },
    Code {
        code: "E0501",
        about: "A reader of data is not given a path.",
        hint: "write `csv(\"data/file\")` or `idx(\"data/file\")`",
    },
    Code {
        code: "E0502",
        about: "The first value of a parameter depends on something known only at run time.",
        hint: "a first value is computed once, before the first step: write it with constants and `randn`",
    },
    Code {
        code: "E0503",
        about: "A parameter or state is declared inside a function.",
        hint: "move it to the top of the file",
    },
    Code {
        code: "E0504",
        about: "Parameters given to a net or to a model lack one of its own.",
        hint: "give a record with one field for each parameter, such as `net.params`",
    },
    Code {
        code: "E0505",
        about: "A `net` declaration is not given a net.",
        hint: "write a net and its compile-time arguments, such as `mlp([2, 8, 1])`",
    },
    Code {
        code: "E0506",
        about: "The parameters of a net are asked for before the types of its inputs are known.",
        hint: "declare the type of the input, such as `x: real[n]`",
    },
    Code {
        code: "E0507",
        about: "A parameter or state is not made of tensors, or a parameter not of reals.",
        hint: "parameters and states are tensors, and tuples and records of them",
    },
    Code {
        code: "E0508",
        about: "A reader of data has no such option, or the option cannot have that value.",
        hint: "`mlc doc csv` lists the options of a reader and what they may be",
    },
    Code {
        code: "E0509",
        about: "All rows of something are needed at once whose rows are on disk.",
        hint: "take batches of it in a training loop, or read some of its rows into memory: `npy(\"file\", rows: 0..1000)`",
    },
    Code {
        code: "E0520",
        about: "A `tap` stands outside a net.",
        hint: "bind the value with `let`; `tap` names values of nets",
    },
    Code {
        code: "E0521",
        about: "In `taps(e)` nothing is tapped, or in `nexts(e)` no state of a net gets a next value; or one address twice.",
        hint: "call a net whose body has a `tap`, or a `next` of its state, inside `taps(..)` or `nexts(..)`, once",
    },
    Code {
        code: "E0522",
        about: "What stands after `in` is no support of parameters.",
        hint: "write `real`, `positive`, `unit`, `interval(a, b)`, `simplex(k)`, `ordered(k)`, or a record of `constrain`, `free` and `holds`",
    },
    Code {
        code: "E0523",
        about: "The first value of a parameter lies outside its support.",
        hint: "give a first value inside the support; its ends do not count",
    },
    Code {
        code: "E0524",
        about: "A stack of nets has no size that is possible.",
        hint: "write a number of nets, at least 1",
    },
    Code {
        code: "E0525",
        about: "Something is asked of data where, or of a value that, cannot be known before a stage starts.",
        hint: "ask it in a top-level `let`, of data and what is computed from data",
    },
    Code {
        code: "E0526",
        about: "A parameter of a model is read while the model is made, so it would keep its first value.",
        hint: "read it in the function that draws or scores: `|| normal(loc, sd)`",
    },
    Code {
        code: "E0528",
        about: "In a step a net says what a state of its becomes, and nothing keeps that.",
        hint: "write `let (loss, moved) = nexts(..)` around the call of the net, then `set n.states = moved`",
    },
    Code {
        code: "E0529",
        about: "Parameters given to a net or to a model have another shape or type than its own.",
        hint: "give parameters of the same structure: the same sites, sizes and precision",
    },
    Code {
        code: "E0601",
        about: "`after` names no stage of the file.",
        hint: "name a stage of the same file",
    },
    Code {
        code: "E0602",
        about: "A statement of training stands outside a `train` stage.",
        hint: "move it into `stage s = train .. { .. }`",
    },
    Code {
        code: "E0603",
        about: "An assertion stands outside a `test`.",
        hint: "move it into `test \"..\" { .. }`",
    },
    Code {
        code: "E0605",
        about: "Stages need one another in a circle.",
        hint: "break the circle: let one of the stages do without the other's result",
    },
    Code {
        code: "E0606",
        about: "A training loop goes over something that is not a table.",
        hint: "write `for b in table.shuffle().batch(128)`",
    },
    Code {
        code: "E0607",
        about: "A number of steps, epochs or rows is not positive.",
        hint: "write a positive number of steps or epochs",
    },
    Code {
        code: "E0608",
        about: "A table has no rows.",
        hint: "see what the data holds: `log` its shape in a `compute` stage",
    },
    Code {
        code: "E0609",
        about: "Two logged values of a stage have one name.",
        hint: "give the values different names: `log a = .., b = ..`",
    },
    Code {
        code: "E0610",
        about: "A value became infinite or not a number during training. What was kept before the step is saved.",
        hint: "lower the learning rate, or look at the values in `before-nan.safetensors`",
    },
    Code {
        code: "E0611",
        about: "`set` assigns something that does not change.",
        hint: "`set` takes a `state` or a `param`",
    },
    Code {
        code: "E0612",
        about: "A state or parameter is assigned a value of another type.",
        hint: "a state or parameter keeps its type: give a value of the same shape and element type",
    },
    Code {
        code: "E0613",
        about: "An objective, or what a derivative is taken of, is not one real number.",
        hint: "take the mean or the sum: `mean(..)`",
    },
    Code {
        code: "E0614",
        about: "An objective does not depend on what it is optimised over.",
        hint: "name the parameters that the objective uses after `over`",
    },
    Code {
        code: "E0615",
        about: "There is no optimizer, or something that is not one.",
        hint: "write an optimizer of `std.optim`, such as `adam(lr: 1e-3)`",
    },
    Code {
        code: "E0616",
        about: "A stage logs no value of this name.",
        hint: "use one of the names that the message lists",
    },
    Code {
        code: "E0617",
        about: "An assertion is not one truth value.",
        hint: "for a tensor, write `all(..)`",
    },
    Code {
        code: "E0618",
        about: "A snapshot differs from what was accepted before, was never accepted, or belongs to no test.",
        hint: "if the new value is right, `mlc test FILE --accept` keeps it",
    },
    Code {
        code: "E0619",
        about: "The tolerance of a snapshot is not a number known at compile time, or below 0.",
        hint: "write `snapshot e, tol: 1e-3`",
    },
    Code {
        code: "E0620",
        about: "A stage has no step that could be profiled.",
        hint: "name a stage that trains or computes",
    },
    Code {
        code: "E0640",
        about: "A statement of a step stands in a loop, a function or a condition.",
        hint: "compute values there, and write the statement at the top of the step",
    },
    Code {
        code: "E0641",
        about: "A chain holds something other than transformations of the gradient and, last, an optimizer.",
        hint: "put the transformations first, the optimizer last: `clip_norm(1.0) |> adam(lr: 1e-3)`",
    },
    Code {
        code: "E0642",
        about: "An optimizer is called where it has no place for its states.",
        hint: "carry the states along: `let s = o.start(p)`, then `o.step(p, g, s)`",
    },
    Code {
        code: "E0643",
        about: "An optimizer asks for the objective, and there is only a gradient.",
        hint: "write `minimize e over p using ..` in place of `update`",
    },
    Code {
        code: "E0644",
        about: "The states given to an optimizer are not its own.",
        hint: "make them with `o.start(p)`, by the same optimizer for the same parameters",
    },
    Code {
        code: "E0645",
        about: "`stop when` is not given one truth value.",
        hint: "compare something: `stop when loss < 1e-3`",
    },
    Code {
        code: "E0646",
        about: "`keep` has no number to choose the best snapshot by, or stands where there is none.",
        hint: "write `keep lowest v` once in a stage, with a number or the name of a logged one, before the first update or after the last",
    },
    Code {
        code: "E0647",
        about: "After `over` stands something that is no parameter, or one parameter twice.",
        hint: "name parameters, nets, or parts of them such as `encode.layer[0]`, each once",
    },
    Code {
        code: "E0648",
        about: "The size of a batch, read between steps, is less than 1 or more than the table has rows.",
        hint: "keep it between the two: `batch(size: clip(n, 1, rows))`",
    },
    Code {
        code: "E0649",
        about: "The entries of a log differ in shape, because batches differ in size.",
        hint: "log something of one size, such as a mean or a sum over the batch",
    },
    Code {
        code: "E0650",
        about: "An argument of a stage is not known at compile time.",
        hint: "stages are applied to numbers, lists of them, functions, optimizers, and top-level names of data",
    },
    Code {
        code: "E0651",
        about: "A first value depends on the result of a stage.",
        hint: "a stage that starts from another's result is `after` it",
    },
    Code {
        code: "E0652",
        about: "A `verdict` is not given a check.",
        hint: "give it one truth value, or a record with one named `holds`: `verdict fitted(p, q)`",
    },
    Code {
        code: "E0653",
        about: "An `export` has no file of a known format, or a value that the format cannot hold.",
        hint: "write `export draws, to: \"posterior.csv\"`; `.npz` and `.json` are the other formats",
    },
    Code {
        code: "E0654",
        about: "Two stages in one `after` leave different values of one name.",
        hint: "let one of them be `after` the other",
    },
    Code {
        code: "E0700",
        about: "A construct of the language that this version does not compile.",
        hint: "the end of `docs/language.md` lists what is left out",
    },
];

/// The entry of a code, however it is written.
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|c| c.code.eq_ignore_ascii_case(code))
}

/// The page of all codes.
pub fn page() -> String {
    let mut text = String::from(
        "# Errors\n\nEvery mistake that `mlc` finds has a code. `mlc explain CODE` prints its entry. \
         This page is made from the table in `compiler/src/diag/codes.rs`.\n\n| code | what is wrong | what to do |\n|---|---|---|\n",
    );
    for c in CODES {
        text += &format!("| {} | {} | {} |\n", c.code, c.about, c.hint);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend() {
        assert!(CODES.windows(2).all(|p| p[0].code < p[1].code));
    }
}
