//! `scan`: a loop node with a body of its own, or the body repeated (`unroll: true`).
//!
//! The body of a loop is traced once, like that of a `for`, for stand-ins of the index, the carries and the slices; then what
//! depends on them is cut out of the graph. What does not stays outside and is captured. Derivatives inside the body are
//! taken before.

use super::eval::Frame;
use super::leaves::{leaves, map_leaves};
use super::models::{Lane, Marks};
use super::session::{R, Session, rc};
use super::value::{Env, Val};
use crate::ir::{Attr, DType, Type, Value};
use crate::ops;
use mlc_grammar::ast::{self, Expr, Pattern, PatternKind, ScanKind};
use mlc_grammar::span::Span;
use std::collections::HashMap;

/// More iterations than this are not unrolled.
const MAX_UNROLL: usize = 4096;

/// What an iteration gives.
pub(super) struct Step {
    pub next: Vec<Val>,
    pub yields: Vec<Val>,
    /// Whether to go on, for `scan .. while`.
    pub go: Option<Value>,
}

/// What a whole loop gives.
pub(super) struct Swept {
    pub carries: Vec<Val>,
    pub yields: Vec<Val>,
}

/// One iteration, for stand-ins of its index, slices and carries.
pub(super) type Run<'a> = dyn FnMut(&mut Session, Value, &[Value], &[Val]) -> R<Step> + 'a;

/// The options of a `scan`.
#[derive(Default)]
struct Options {
    unroll: bool,
    checkpoint: Option<usize>,
    max: Option<usize>,
}

impl Session {
    pub(super) fn eval_scan(&mut self, sc: &'static ast::Scan, env: &Env, span: Span) -> R<Val> {
        let options = self.scan_options(sc, env)?;
        let mut carries = Vec::new();
        for (_, e) in &sc.carries {
            carries.push(self.eval(e, env)?);
        }
        let tapped = |s: &Self| s.taps.iter().map(|t| t.entries.len()).sum::<usize>();
        let before = tapped(self);
        let swept = match &sc.kind {
            ScanKind::While(cond) => self.scan_while(sc, cond, &options, carries, env, span)?,
            ScanKind::For(generators) if options.unroll => {
                self.unrolled(sc, generators, carries, env, span)?
            }
            ScanKind::For(generators) => {
                self.swept(sc, generators, &options, carries, env, span)?
            }
        };
        if !options.unroll && tapped(self) > before {
            // What an iteration taps is no value outside it.
            return Err(self.unsupported(
                "a `tap`, or a `next` of a state, in a `scan` that is not unrolled",
                span,
            ));
        }
        let patterns: Vec<&'static Pattern> = sc.carries.iter().map(|c| &c.0).collect();
        let mut carries = swept.carries;
        let value = if carries.len() == 1 {
            carries.swap_remove(0)
        } else {
            let named = patterns
                .iter()
                .zip(carries)
                .filter_map(|(p, v)| match &p.kind {
                    PatternKind::Name(n) => Some((rc(n), v)),
                    _ => None,
                });
            Val::record(named.collect())
        };
        Ok(match swept.yields.len() {
            0 => value,
            _ => Val::tuple(vec![
                value,
                self.stack_yields(swept.yields, options.unroll, span)?,
            ]),
        })
    }

    /// Yields of an unrolled loop are stacked; those of a loop are stacked already.
    fn stack_yields(&mut self, mut yields: Vec<Val>, unrolled: bool, span: Span) -> R<Val> {
        if unrolled {
            self.stack_vals(&yields, span)
        } else {
            Ok(yields.swap_remove(0))
        }
    }

    fn scan_options(&mut self, sc: &'static ast::Scan, env: &Env) -> R<Options> {
        let mut o = Options::default();
        for (name, value) in &sc.options {
            let v = self.eval(value, env)?;
            let positive = match v {
                Val::Int(n) if n > 0 => usize::try_from(n).ok(),
                _ => None,
            };
            match (name.text.as_str(), &v, positive) {
                ("unroll", Val::Bool(b), _) => o.unroll = *b,
                ("checkpoint", _, Some(n)) => o.checkpoint = Some(n),
                ("max", _, Some(n)) => o.max = Some(n),
                ("checkpoint" | "max", _, None) => {
                    let title =
                        format!("`{}` is a positive number known at compile time", name.text);
                    return Err(Box::new(self.err("E0210", title, value.span)));
                }
                ("unroll", ..) => {
                    let title = "`unroll` is `true` or `false`";
                    return Err(Box::new(self.err("E0210", title, value.span)));
                }
                (other, ..) => {
                    let title = format!("`scan` has no option `{other}`");
                    return Err(Box::new(self.err("E0210", title, name.span).hint(
                        "it has `unroll: true`, `checkpoint: k`, and with `while` `max: n`",
                    )));
                }
            }
        }
        let bounded = matches!(sc.kind, ScanKind::While(_));
        if o.max.is_some() && !bounded {
            let title = "`max` bounds a `scan .. while`; a `for` has its number of iterations";
            return Err(Box::new(self.err("E0210", title, sc.body.span)));
        }
        Ok(o)
    }

    /// The body, run in a scope where the carries and `bind` have bound their names.
    fn iteration(
        &mut self,
        sc: &'static ast::Scan,
        carries: &[Val],
        env: &Env,
        bind: &mut dyn FnMut(&mut Self, &Env) -> R<()>,
    ) -> R<(Vec<Val>, Vec<Val>)> {
        let inner = env.child();
        for ((p, _), v) in sc.carries.iter().zip(carries) {
            self.bind_pattern(p, v.clone(), &inner)?;
        }
        bind(self, &inner)?;
        self.scans.push(HashMap::new());
        self.yields.push(Vec::new());
        let done = self.eval_stmts(&sc.body.stmts, &inner.child());
        let next = self.scans.pop().unwrap_or_default();
        let yields = self.yields.pop().unwrap_or_default();
        done?;
        let next = sc
            .carries
            .iter()
            .zip(carries)
            .map(|((p, _), v)| next_carry(p, v.clone(), &next))
            .collect();
        Ok((next, yields))
    }

    /// A loop over generators, the first outermost.
    fn swept(
        &mut self,
        sc: &'static ast::Scan,
        generators: &'static [(Pattern, Expr)],
        options: &Options,
        carries: Vec<Val>,
        env: &Env,
        span: Span,
    ) -> R<Swept> {
        let frames: Vec<Frame> = self.frames.clone();
        let Some(((pattern, source), rest)) = generators.split_first() else {
            return Err(Box::new(self.err(
                "E0308",
                "there is nothing to go over",
                span,
            )));
        };
        let source_val = self.eval(source, env)?;
        let start = match source_val {
            Val::Range(a, _) => Some(a),
            _ => None,
        };
        let mut lanes: Vec<(Value, Value)> = Vec::new();
        let (n, lane) = self.make_lane(&source_val, source.span, &mut lanes)?;
        if start.is_some() {
            // The index is the loop's own.
            lanes.clear();
        }
        let fulls: Vec<Value> = lanes.iter().map(|l| l.1).collect();
        let checkpoint = options.checkpoint;
        let mut run = |s: &mut Self, index: Value, slices: &[Value], carries: &[Val]| {
            // Each trace of the body draws from the same streams.
            s.frames.clone_from(&frames);
            let item = match start {
                Some(0) => Val::Tensor(index),
                Some(a) => {
                    let first = s.literal(&Val::Int(a), DType::I32, &[]);
                    Val::Tensor(s.op(&ops::ADD, Attr::None, &[index, first], span)?)
                }
                None => {
                    let of: HashMap<Value, Value> = lanes
                        .iter()
                        .map(|l| l.0)
                        .zip(slices.iter().copied())
                        .collect();
                    map_leaves(&lane, &mut |t| of.get(&t).copied().unwrap_or(t))
                }
            };
            s.counters.push(index);
            let result = if rest.is_empty() {
                s.iteration(sc, carries, env, &mut |s, inner| {
                    s.bind_pattern(pattern, item.clone(), inner)
                })
            } else {
                let inner = env.child();
                s.bind_pattern(pattern, item, &inner)?;
                s.swept(
                    sc,
                    rest,
                    &Options::default(),
                    carries.to_vec(),
                    &inner,
                    span,
                )
                .map(|w| (w.carries, w.yields))
            };
            s.counters.pop();
            let (next, yields) = result?;
            if yields.len() > 1 {
                let title = "a `scan` yields once in each iteration";
                return Err(Box::new(s.err("E0208", title, sc.body.span).hint(
                    "yield a tuple or a record of what you need: `yield (a, b)`",
                )));
            }
            Ok(Step {
                next,
                yields,
                go: None,
            })
        };
        if self.sums_here()
            && rest.is_empty()
            && checkpoint.is_none()
            && let Some(swept) = self.chained(sc, n, &fulls, &carries, span, &mut run)?
        {
            return Ok(swept);
        }
        let swept = self.loop_of(sc, n, &fulls, carries, checkpoint, span, &mut run)?;
        if rest.is_empty() {
            return Ok(swept);
        }
        // Rows of rows become rows.
        let mut yields = Vec::new();
        for y in &swept.yields {
            yields.push(self.merge_rows(y));
        }
        Ok(Swept { yields, ..swept })
    }

    /// The two leading axes of every leaf as one.
    fn merge_rows(&mut self, v: &Val) -> Val {
        map_leaves(v, &mut |t| {
            let shape = self.ctx.graph.ty(t).shape.clone();
            let merged = std::iter::once(shape[0] * shape[1])
                .chain(shape[2..].iter().copied())
                .collect();
            self.ctx.graph.reshape(t, merged)
        })
    }

    /// Of what sites added since, rows of rows become rows.
    fn merge_sites(&mut self, marks: &Marks) {
        for (h, mark) in marks.iter().enumerate() {
            for i in mark.0..self.handlers[h].trace.len() {
                let v = self.handlers[h].trace[i].1.clone();
                let merged = self.merge_rows(&v);
                for (old, new) in leaves(&v).into_iter().zip(leaves(&merged)) {
                    self.same_origin(old, new);
                }
                self.handlers[h].trace[i].1 = merged;
            }
        }
    }

    /// `count` iterations. With `checkpoint: k` a loop of loops of `k`, and one of the rest: of the first only every k-th carry
    /// is stored for the derivative.
    #[allow(clippy::too_many_arguments)]
    fn loop_of(
        &mut self,
        sc: &'static ast::Scan,
        count: usize,
        fulls: &[Value],
        carries: Vec<Val>,
        checkpoint: Option<usize>,
        span: Span,
        run: &mut Run,
    ) -> R<Swept> {
        let Some(k) = checkpoint.filter(|&k| k > 1 && count > k) else {
            return self.one_loop(sc, count, fulls, carries, None, span, run);
        };
        let whole = count / k;
        let mut outer = Vec::new();
        for &t in fulls {
            let t = self.slice_axis(t, 0, 0, whole * k, 1, span)?;
            let shape = self.ctx.graph.ty(t).shape.clone();
            let split: Vec<usize> = [whole, k]
                .into_iter()
                .chain(shape[1..].iter().copied())
                .collect();
            outer.push(self.ctx.graph.reshape(t, split));
        }
        let mut run_outer = |s: &mut Self, at: Value, slices: &[Value], carries: &[Val]| {
            let size = s.literal(&Val::Int(k as i64), DType::I32, &[]);
            let base = s.op(&ops::MUL, Attr::None, &[at, size], span)?;
            let mut run_inner = |s: &mut Self, i: Value, slices: &[Value], carries: &[Val]| {
                let index = s.op(&ops::ADD, Attr::None, &[base, i], span)?;
                run(s, index, slices, carries)
            };
            let w = s.one_loop(sc, k, slices, carries.to_vec(), None, span, &mut run_inner)?;
            Ok(Step {
                next: w.carries,
                yields: w.yields,
                go: None,
            })
        };
        let marks = self.site_marks();
        let blocks = (count, Lane::Blocks(k));
        let first = self.one_loop_of(sc, blocks, &outer, carries, None, span, &mut run_outer)?;
        self.merge_sites(&marks);
        let mut yields = Vec::new();
        for y in &first.yields {
            yields.push(self.merge_rows(y));
        }
        if count == whole * k {
            return Ok(Swept {
                carries: first.carries,
                yields,
            });
        }
        let mut more = Vec::new();
        for &t in fulls {
            more.push(self.slice_axis(t, 0, whole * k, count, 1, span)?);
        }
        let mut run_rest = |s: &mut Self, i: Value, slices: &[Value], carries: &[Val]| {
            let base = s.literal(&Val::Int((whole * k) as i64), DType::I32, &[]);
            let index = s.op(&ops::ADD, Attr::None, &[base, i], span)?;
            run(s, index, slices, carries)
        };
        let sites = self.cut_sites(&marks);
        let lanes = (count, Lane::From(whole * k));
        let rest = self.one_loop_of(sc, lanes, &more, first.carries, None, span, &mut run_rest)?;
        self.prepend(sites, &marks, Self::rows_before, span)?;
        let mut joined = Vec::new();
        for (a, b) in yields.iter().zip(&rest.yields) {
            let mut next = leaves(b).into_iter();
            joined.push(map_leaves(a, &mut |t| self.rows_before(t, next.next())));
        }
        Ok(Swept {
            carries: rest.carries,
            yields: joined,
        })
    }

    /// `scan (c = ..) while cond, max: n { .. }`
    fn scan_while(
        &mut self,
        sc: &'static ast::Scan,
        cond: &'static Expr,
        options: &Options,
        carries: Vec<Val>,
        env: &Env,
        span: Span,
    ) -> R<Swept> {
        let Some(max) = options.max else {
            return Err(Box::new(
                self.err("E0214", "a `scan .. while` needs a bound", cond.span)
                    .hint("write `while cond, max: 1000 { .. }`: at most so many iterations"),
            ));
        };
        if options.unroll || options.checkpoint.is_some() {
            let title =
                "`unroll` and `checkpoint` are for a `scan` with a fixed number of iterations";
            return Err(Box::new(self.err("E0210", title, cond.span)));
        }
        let frames: Vec<Frame> = self.frames.clone();
        let begin = self.holds(sc, cond, &carries, env)?;
        let mut run = |s: &mut Self, index: Value, _: &[Value], carries: &[Val]| {
            s.frames.clone_from(&frames);
            s.counters.push(index);
            let result = s
                .iteration(sc, carries, env, &mut |_, _| Ok(()))
                .and_then(|(next, yields)| {
                    if !yields.is_empty() {
                        let title = "a `scan .. while` yields nothing: how many rows there would be is known only as it runs";
                        return Err(Box::new(s.err("E0208", title, sc.body.span).hint(
                            "keep what you need in a carry, or go over a fixed number of iterations",
                        )));
                    }
                    let go = s.holds(sc, cond, &next, env)?;
                    Ok(Step { next, yields, go: Some(go) })
                });
            s.counters.pop();
            result
        };
        self.one_loop(sc, max, &[], carries, Some(begin), span, &mut run)
    }

    /// Does the condition of a `scan .. while` hold for these carries?
    fn holds(
        &mut self,
        sc: &'static ast::Scan,
        cond: &'static Expr,
        carries: &[Val],
        env: &Env,
    ) -> R<Value> {
        let inner = env.child();
        for ((p, _), v) in sc.carries.iter().zip(carries) {
            self.bind_pattern(p, v.clone(), &inner)?;
        }
        let v = self.eval(cond, &inner)?;
        let t = self.force(&v, cond.span)?;
        let ty = self.ctx.graph.ty(t).clone();
        if ty != Type::scalar(DType::Bool) {
            let title = format!("a condition is one truth value, not `{ty}`");
            return Err(Box::new(
                self.err("E0310", title, cond.span)
                    .hint("compare with something: `while err > 1e-6`"),
            ));
        }
        Ok(t)
    }

    /// The body repeated: carries may change their form, and the index is known at compile time.
    fn unrolled(
        &mut self,
        sc: &'static ast::Scan,
        generators: &'static [(Pattern, Expr)],
        mut carries: Vec<Val>,
        env: &Env,
        span: Span,
    ) -> R<Swept> {
        let [(pattern, source), rest @ ..] = generators else {
            return Err(Box::new(self.err(
                "E0308",
                "there is nothing to go over",
                span,
            )));
        };
        let source_val = self.eval(source, env)?;
        let items = self.items(&source_val, source.span)?;
        let yields = self.over_items(items.len(), span, &mut |s, i| {
            let item = items[i].clone();
            let before = std::mem::take(&mut carries);
            let (next, more) = if rest.is_empty() {
                s.iteration(sc, &before, env, &mut |s, inner| {
                    s.bind_pattern(pattern, item.clone(), inner)
                })?
            } else {
                let inner = env.child();
                s.bind_pattern(pattern, item, &inner)?;
                let swept = s.unrolled(sc, rest, before, &inner, span)?;
                (swept.carries, swept.yields)
            };
            carries = next;
            Ok(more)
        })?;
        Ok(Swept {
            carries,
            yields: yields.into_iter().flatten().collect(),
        })
    }

    /// What an unrolled loop goes over, one by one.
    fn items(&mut self, source: &Val, span: Span) -> R<Vec<Val>> {
        let too_many = |s: &Self, n: usize| {
            let title = format!("{n} iterations are too many to repeat the body for");
            Box::new(s.err("E0213", title, span).hint(format!(
                "at most {MAX_UNROLL} are unrolled; leave out `unroll: true`"
            )))
        };
        match source {
            Val::Range(a, b) => {
                let n = usize::try_from(b.saturating_sub(*a)).unwrap_or(0);
                if n > MAX_UNROLL {
                    return Err(too_many(self, n));
                }
                Ok((*a..*b).map(Val::Int).collect())
            }
            Val::List(items) => Ok(items.to_vec()),
            Val::Tensor(_) | Val::Slot(_) | Val::Log(..) | Val::Tuple(_) | Val::Record(_) => {
                let mut lanes = Vec::new();
                let (n, lane) = self.make_lane(source, span, &mut lanes)?;
                if n > MAX_UNROLL {
                    return Err(too_many(self, n));
                }
                let mut out = Vec::new();
                for i in 0..n {
                    let mut rows = HashMap::new();
                    for (stand_in, full) in &lanes {
                        let shape = self.ctx.graph.ty(*full).shape[1..].to_vec();
                        let row = self.slice_axis(*full, 0, i, i + 1, 1, span)?;
                        rows.insert(*stand_in, self.ctx.graph.reshape(row, shape));
                    }
                    out.push(map_leaves(&lane, &mut |t| {
                        rows.get(&t).copied().unwrap_or(t)
                    }));
                }
                Ok(out)
            }
            other => {
                let title = format!("`scan` cannot go over {}", other.kind());
                Err(Box::new(self.err("E0308", title, span)))
            }
        }
    }

    /// The counters that name a draw here: the step, and the iterations of the loops around.
    pub(super) fn draw_counters(&mut self) -> Value {
        // What counts is the same on both sides of an `if`, and for all lanes of its condition.
        let guard = self.ctx.graph.guard.take();
        let all = self.counters_of_draw();
        self.ctx.graph.guard = guard;
        all
    }

    fn counters_of_draw(&mut self) -> Value {
        let counted = self.train.is_some() && !self.in_init;
        let step = self.ctx.step_counter(counted);
        if self.counters.is_empty() {
            return step;
        }
        let g = &mut self.ctx.graph;
        let all: Vec<Value> = std::iter::once(step)
            .chain(self.counters.iter().copied())
            .map(|c| g.reshape(c, vec![1]))
            .collect();
        g.add(&ops::CONCAT, Attr::Axis(0), &all)
    }

    pub(super) fn scan_next(&mut self, pattern: &Pattern, v: Val) -> R<()> {
        match &pattern.kind {
            PatternKind::Name(n) => match self.scans.last_mut() {
                Some(next) => {
                    next.insert(n.clone(), v);
                    Ok(())
                }
                None => Err(Box::new(self.err(
                    "E0208",
                    "`next` stands outside a `scan`",
                    pattern.span,
                ))),
            },
            PatternKind::Tuple(parts) => match &v {
                Val::Tuple(items) if items.len() == parts.len() => {
                    for (p, v) in parts.iter().zip(items.iter()) {
                        self.scan_next(p, v.clone())?;
                    }
                    Ok(())
                }
                _ => Err(Box::new(self.err(
                    "E0204",
                    "the pattern does not fit the value",
                    pattern.span,
                ))),
            },
            PatternKind::Record(parts) => {
                for (name, p) in parts {
                    let Some(part) = v.field(&name.text) else {
                        let title = format!("{} has no field `{}`", v.kind(), name.text);
                        return Err(Box::new(self.err("E0204", title, name.span)));
                    };
                    self.scan_next(p, part)?;
                }
                Ok(())
            }
            PatternKind::Wild => Ok(()),
        }
    }
}

/// A carry after an iteration: what `next` gave its names, otherwise as before.
fn next_carry(p: &Pattern, old: Val, next: &HashMap<String, Val>) -> Val {
    match (&p.kind, &old) {
        (PatternKind::Name(n), _) => next.get(n).cloned().unwrap_or(old),
        (PatternKind::Tuple(parts), Val::Tuple(items)) => Val::tuple(
            parts
                .iter()
                .zip(items.iter())
                .map(|(p, v)| next_carry(p, v.clone(), next))
                .collect(),
        ),
        (PatternKind::Record(parts), Val::Record(fields)) => {
            let after = |(n, v): &(std::rc::Rc<str>, Val)| {
                let part = parts.iter().find(|p| *p.0.text == **n);
                let v = v.clone();
                (
                    n.clone(),
                    part.map_or(v.clone(), |p| next_carry(&p.1, v, next)),
                )
            };
            Val::record(fields.iter().map(after).collect())
        }
        _ => old,
    }
}
