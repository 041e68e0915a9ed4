//! Names, fields, and values as tensors.

use super::session::{R, Session, rc};
use super::value::{Env, Val};
use crate::ir::{DType, Value};
use mlc_grammar::ast::{self, Expr};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// A name's value: local, of the module, brought in by `use`, of the prelude, or built in.
    pub(super) fn lookup(&mut self, name: &str, env: &Env, span: Span) -> R<Val> {
        match env.get(name) {
            Some(Val::Failed) => return Err(self.follows(span)),
            Some(v) => return Ok(v),
            None => {}
        }
        for module in [
            env.0.module,
            self.prelude,
            self.estimators,
            self.support_library,
        ] {
            // A private name is its own file's.
            if module != env.0.module && super::modules::is_private(name) {
                continue;
            }
            if let Some(v) = self.item(module, name, span) {
                return v.map_err(|r| self.used_here(r, name, span));
            }
        }
        if let Some(v) = super::builtins::constant(name) {
            return Ok(v);
        }
        let mut known = env.names();
        known.extend(self.modules[env.0.module].items.keys().cloned());
        let mut r = self.err_at(
            "E0100",
            format!("unknown name `{name}`"),
            span,
            "not defined",
        );
        if let Some(hint) = super::habits::name(name) {
            r = r.hint(hint);
        } else if let Some(near) = super::resolve::nearest(name, &known) {
            r = r.hint(format!("did you mean `{near}`?"));
        }
        Err(Box::new(r))
    }

    fn used_here(&self, mut r: Box<Report>, name: &str, span: Span) -> Box<Report> {
        if r.notes.len() < 8 && r.labels.first().is_none_or(|l| l.span != span) {
            r.notes.push(format!(
                "`{name}` is needed at {}",
                self.sources.place(span)
            ));
        }
        r
    }

    /// `v.name`
    pub(super) fn field(&mut self, v: &Val, name: &ast::Name) -> R<Val> {
        let text = name.text.as_str();
        match v {
            Val::Record(fields) => {
                if let Some(found) = v.field(text) {
                    return Ok(found);
                }
                // Addresses such as `layer[0]` are fields; `layer` alone stands for all of them.
                let members = super::nets::members(fields, text);
                if !members.is_empty() {
                    return Ok(Val::NetStack(Rc::new(members)));
                }
                if matches!(text, "shuffle" | "batch") {
                    return Ok(Val::Method(Rc::new((v.clone(), rc(text)))));
                }
                let known: Vec<String> = fields.iter().map(|f| f.0.to_string()).collect();
                let mut r = self.err_at(
                    "E0206",
                    format!("the record has no field `{text}`"),
                    name.span,
                    "not a field",
                );
                r = match super::resolve::nearest(text, &known) {
                    Some(near) => r.hint(format!("did you mean `{near}`?")),
                    None => r.hint(format!("its fields are {}", super::resolve::listed(&known))),
                };
                Err(Box::new(r))
            }
            Val::Module(m) if super::modules::is_private(text) => {
                let path = self.modules[*m].path.clone();
                Err(Box::new(super::modules::private(text, &path, name.span)))
            }
            Val::Module(m) => match self.item(*m, text, name.span) {
                Some(v) => v,
                None => Err(Box::new(self.err(
                    "E0102",
                    format!("`{}` has no `{text}`", self.modules[*m].path),
                    name.span,
                ))),
            },
            Val::Dist(d) => {
                if let Some((_, v)) = d.args.iter().find(|(n, _)| **n == *text) {
                    return Ok(v.clone());
                }
                match text {
                    "on" => return self.on(d, name.span),
                    "shape" => return self.element_shape(d, name.span),
                    _ => {}
                }
                Ok(Val::Method(Rc::new((v.clone(), rc(text)))))
            }
            Val::Net(n) | Val::Nets(n, _) => match text {
                "params" => self.net_params(n, name.span),
                "states" => self.net_states(n, name.span),
                _ => Ok(Val::Method(Rc::new((v.clone(), rc(text))))),
            },
            Val::Model(m) if m.made.is_some() => match (text, &m.made) {
                ("params", Some(made)) => Ok(self.model_params(made)),
                ("kept", Some(made)) => Ok(self.model_kept(made)),
                _ => Ok(Val::Method(Rc::new((v.clone(), rc(text))))),
            },
            Val::Optimizer(_) => Ok(Val::Method(Rc::new((v.clone(), rc(text))))),
            Val::Stage(i) if text == "log" => Ok(Val::StageLogs(*i)),
            Val::Stage(i) if text == "states" => self.stage_states(*i, name.span),
            Val::Stage(i) => {
                let module = self.root;
                match self.item(module, text, name.span) {
                    Some(v) => {
                        let v = v?;
                        self.stage_view(*i, v, name.span)
                    }
                    None if self
                        .state_values
                        .contains_key(&format!("{}.{text}", self.stages[*i].name)) =>
                    {
                        let v =
                            self.state_values[&format!("{}.{text}", self.stages[*i].name)].clone();
                        self.stage_view(*i, v, name.span)
                    }
                    None => {
                        let title =
                            format!("the stage `{}` leaves no `{text}`", self.stages[*i].name);
                        Err(Box::new(
                            self.err_at(
                                "E0206",
                                title,
                                name.span,
                                "neither a parameter, a net nor a state",
                            )
                            .hint("what a stage logs is read as `stage.log.name`, its optimizers' states under `stage.states`"),
                        ))
                    }
                }
            }
            Val::StageLogs(i) => self.stage_log(*i, name),
            // Distributions of several families are taken to have one support.
            Val::List(items) if text == "on" && matches!(items.first(), Some(Val::Dist(_))) => {
                self.field(&items[0].clone(), name)
            }
            Val::Tensor(_) | Val::Slot(_) | Val::Log(..) | Val::List(_) if text == "T" => {
                let x = self.force(v, name.span)?;
                self.transpose(x, name.span)
            }
            Val::Source(_) => Ok(Val::Method(Rc::new((v.clone(), rc(text))))),
            // One tensor is a table, too.
            Val::Slot(_) if matches!(text, "shuffle" | "batch") => {
                Ok(Val::Method(Rc::new((v.clone(), rc(text)))))
            }
            other => {
                let title = format!("{} has no field `{text}`", other.kind());
                let mut r = self.err_at("E0206", title, name.span, "no such field");
                let value = matches!(
                    other,
                    Val::Tensor(_)
                        | Val::Slot(_)
                        | Val::Log(..)
                        | Val::List(_)
                        | Val::Int(_)
                        | Val::Real(_)
                );
                if let Some(hint) = super::habits::method(text).filter(|_| value) {
                    r = r.hint(hint);
                } else if value && self.known_function(text) {
                    r = r.hint(format!(
                        "functions stand before their arguments: `{text}(x)`"
                    ));
                }
                Err(Box::new(r))
            }
        }
    }

    /// Is there a function of this name in every pipeline?
    fn known_function(&self, name: &str) -> bool {
        super::builtins::names().any(|n| n == name)
            || self.modules[self.prelude].items.contains_key(name)
    }

    /// A compile-time integer.
    pub(super) fn eval_int(&mut self, e: &'static Expr, env: &Env) -> R<i64> {
        match self.eval(e, env)? {
            Val::Int(i) => Ok(i),
            other => {
                let title = format!(
                    "expected an integer known at compile time, found {}",
                    other.kind()
                );
                Err(Box::new(self.err("E0207", title, e.span)))
            }
        }
    }

    /// The tensor a value is, made into a node if it is a compile-time number or a slot.
    pub(super) fn force(&mut self, v: &Val, span: Span) -> R<Value> {
        match v {
            Val::Tensor(t) => Ok(*t),
            Val::Slot(id) => {
                self.in_memory(*id, span)?;
                self.read_while_made(*id, span)?;
                if let Some(v) = self.in_place_of(*id) {
                    return Ok(v);
                }
                let raw = self.raw(*id);
                self.constrained(*id, raw, span)
            }
            Val::Log(stage, name) => {
                let ty = self.log_type(*stage, name, span)?;
                Ok(self.ctx.read_log(*stage, name, ty))
            }
            Val::Int(_) | Val::Real(_) | Val::Bool(_) => {
                self.fits(v, DType::I32, span)?;
                let dtype =
                    super::value::static_dtype(v, self.real).expect("a compile-time number");
                Ok(self.literal(v, dtype, &[]))
            }
            Val::List(items) if !items.is_empty() => {
                self.spend(items.len() as u64, span)?;
                self.stack_values(items, 0, span)
            }
            Val::Failed => Err(self.follows(span)),
            other => {
                if let Val::Partial(p) = other
                    && let Some(r) = self.lacks_arguments(p, span)
                {
                    return Err(r);
                }
                let title = format!("expected a tensor, found {}", other.kind());
                let r = self.err_at("E0200", title, span, "a number or a tensor is needed here");
                Err(Box::new(match super::habits::no_tensor(other) {
                    Some(hint) => r.hint(hint),
                    None => r,
                }))
            }
        }
    }

    /// Reads slots now: a `let` is a value taken where it stands.
    pub(super) fn settle(&mut self, v: Val) -> Val {
        match &v {
            Val::Slot(_) if !self.in_init => self
                .force(&v, Span::default())
                .map_or(v.clone(), Val::Tensor),
            Val::Tuple(items) => Val::tuple(items.iter().map(|v| self.settle(v.clone())).collect()),
            Val::Record(fields) if self.train.is_some() && !self.in_init => Val::record(
                fields
                    .iter()
                    .map(|(n, v)| (n.clone(), self.settle(v.clone())))
                    .collect(),
            ),
            _ => v,
        }
    }
}
