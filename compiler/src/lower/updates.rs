//! `minimize`, `maximize`, and the optimizers' updates.

use super::session::{R, Session, rc};
use super::value::{Env, OptimizerVal, Partial, Val};
use crate::ir::Value;
use crate::program::SlotId;
use crate::transform::differentiate::vjp;
use mlc_grammar::ast::{self, Expr};
use mlc_grammar::span::Span;
use std::rc::Rc;

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
        if self.train.is_none() {
            return Err(Box::new(self.err(
                "E0602",
                "`minimize` stands only in a `train` stage",
                value.span,
            )));
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
        let slots: Vec<SlotId> = groups.iter().flat_map(|g| g.0.clone()).collect();
        let mut wrt = Vec::new();
        for &id in &slots {
            wrt.push(self.force(&Val::Slot(id), value.span)?);
        }
        let grads = self.gradients(&[(loss, seed)], &wrt, value.span)?;
        let mut used = false;
        let mut grads = grads.into_iter();
        let mut steps = Vec::new();
        for (ids, opt) in groups {
            for id in ids {
                let g = grads.next().flatten();
                used |= g.is_some();
                let t = self.force(&Val::Slot(id), value.span)?;
                let g = match g {
                    Some(g) => g,
                    None => self.ctx.graph.constant_like(0.0, t),
                };
                steps.push((id, g, opt.clone()));
            }
        }
        if !used {
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
        self.update_all(steps, value.span)
    }

    /// `update A by g using opt`
    pub(super) fn eval_update(
        &mut self,
        over: &'static [ast::Over],
        by: &'static Expr,
        using: Option<&'static Expr>,
        env: &Env,
    ) -> R<()> {
        if self.train.is_none() {
            return Err(Box::new(self.err(
                "E0602",
                "`update` stands only in a `train` stage",
                by.span,
            )));
        }
        let v = self.eval(by, env)?;
        let v = self.force_leaves(&v, by.span)?;
        let gs = super::leaves::leaves(&v);
        let groups = self.over_groups(over, using, env)?;
        let n: usize = groups.iter().map(|g| g.0.len()).sum();
        if n != gs.len() {
            let title = format!("{n} parameters are updated by {} tensors", gs.len());
            return Err(Box::new(self.err("E0612", title, by.span)));
        }
        let mut gs = gs.into_iter();
        let mut steps = Vec::new();
        for (ids, opt) in groups {
            for id in ids {
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
                steps.push((id, g, opt.clone()));
            }
        }
        self.update_all(steps, by.span)
    }

    fn over_groups(
        &mut self,
        over: &'static [ast::Over],
        using: Option<&'static Expr>,
        env: &Env,
    ) -> R<Vec<(Vec<SlotId>, Rc<OptimizerVal>)>> {
        let mut groups = Vec::new();
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
            match self.eval(opt, env)? {
                Val::Optimizer(v) => groups.push((ids, v)),
                other => {
                    let title = format!("`using` takes an optimizer, not {}", other.kind());
                    return Err(Box::new(self.err("E0615", title, opt.span)));
                }
            }
        }
        Ok(groups)
    }

    fn update_all(&mut self, steps: Vec<(SlotId, Value, Rc<OptimizerVal>)>, span: Span) -> R<()> {
        let (stage, nth) = match &mut self.train {
            Some(t) => {
                t.statements += 1;
                (t.stage.clone(), t.statements)
            }
            None => return Ok(()),
        };
        let mut news = Vec::new();
        for (id, g, opt) in steps {
            let def = opt.def.def;
            if def.all {
                return Err(self.unsupported("an optimizer `for all`", span));
            }
            let env = opt.def.env.child();
            for (n, v) in &opt.args {
                env.bind(n, v.clone());
            }
            for (arg, (n, v)) in def.args.iter().zip(&opt.args) {
                // A number where a schedule is declared is a constant schedule.
                let schedule = matches!(arg.ty.as_ref().map(|t| &t.kind),
                    Some(ast::TypeKind::Named(t, _)) if t.text == "schedule");
                if schedule
                    && matches!(
                        v,
                        Val::Int(_) | Val::Real(_) | Val::Slot(_) | Val::Tensor(_)
                    )
                {
                    let constant = Val::Partial(Rc::new(Partial {
                        of: Val::Builtin("constant_schedule"),
                        given: vec![(rc("value"), v.clone())],
                        span,
                    }));
                    env.bind(n, constant);
                }
            }
            let [p, rest @ ..] = def.binders.as_slice() else {
                continue;
            };
            env.bind(&p.text, Val::Slot(id));
            if let Some(name) = rest.first() {
                env.bind(&name.text, Val::Tensor(g));
            }
            let counter = self.ctx.step_counter(true);
            env.bind("step", Val::Tensor(counter));
            let slot = self.slots[id.0 as usize].clone();
            let mut path = format!("{stage}.{}.{}", slot.name, def.name.text);
            if nth > 1 {
                path = format!("{path}{nth}");
            }
            if let Some(t) = &mut self.train {
                t.optimizer_path = Some(path.clone());
            }
            let v = self.in_frame(&path, span, |s| s.eval_block(&def.body, &env));
            if let Some(t) = &mut self.train {
                t.optimizer_path = None;
            }
            let new = self.force(&v?, span)?;
            let have = self.ctx.graph.ty(new).clone();
            if have != slot.ty {
                let title = format!(
                    "`{}` gives a `{have}` for the `{}` `{}`",
                    def.name.text, slot.ty, slot.name
                );
                return Err(Box::new(self.err("E0612", title, span)));
            }
            news.push((id, new));
        }
        // All parameters move together: none sees another's new value.
        for (id, v) in news {
            let v = self.ctx.bind(v);
            self.ctx.write(id, v);
        }
        Ok(())
    }

    /// Cotangents of `wrt`, a refusal made into a diagnostic.
    pub(super) fn gradients(
        &mut self,
        outputs: &[(Value, Value)],
        wrt: &[Value],
        span: Span,
    ) -> R<Vec<Option<Value>>> {
        vjp(&mut self.ctx.graph, outputs, wrt).map_err(|refusal| {
            Box::new(
                self.err_at(
                    "E0430",
                    refusal.sentence,
                    refusal.span,
                    "a derivative passes here",
                )
                .label(span, "the derivative is taken here"),
            )
        })
    }
}
