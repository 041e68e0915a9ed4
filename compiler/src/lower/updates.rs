//! `minimize`, `maximize`, and the optimizers' updates.

use super::leaves::leaves;
use super::session::{R, Session};
use super::value::{Env, Objective, OptimizerVal, Val};
use crate::ir::{Attr, Value};
use crate::ops;
use crate::program::SlotId;
use crate::transform::differentiate::{Refusal, vjp};
use mlc_grammar::ast::{self, Expr};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// What gradients are called among a step's values, where they are asked for: no name that a user can write.
pub const GRADIENT: &str = "gradient ";

/// What the length of a gradient is called where it is logged for all updates.
const GRADIENT_NORM: &str = "gradient_norm";

impl Session {
    /// `minimize e over A using opt`
    pub(super) fn eval_optimize(
        &mut self,
        maximize: bool,
        value: &'static Expr,
        over: &'static [ast::Over],
        using: Option<&'static Expr>,
        env: &Env,
    ) -> R<()> {
        if !self.in_step() {
            let what = if maximize { "maximize" } else { "minimize" };
            return Err(self.not_at_top(what, value.span));
        }
        let v = self.eval(value, env)?;
        let loss = self.force(&v, value.span)?;
        let ty = self.ctx.graph.ty(loss).clone();
        if ty.rank() != 0 || !ty.dtype.is_real() {
            return Err(Box::new(
                self.err(
                    "E0613",
                    format!("an objective is one real number, not `{ty}`"),
                    value.span,
                )
                .hint("take the mean or the sum: `mean(..)`"),
            ));
        }
        if let Some(t) = &mut self.train {
            t.objective.get_or_insert(loss);
        }
        let sign = if maximize { -1.0 } else { 1.0 };
        let seed = self.literal(&Val::Real(sign), ty.dtype, &[]);
        let groups = self.over_groups(over, using, env)?;
        let wrt: Vec<Value> = groups
            .iter()
            .flat_map(|g| g.0.clone())
            .map(|id| self.raw(id))
            .collect();
        let grads = self.gradients(&[(loss, seed)], &wrt, value.span)?;
        if grads.iter().all(Option::is_none) {
            return Err(Box::new(
                self.err(
                    "E0614",
                    "the objective does not depend on what it is optimised over",
                    value.span,
                )
                .label(
                    over.first().map_or(value.span, |o| o.target.span),
                    "optimised over this",
                ),
            ));
        }
        if self.options.explain {
            for g in grads.iter().flatten() {
                let n = self.ctx.graph.outputs.len();
                self.ctx.value(&format!("{GRADIENT}{n}"), *g);
            }
        }
        let descended = if maximize {
            self.ctx.graph.neg(loss)
        } else {
            loss
        };
        let mut grads = grads.into_iter().zip(&wrt);
        let mut steps = Vec::new();
        for (ids, opt) in groups {
            let mut gs = Vec::new();
            for _ in &ids {
                let (g, &at) = grads.next().expect("one for each parameter");
                gs.push(match g {
                    Some(g) => g,
                    None => self.ctx.graph.constant_like(0.0, at),
                });
            }
            steps.push((ids, gs, opt));
        }
        self.update_all(steps, Some(descended), value.span)
    }

    /// `update A by g using opt`
    pub(super) fn eval_update(
        &mut self,
        over: &'static [ast::Over],
        by: &'static Expr,
        using: Option<&'static Expr>,
        env: &Env,
    ) -> R<()> {
        if !self.in_step() {
            return Err(self.not_at_top("update", by.span));
        }
        let v = self.eval(by, env)?;
        let v = self.force_leaves(&v, by.span)?;
        let gs = super::leaves::leaves(&v);
        self.check_affine(&gs, &[], by.span, "parameters are updated by this")?;
        let groups = self.over_groups(over, using, env)?;
        let n: usize = groups.iter().map(|g| g.0.len()).sum();
        if n != gs.len() {
            let title = format!("{n} parameters are updated by {} tensors", gs.len());
            return Err(Box::new(self.err("E0612", title, by.span)));
        }
        let mut gs = gs.into_iter();
        let mut steps = Vec::new();
        for (ids, opt) in groups {
            let mut taken = Vec::new();
            for &id in &ids {
                let g = gs.next().expect("counted above");
                let (have, want) = (
                    self.ctx.graph.ty(g).clone(),
                    self.slots[id.0 as usize].ty.clone(),
                );
                if have != want {
                    let title = format!(
                        "`{}` is a `{want}`, and is updated by a `{have}`",
                        self.slots[id.0 as usize].name
                    );
                    return Err(Box::new(self.err("E0612", title, by.span)));
                }
                taken.push(g);
            }
            steps.push((ids, taken, opt));
        }
        self.update_all(steps, None, by.span)
    }

    fn over_groups(
        &mut self,
        over: &'static [ast::Over],
        using: Option<&'static Expr>,
        env: &Env,
    ) -> R<Vec<(Vec<SlotId>, Rc<OptimizerVal>)>> {
        let mut groups: Vec<(Vec<SlotId>, Rc<OptimizerVal>)> = Vec::new();
        let mut shared: Option<Rc<OptimizerVal>> = None;
        for o in over {
            let mut ids = self.target_slots(&o.target, env)?;
            for e in &o.except {
                let left_out = self.target_slots(e, env)?;
                ids.retain(|id| !left_out.contains(id));
            }
            let Some(opt) = o.using.as_ref().or(using) else {
                return Err(Box::new(
                    self.err("E0615", "there is no optimizer", o.target.span)
                        .hint("add `using adam(lr: 1e-3)`"),
                ));
            };
            for (others, _) in &groups {
                if let Some(twice) = ids.iter().find(|id| others.contains(id)) {
                    let name = &self.slots[twice.0 as usize].name;
                    let title = format!("`{name}` is named twice after `over`");
                    return Err(Box::new(self.err("E0647", title, o.target.span)));
                }
            }
            if let (None, Some(_)) = (&o.using, &shared) {
                // One optimizer for several targets takes them all together.
                groups.last_mut().expect("the shared one").0.extend(ids);
                continue;
            }
            let opt = match self.eval(opt, env)? {
                Val::Optimizer(v) if !v.def.def.transform => self.with_arguments(&v, opt.span)?,
                Val::Optimizer(v) => {
                    let title = format!(
                        "`{}` gives a gradient and moves nothing",
                        v.def.def.name.text
                    );
                    return Err(Box::new(
                        self.err("E0615", title, opt.span)
                            .hint("end the chain in an optimizer: `.. |> sgd(lr: 0.1)`"),
                    ));
                }
                other => {
                    let title = format!("`using` takes an optimizer, not {}", other.kind());
                    return Err(Box::new(self.err("E0615", title, opt.span)));
                }
            };
            if o.using.is_none() {
                shared = Some(opt.clone());
            }
            groups.push((ids, opt));
        }
        Ok(groups)
    }

    /// Logs the length of a gradient as `gradient_norm`; those of later updates of the step have a number.
    fn log_norm(&mut self, gradient: &[Value]) {
        let mut total: Option<Value> = None;
        for &g in gradient {
            let g = self.identity(&ops::PLUG_IN, Attr::None, g);
            let graph = &mut self.ctx.graph;
            let square = graph.mul(g, g);
            let axes = (0..graph.ty(square).rank()).collect();
            let square = graph.sum(square, axes);
            total = Some(match total {
                Some(t) => graph.add2(t, square),
                None => square,
            });
        }
        let Some(total) = total else { return };
        let norm = self.ctx.graph.unary(&ops::SQRT, total);
        let logged = self.ctx.graph.outputs.iter();
        let before = logged.filter(|o| o.0.starts_with(GRADIENT_NORM)).count();
        let name = match before {
            0 => GRADIENT_NORM.to_string(),
            n => format!("{GRADIENT_NORM}_{}", n + 1),
        };
        self.ctx.value(&name, norm);
    }

    fn update_all(
        &mut self,
        steps: Vec<(Vec<SlotId>, Vec<Value>, Rc<OptimizerVal>)>,
        objective: Option<Value>,
        span: Span,
    ) -> R<()> {
        if self.options.gradient_norms {
            let gradient: Vec<Value> = steps.iter().flat_map(|s| s.1.clone()).collect();
            self.log_norm(&gradient);
        }
        let mut news = Vec::new();
        for (ids, gs, opt) in steps {
            let (stage, suffix) = self.statement_suffix(&ids, &opt);
            let at: Vec<Value> = ids.iter().map(|&id| self.raw(id)).collect();
            let (mut slots, mut ps, mut grads) = (vec![], vec![], vec![]);
            for ((&id, &p), &g) in ids.iter().zip(&at).zip(&gs) {
                // Optimizers take the gradient for what it is, estimate or not.
                let g = self.identity(&ops::PLUG_IN, Attr::None, g);
                let name = self.slots[id.0 as usize].name.clone();
                super::nets::insert(&mut slots, &name, Val::Slot(id));
                super::nets::insert(&mut ps, &name, Val::Tensor(p));
                super::nets::insert(&mut grads, &name, Val::Tensor(g));
            }
            let (slots, p, g) = (Val::record(slots), Val::record(ps), Val::record(grads));
            let f = objective.map(|value| Objective {
                value: Some(value),
                at: leaves(&p),
                form: p.clone(),
            });
            let new = self.run_in_step(&opt, (&stage, &suffix), (&p, &slots), &g, f, span)?;
            // The record has its leaves in an order of its own.
            let mut order = Vec::new();
            self.zip_leaves(&slots, &new, &mut |s, slot, new| {
                if let Val::Slot(id) = slot {
                    order.push((*id, s.force(new, span)?));
                }
                Ok(Val::Unit)
            })?;
            news.extend(order);
        }
        // All parameters move together: none sees another's new value. What follows starts from the new values: no derivative of
        // it passes through the update.
        if let Some(t) = &mut self.train {
            t.moves += 1;
        }
        for (id, v) in news {
            let v = self.ctx.graph.add(&ops::STOP, Attr::None, &[v]);
            let v = self.ctx.bind(v);
            self.ctx.write(id, v);
        }
        Ok(())
    }

    /// The stage, and what ends an optimizer's name where its states would lie where those of an earlier group do: both move one
    /// parameter, or keep states that are not of one parameter.
    fn statement_suffix(&mut self, ids: &[SlotId], opt: &OptimizerVal) -> (String, String) {
        let mut names: Vec<String> = ids
            .iter()
            .map(|id| {
                format!(
                    "{}.{}",
                    self.slots[id.0 as usize].name, opt.def.def.name.text
                )
            })
            .collect();
        names.extend(
            links(opt)
                .filter(|o| keeps_whole(o))
                .map(|o| o.def.def.name.text.clone()),
        );
        let Some(t) = &mut self.train else {
            return Default::default();
        };
        let nth = names
            .iter()
            .filter_map(|n| t.used.get(n))
            .max()
            .copied()
            .unwrap_or(0)
            + 1;
        for n in names {
            t.used.insert(n, nth);
        }
        let suffix = if nth == 1 {
            String::new()
        } else {
            nth.to_string()
        };
        (t.stage.clone(), suffix)
    }

    /// Cotangents of `wrt`, a refusal made into a diagnostic.
    pub(super) fn gradients(
        &mut self,
        outputs: &[(Value, Value)],
        wrt: &[Value],
        span: Span,
    ) -> R<Vec<Option<Value>>> {
        let results: Vec<Value> = outputs.iter().map(|o| o.0).collect();
        self.check_affine(&results, wrt, span, "differentiated here")?;
        self.check_kinds(&results, span, "differentiated here")?;
        vjp(&mut self.ctx.graph, outputs, wrt).map_err(|refusal| {
            let r = self.refused(refusal);
            Box::new(r.label(span, "the derivative is taken here"))
        })
    }

    /// The report of an operation that has no derivative. Behind a colon its sentence says what to do.
    pub(super) fn refused(&self, refusal: Refusal) -> Report {
        let (why, instead) = match refusal.sentence.split_once(": ") {
            Some((why, instead)) => (why, Some(instead.to_string())),
            None => (&*refusal.sentence, None),
        };
        let r = self.err_at("E0430", why, refusal.span, "a derivative passes here");
        match instead {
            Some(hint) => r.hint(hint),
            None => r,
        }
    }
}

/// The transforms before an optimizer, and itself.
fn links(o: &OptimizerVal) -> impl Iterator<Item = &OptimizerVal> {
    o.before.iter().map(|o| &**o).chain([o])
}

/// Does it, or one inside it, keep states under its own name, not under that of a parameter?
fn keeps_whole(o: &OptimizerVal) -> bool {
    let mut states = false;
    super::resolve::each_stmt(&o.def.def.body.stmts, &mut |s| {
        states |= matches!(s.kind, ast::StmtKind::Def(ast::Def::State { .. }));
    });
    let inside = || {
        o.args.iter().any(|(_, v)| match v {
            Val::Optimizer(inner) => links(inner).any(keeps_whole),
            _ => false,
        })
    };
    o.def.def.all && (states || inside())
}
