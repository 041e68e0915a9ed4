//! Loop nests with reductions: machine code against the interpreter, and one thread against several.

use super::operations::{Words, assert_close, bytes, run_compiled, run_with, values};
use mlc_compiler::codegen::Natives;
use mlc_compiler::interp::{Tensor, eval};
use mlc_compiler::ir::{Attr, DType, Graph, Type, Value};
use mlc_compiler::ops::{self, Domain, OpDef};
use mlc_runtime::kernels::{natives, set_threads};

/// `tanh(x + b)` and `x * b`, with reductions of each over the rows, the columns and everything.
fn graph(dtype: DType, rows: usize, columns: usize, by_row: bool) -> (Graph, Vec<Type>) {
    let mut g = Graph::new();
    let whole = Type::new(dtype, vec![rows, columns]);
    let part = Type::new(dtype, vec![if by_row { columns } else { rows }]);
    let x = g.input("x", whole.clone());
    let b = g.input("b", part.clone());
    let b = g.broadcast(b, whole.shape.clone(), vec![usize::from(by_row)]);
    let sum = g.add2(x, b);
    let t = g.add(&ops::TANH, Attr::None, &[sum]);
    let m = g.mul(x, b);
    let mut outputs = vec![t];
    let reductions: [&'static OpDef; 4] = [&ops::SUM, &ops::MAX_OVER, &ops::MIN_OVER, &ops::PROD];
    for (y, def) in [t, m, t, m].into_iter().zip(reductions) {
        for axes in [vec![0], vec![1], vec![0, 1]] {
            outputs.push(g.add(def, Attr::Axes(axes), &[y]));
        }
    }
    g.outputs = outputs
        .into_iter()
        .enumerate()
        .map(|(i, v): (usize, Value)| (format!("y{i}"), v))
        .collect();
    (g, vec![whole, part])
}

/// Tensors of these types, of numbers between -1.5 and 1.5.
fn drawn(types: &[Type], seed: u64) -> Vec<Tensor> {
    let mut words = Words(seed);
    let tensor = |ty: &Type| {
        let domain = Domain::Between(-1.5, 1.5);
        Tensor::new(ty.clone(), values(ty, domain, &mut words))
    };
    types.iter().map(tensor).collect()
}

#[test]
fn reductions_in_nests_agree_with_the_interpreter_for_any_threads() {
    let shapes = [
        (96, 64),
        (1, 5000),
        (7, 700),
        (40, 33),
        (3000, 48),
        (5, 3),
        (50, 10),
        (33, 16),
        (70, 8),
        (64, 784),
        (1, 1),
        (0, 40),
        (40, 0),
    ];
    for (rows, columns) in shapes {
        for (dtype, tolerance) in [(DType::F32, 2e-4), (DType::F64, 1e-9)] {
            for by_row in [true, false] {
                let (g, types) = graph(dtype, rows, columns, by_row);
                let inputs = drawn(&types, 17);
                set_threads(1);
                let one = run_compiled(&g, &inputs);
                set_threads(3);
                let three = run_compiled(&g, &inputs);
                for (i, (exact, y)) in eval(&g, &inputs).iter().zip(&one).enumerate() {
                    let what =
                        format!("output {i} of {rows} x {columns}, {dtype:?}, by rows {by_row}");
                    assert_close(exact, y, tolerance, &what);
                    assert_eq!(bytes(y), bytes(&three[i]), "{what}: threads");
                }
            }
        }
    }
}

/// Narrow rows, of which several fit into a vector: what is one for each column or row is read with them, and truth values.
fn narrow(rows: usize, columns: usize) -> (Graph, Vec<Type>) {
    let mut g = Graph::new();
    let shape = vec![rows, columns];
    let whole = Type::new(DType::F32, shape.clone());
    let (of_row, of_column) = (
        Type::new(DType::F32, vec![rows]),
        Type::new(DType::F32, vec![columns]),
    );
    let x = g.input("x", whole.clone());
    let r = g.input("r", of_row.clone());
    let c = g.input("c", of_column.clone());
    let r = g.broadcast(r, shape.clone(), vec![0]);
    let c = g.broadcast(c, shape.clone(), vec![1]);
    let moved = g.sub(x, r);
    let scaled = g.mul(moved, c);
    let e = g.add(&ops::EXP, Attr::None, &[scaled]);
    let above = g.add(&ops::LT, Attr::None, &[c, e]);
    let y = g.add(&ops::SELECT, Attr::None, &[above, e, r]);
    g.outputs = [("e", e), ("above", above), ("y", y)]
        .map(|(n, v)| (n.to_string(), v))
        .to_vec();
    (g, vec![whole, of_row, of_column])
}

#[test]
fn narrow_rows_agree_with_the_interpreter() {
    for columns in 1..=9 {
        for rows in [2, 16, 33, 50, 64] {
            let (g, types) = narrow(rows, columns);
            let inputs = drawn(&types, 29);
            for (exact, y) in eval(&g, &inputs).iter().zip(&run_compiled(&g, &inputs)) {
                assert_close(exact, y, 1e-5, &format!("{rows} x {columns}"));
            }
        }
    }
}

/// A softmax of rows and its derivative, with what each row's reductions leave read back along the row: by arithmetic, by native
/// kernels, and by reductions of columns and of everything.
fn softmax(dtype: DType, rows: usize, columns: usize, vector: bool) -> (Graph, Vec<Type>) {
    let mut g = Graph::new();
    let (shape, axis) = if vector {
        (vec![columns], 0)
    } else {
        (vec![rows, columns], 1)
    };
    let whole = Type::new(dtype, shape.clone());
    let weights = Type::new(dtype, vec![columns]);
    let x = g.input("x", whole.clone());
    let ct = g.input("ct", whole.clone());
    let w = g.input("w", weights.clone());
    let along = |g: &mut Graph, v: Value| {
        let axes = if vector { vec![] } else { vec![0] };
        g.broadcast(v, shape.clone(), axes)
    };
    let reduce =
        |g: &mut Graph, def: &'static OpDef, v: Value| g.add(def, Attr::Axes(vec![axis]), &[v]);
    let highest = reduce(&mut g, &ops::MAX_OVER, x);
    let finite = g.add(&ops::IS_FINITE, Attr::None, &[highest]);
    let zero = g.constant_like(0.0, highest);
    let shift = g.add(&ops::SELECT, Attr::None, &[finite, highest, zero]);
    let shifts = along(&mut g, shift);
    let moved = g.add(&ops::SUB, Attr::None, &[x, shifts]);
    let e = g.add(&ops::EXP, Attr::None, &[moved]);
    let total = reduce(&mut g, &ops::SUM, e);
    let log = g.add(&ops::LOG, Attr::None, &[total]);
    let log = g.add2(log, shift);
    let logs = along(&mut g, log);
    let low = g.add(&ops::SUB, Attr::None, &[x, logs]);
    let p = g.add(&ops::EXP, Attr::None, &[low]);
    let native = g.add(&ops::POW, Attr::None, &[p, logs]);
    let back = g.mul(p, ct);
    let inner = reduce(&mut g, &ops::SUM, back);
    let inner = along(&mut g, inner);
    let off = g.add(&ops::SUB, Attr::None, &[ct, inner]);
    let dx = g.mul(p, off);
    let axes = if vector { vec![0] } else { vec![1] };
    let w = g.broadcast(w, shape.clone(), axes);
    let scaled = g.mul(w, dx);
    let mut outputs = vec![p, log, native, dx, scaled];
    if !vector {
        outputs.push(g.add(&ops::SUM, Attr::Axes(vec![0]), &[scaled]));
        outputs.push(g.add(&ops::SUM, Attr::Axes(vec![0]), &[ct]));
        outputs.push(g.add(&ops::MAX_OVER, Attr::Axes(vec![0, 1]), &[native]));
    }
    g.outputs = outputs
        .into_iter()
        .enumerate()
        .map(|(i, v)| (format!("y{i}"), v))
        .collect();
    (g, vec![whole.clone(), whole, weights])
}

#[test]
fn rows_in_one_pass_agree_with_the_interpreter_for_any_threads() {
    let shapes = [
        (96, 64),
        (7, 700),
        (40, 33),
        (50, 10),
        (33, 16),
        (70, 8),
        (3000, 48),
        (3, 4096),
        (3, 4097),
        (1, 700),
        (1, 40),
        (1, 1),
        (5, 3),
        (0, 40),
    ];
    for (rows, columns) in shapes {
        for (dtype, tolerance) in [(DType::F32, 2e-4), (DType::F64, 1e-9)] {
            for vector in [true, false] {
                let (g, types) = softmax(dtype, rows, columns, vector);
                let inputs = drawn(&types, 23);
                set_threads(1);
                let one = run_compiled(&g, &inputs);
                set_threads(3);
                let three = run_compiled(&g, &inputs);
                for (i, (exact, y)) in eval(&g, &inputs).iter().zip(&one).enumerate() {
                    let what =
                        format!("output {i} of {rows} x {columns}, {dtype:?}, vector {vector}");
                    assert_close(exact, y, tolerance, &what);
                    assert_eq!(bytes(y), bytes(&three[i]), "{what}: threads");
                }
            }
        }
    }
}

/// Normal numbers less the mean of their row, and sums of them; the words too if they are `kept`. The number of the site is an
/// operand if `lifted`.
fn draws(rows: usize, columns: usize, kept: bool, lifted: bool) -> (Graph, Vec<Tensor>) {
    let mut g = Graph::new();
    let int = |n: usize| Type::new(DType::I32, vec![n]);
    let mut operands = vec![g.input("seed", int(2)), g.input("counters", int(3))];
    let mut inputs = vec![
        Tensor::new(int(2), vec![12345.0, -77.0]),
        Tensor::new(int(3), vec![41.0, 3.0, 5.0]),
    ];
    if lifted {
        operands.push(g.input("site", int(2)));
        inputs.push(Tensor::new(int(2), vec![-3.0, 9.0]));
    }
    let shape = vec![rows, columns];
    let draw = Attr::Draw {
        site: 7,
        shape: shape.clone(),
    };
    let bits = g.add(&ops::RANDOM_BITS, draw, &operands);
    let unit = g.add(&ops::BITS_TO_UNIT, Attr::DType(DType::F32), &[bits]);
    let two = g.constant_like(2.0, unit);
    let one = g.constant_like(1.0, unit);
    let wide = g.mul(two, unit);
    let centred = g.add(&ops::SUB, Attr::None, &[wide, one]);
    let normal = g.add(&ops::ERFINV, Attr::None, &[centred]);
    let sum = g.add(&ops::SUM, Attr::Axes(vec![1]), &[normal]);
    let count = g.constant_like(columns as f64, sum);
    let mean = g.add(&ops::DIV, Attr::None, &[sum, count]);
    let mean = g.broadcast(mean, shape, vec![0]);
    let off = g.add(&ops::SUB, Attr::None, &[normal, mean]);
    let down = g.add(&ops::SUM, Attr::Axes(vec![0]), &[normal]);
    let mut outputs = vec![off, down];
    outputs.extend(Some(bits).filter(|_| kept));
    g.outputs = outputs
        .into_iter()
        .enumerate()
        .map(|(i, v)| (format!("y{i}"), v))
        .collect();
    (g, inputs)
}

#[test]
fn draws_in_nests_are_the_words_of_the_whole_stream() {
    let shapes = [
        (2048, 65),
        (190, 701),
        (1, 140_001),
        (33, 4097),
        (64, 33),
        (1, 3),
        (40, 5),
        (0, 64),
    ];
    for (rows, columns) in shapes {
        for (kept, lifted) in [(false, false), (true, true), (true, false)] {
            let (g, inputs) = draws(rows, columns, kept, lifted);
            set_threads(1);
            let one = run_compiled(&g, &inputs);
            set_threads(3);
            let three = run_compiled(&g, &inputs);
            for (i, (exact, y)) in eval(&g, &inputs).iter().zip(&one).enumerate() {
                let what = format!("output {i} of {rows} x {columns}, {kept}, {lifted}");
                assert_close(exact, y, if i == 2 { 0.0 } else { 2e-4 }, &what);
                assert_eq!(bytes(y), bytes(&three[i]), "{what}: threads");
            }
        }
    }
}

#[test]
fn many_draws_are_made_in_the_nest_that_uses_them() {
    assert_eq!(units(&draws(2048, 64, false, true).0).len(), 1);
    assert!(units(&draws(1, 40, false, false).0).contains(&"call".into()));
}

#[test]
fn what_is_computed_together_has_the_same_bits_as_apart() {
    let unfused = Natives {
        fuses: false,
        ..natives()
    };
    // Sums of columns (5 and 6) may be associated in other ways.
    for (rows, columns) in [(7, 700), (40, 33), (3, 4096), (1, 700), (5, 3)] {
        for dtype in [DType::F32, DType::F64] {
            for vector in [true, false] {
                let (g, types) = softmax(dtype, rows, columns, vector);
                let inputs = drawn(&types, 29);
                let (together, apart) = (run_compiled(&g, &inputs), run_with(&g, unfused, &inputs));
                let both = together.iter().zip(&apart).enumerate();
                for (i, (x, y)) in both.filter(|(i, _)| ![5, 6].contains(i)) {
                    let what = format!("output {i} of {rows} x {columns}, {dtype:?}, {vector}");
                    assert_eq!(bytes(x), bytes(y), "{what}");
                }
            }
        }
    }
}

/// What the graph is compiled to, without the names of its nodes.
fn units(g: &Graph) -> Vec<String> {
    let text = mlc_compiler::codegen::describe(g);
    let nest = |line: &str| line.split(':').next().unwrap_or_default().to_string();
    text.lines().map(nest).collect()
}

#[test]
fn rows_are_worked_on_in_one_pass_where_they_are_short() {
    let (short, _) = softmax(DType::F32, 64, 1024, false);
    let loops = |g: &Graph| units(g).iter().filter(|u| u.contains(" x 1024")).count();
    assert_eq!(loops(&short), 1);
    assert!(
        units(&short)
            .iter()
            .any(|u| u.starts_with("loop by row 64 x 1024"))
    );
    let (vector, _) = softmax(DType::F32, 1, 1024, true);
    assert_eq!(loops(&vector), 1);
    let (long, _) = softmax(DType::F32, 64, 8192, false);
    assert!(units(&long).iter().all(|u| !u.contains("by row")));
}

#[test]
fn products_do_not_depend_on_threads() {
    let mut g = Graph::new();
    let (m, k, n) = (130, 517, 260);
    let a = g.input("a", Type::new(DType::F32, vec![m, k]));
    let b = g.input("b", Type::new(DType::F32, vec![k, n]));
    let attr = Attr::Contract(mlc_compiler::ir::Contract {
        batch: vec![],
        sum: vec![(1, 0)],
    });
    let y = g.add(&ops::CONTRACT, attr, &[a, b]);
    g.outputs = vec![("y".into(), y)];
    let mut words = Words(5);
    let inputs: Vec<Tensor> = [a, b]
        .map(|v| {
            Tensor::new(
                g.ty(v).clone(),
                values(g.ty(v), Domain::Between(-1.0, 1.0), &mut words),
            )
        })
        .to_vec();
    set_threads(1);
    let one = run_compiled(&g, &inputs);
    set_threads(4);
    let four = run_compiled(&g, &inputs);
    assert_eq!(bytes(&one[0]), bytes(&four[0]));
    assert_close(&eval(&g, &inputs)[0], &one[0], 1e-3, "a product");
}

fn product(g: &mut Graph, a: Value, b: Value) -> Value {
    let attr = Attr::Contract(mlc_compiler::ir::Contract {
        batch: vec![],
        sum: vec![(1, 0)],
    });
    g.add(&ops::CONTRACT, attr, &[a, b])
}

/// A product, of which a nest takes what is positive; a product of that with another matrix, and its softmax along the rows. With
/// `shared`, what the nests read is also summed up by what they do not need for that.
fn chain(dtype: DType, rows: usize, columns: usize, shared: bool) -> (Graph, Vec<Type>) {
    let mut g = Graph::new();
    let types = [[rows, 24], [24, columns], [columns, columns]];
    let types = types.map(|shape| Type::new(dtype, shape.to_vec()));
    let [a, b, c] = ["a", "b", "c"]
        .into_iter()
        .zip(types.clone())
        .map(|(name, ty)| g.input(name, ty))
        .collect::<Vec<_>>()[..]
    else {
        unreachable!("three inputs");
    };
    let p = product(&mut g, a, b);
    let zero = g.constant_like(0.0, p);
    let t = g.add(&ops::MAX, Attr::None, &[p, zero]);
    let q = product(&mut g, t, c);
    let shape = g.ty(q).shape.clone();
    let along = |g: &mut Graph, def, x| {
        let one = g.add(def, Attr::Axes(vec![1]), &[x]);
        g.broadcast(one, shape.clone(), vec![0])
    };
    let most = along(&mut g, &ops::MAX_OVER, q);
    let less = g.add(&ops::SUB, Attr::None, &[q, most]);
    let e = g.add(&ops::EXP, Attr::None, &[less]);
    let sum = along(&mut g, &ops::SUM, e);
    let s = g.add(&ops::DIV, Attr::None, &[e, sum]);
    let mut outputs = vec![s];
    if shared {
        for x in [p, q] {
            let square = g.mul(x, x);
            outputs.push(g.add(&ops::SUM, Attr::Axes(vec![0]), &[square]));
        }
    }
    let named = |(i, v): (usize, Value)| (format!("y{i}"), v);
    g.outputs = outputs.into_iter().enumerate().map(named).collect();
    (g, types.to_vec())
}

#[test]
fn what_is_read_for_the_last_time_is_written_over() {
    // Of more rows, the products and nests are a chain that keeps a panel of them.
    let (rows, columns) = (60, 2000);
    let alive = |shared| {
        let (g, _) = chain(DType::F32, rows, columns, shared);
        let all = mlc_compiler::codegen::footprints(&g, natives());
        all.last().expect("that of the graph").alive_bytes / (rows * columns * 4)
    };
    // What is positive stands where the first product did, and the softmax and the second product where it belongs.
    assert_eq!(alive(false), 1);
    assert!(alive(true) > 1);
}

#[test]
fn writing_over_what_is_read_changes_nothing() {
    for (rows, columns) in [
        (600, 200),
        (60, 2000),
        (77, 33),
        (1, 1500),
        (5, 4096),
        (2000, 3),
    ] {
        for (dtype, tolerance) in [(DType::F32, 1e-3), (DType::F64, 1e-9)] {
            for shared in [false, true] {
                let (g, types) = chain(dtype, rows, columns, shared);
                let inputs = drawn(&types, 41);
                set_threads(1);
                let one = run_compiled(&g, &inputs);
                set_threads(3);
                let three = run_compiled(&g, &inputs);
                for (i, (exact, y)) in eval(&g, &inputs).iter().zip(&one).enumerate() {
                    let what = format!("output {i} of {rows} x {columns}, {dtype:?}, {shared}");
                    assert_close(exact, y, tolerance, &what);
                    assert_eq!(bytes(y), bytes(&three[i]), "{what}: threads");
                }
            }
        }
    }
}
