//! Statements, and the definitions that may stand among them.

use super::{Builder, Node, Parts, only, unexpected};
use crate::ast::{
    Arg, Body, Def, DerivativeRule, Expr, Function, Model, ModelKind, Name, NetDef, Over, Snapshot,
    Stmt, StmtKind, Unit, Via,
};
use crate::parse::Rule;

impl Builder<'_> {
    /// A statement, from a pair of the rule `stmt`.
    pub(crate) fn stmt(&mut self, pair: Node) -> Stmt {
        let span = self.span(&pair);
        let doc = self.doc(span);
        let kind = self.stmt_kind(only(pair));
        Stmt { kind, span, doc }
    }

    fn snapshot(&mut self, pair: Node) -> Snapshot {
        let mut parts = Parts::new(pair);
        if let Some(p) = parts.take(Rule::snapshot_diagnostics) {
            return Snapshot::Diagnostics(self.block(only(p)));
        }
        if let Some(p) = parts.take(Rule::snapshot_graph) {
            return Snapshot::Graph(self.expr(only(p)));
        }
        Snapshot::Values {
            value: self.expr(parts.need(Rule::expr)),
            tol: parts.take(Rule::tolerance).map(|p| self.expr(only(p))),
        }
    }

    fn stmt_kind(&mut self, pair: Node) -> StmtKind {
        match pair.as_rule() {
            Rule::def => StmtKind::Def(self.def(pair)),
            Rule::expr => StmtKind::Expr(self.expr(pair)),
            Rule::site => self.site(pair),
            Rule::next => {
                let mut parts = Parts::new(pair);
                let pattern = self.pattern(parts.need(Rule::pattern));
                StmtKind::Next {
                    pattern,
                    value: self.expr(parts.need(Rule::expr)),
                }
            }
            Rule::yield_stmt => StmtKind::Yield(self.expr(only(pair))),
            Rule::tap => {
                let mut parts = Parts::new(pair);
                let name = self.name(&parts.need(Rule::name));
                StmtKind::Tap {
                    name,
                    value: self.expr(parts.need(Rule::expr)),
                }
            }
            Rule::factor => StmtKind::Factor(self.expr(only(pair))),
            Rule::set => {
                let mut parts = Parts::new(pair);
                let target = self.postfix(parts.need(Rule::postfix));
                StmtKind::Set {
                    target,
                    value: self.expr(parts.need(Rule::expr)),
                }
            }
            Rule::update => self.update(pair),
            Rule::optimize => self.optimize(pair),
            Rule::every => self.every(pair),
            Rule::log => StmtKind::Log(pair_entries(pair).map(|p| self.log_entry(p)).collect()),
            Rule::assert => StmtKind::Assert(self.expr(only(pair))),
            Rule::snapshot => StmtKind::Snapshot(self.snapshot(pair)),
            Rule::verdict => StmtKind::Verdict(self.expr(only(pair))),
            Rule::stop_when => StmtKind::StopWhen(self.expr(only(pair))),
            Rule::keep => {
                let mut parts = Parts::new(pair);
                let lowest = parts.need(Rule::side).as_str() == "lowest";
                StmtKind::Keep {
                    lowest,
                    value: self.expr(parts.need(Rule::expr)),
                }
            }
            Rule::skip_nan => {
                let most = Parts::new(pair).take(Rule::expr);
                StmtKind::SkipNan(most.map(|p| self.expr(p)))
            }
            Rule::output => self.output(pair),
            r => unexpected(r, "a statement"),
        }
    }

    fn site(&mut self, pair: Node) -> StmtKind {
        let mut parts = Parts::new(pair);
        let name = self.name(&parts.need(Rule::name));
        let dist = self.expr(parts.need(Rule::expr));
        let via = parts.take(Rule::via).map(|p| {
            let mut parts = Parts::new(p);
            let biased = parts.take(Rule::w_biased).is_some();
            Via {
                biased,
                value: self.postfix(parts.need(Rule::postfix)),
            }
        });
        StmtKind::Site { name, dist, via }
    }

    fn update(&mut self, pair: Node) -> StmtKind {
        let mut parts = Parts::new(pair);
        let over = self.overs(parts.need(Rule::overs));
        let by = self.expr(parts.need(Rule::expr));
        StmtKind::Update {
            over,
            by,
            using: self.using(&mut parts),
        }
    }

    fn optimize(&mut self, pair: Node) -> StmtKind {
        let mut parts = Parts::new(pair);
        let maximize = parts.take(Rule::w_maximize).is_some();
        let value = self.expr(parts.need(Rule::expr));
        let mut over = self.overs(parts.need(Rule::overs));
        // `over a, b using o` is one optimizer for all, `over a using o, b using p` are groups.
        let shared = over.iter().rev().skip(1).all(|o| o.using.is_none());
        let using = if shared {
            over.last_mut().and_then(|o| o.using.take())
        } else {
            None
        };
        StmtKind::Optimize {
            maximize,
            value,
            over,
            using,
        }
    }

    fn overs(&mut self, pair: Node) -> Vec<Over> {
        pair.into_inner()
            .filter(|p| p.as_rule() == Rule::over)
            .map(|p| self.over(p))
            .collect()
    }

    fn over(&mut self, pair: Node) -> Over {
        let mut parts = Parts::new(pair);
        let target = self.postfix(parts.need(Rule::postfix));
        let mut except = Vec::new();
        while let Some(p) = parts.take(Rule::excepts) {
            except.push(self.postfix(only(p)));
        }
        Over {
            target,
            except,
            using: self.using(&mut parts),
        }
    }

    fn using(&mut self, parts: &mut Parts) -> Option<Expr> {
        parts.take(Rule::using).map(|p| self.expr(only(p)))
    }

    fn every(&mut self, pair: Node) -> StmtKind {
        let mut parts = Parts::new(pair);
        let count = self.expr(parts.need(Rule::sum));
        let unit = unit(&parts.need(Rule::unit));
        StmtKind::Every {
            count,
            unit,
            body: self.block(parts.need(Rule::block)),
        }
    }

    fn log_entry(&mut self, pair: Node) -> (Option<Name>, Expr) {
        let mut parts = Parts::new(pair);
        let name = parts.take(Rule::log_name).map(|p| self.name(&only(p)));
        (name, self.expr(parts.need(Rule::expr)))
    }

    fn output(&mut self, pair: Node) -> StmtKind {
        let mut parts = Parts::new(pair);
        let kind = self.name(&parts.any());
        StmtKind::Output {
            kind,
            args: parts.rest().map(|p| self.call_arg(p)).collect(),
        }
    }

    /// A definition, from a pair of the rule `def`.
    pub(super) fn def(&mut self, pair: Node) -> Def {
        let def = only(pair);
        let rule = def.as_rule();
        let mut parts = Parts::new(def);
        match rule {
            Rule::let_def => {
                let pattern = self.pattern(parts.need(Rule::pattern));
                let ty = parts.take(Rule::ty).map(|p| self.ty(p));
                Def::Let {
                    pattern,
                    ty,
                    value: self.expr(parts.need(Rule::expr)),
                }
            }
            Rule::function => Def::Fn(self.function(parts)),
            Rule::model_def => Def::Model(self.model(parts)),
            Rule::net_use => {
                let name = self.name(&parts.need(Rule::name));
                let first = self.expr(parts.need(Rule::expr));
                match parts.take(Rule::expr) {
                    Some(p) => Def::NetUse {
                        name,
                        index: Some(first),
                        value: self.expr(p),
                    },
                    None => Def::NetUse {
                        name,
                        index: None,
                        value: first,
                    },
                }
            }
            Rule::net_def => Def::Net(NetDef {
                name: self.name(&parts.need(Rule::name)),
                statics: self.args(parts.need(Rule::args)),
                args: self.args(parts.need(Rule::args)),
                result: parts.take(Rule::ty).map(|p| self.ty(p)),
                body: self.body(parts.need(Rule::body)),
            }),
            Rule::param => self.param(parts),
            Rule::state => Def::State {
                name: self.name(&parts.need(Rule::name)),
                ty: parts.take(Rule::ty).map(|p| self.ty(p)),
                value: self.expr(parts.need(Rule::expr)),
            },
            r => unexpected(r, "a definition"),
        }
    }

    fn function(&mut self, mut parts: Parts) -> Function {
        Function {
            name: self.name(&parts.need(Rule::name)),
            args: self.args(parts.need(Rule::args)),
            result: parts.take(Rule::ty).map(|p| self.ty(p)),
            body: self.body(parts.need(Rule::body)),
            rules: parts.rest().map(|p| self.derivative_rule(p)).collect(),
        }
    }

    fn derivative_rule(&mut self, pair: Node) -> DerivativeRule {
        let mut parts = Parts::new(pair);
        let kind = self.name(&parts.need(Rule::rule_kind));
        let mut args = Vec::new();
        while let Some(p) = parts.take(Rule::name) {
            args.push(self.name(&p));
        }
        DerivativeRule {
            kind,
            args,
            body: self.block(parts.need(Rule::block)),
        }
    }

    fn model(&mut self, mut parts: Parts) -> Model {
        let name = self.name(&parts.need(Rule::name));
        let kind = match parts.take(Rule::expr) {
            Some(p) => ModelKind::Value(self.expr(p)),
            None => ModelKind::Block {
                args: self.args(parts.need(Rule::args)),
                result: parts.take(Rule::ty).map(|p| self.ty(p)),
                body: self.block(parts.need(Rule::block)),
            },
        };
        Model { name, kind }
    }

    fn param(&mut self, mut parts: Parts) -> Def {
        let name = self.name(&parts.need(Rule::name));
        let index = parts.take(Rule::param_index).map(|p| self.expr(only(p)));
        let ty = parts.take(Rule::ty).map(|p| self.ty(p));
        let support = parts.take(Rule::support).map(|p| self.expr(only(p)));
        let value = self.expr(parts.need(Rule::expr));
        Def::Param {
            name,
            index,
            ty,
            support,
            value,
        }
    }

    /// Formal arguments, from a pair of the rule `args`.
    pub(super) fn args(&mut self, pair: Node) -> Vec<Arg> {
        pair.into_inner().map(|p| self.arg(p)).collect()
    }

    fn arg(&mut self, pair: Node) -> Arg {
        let mut parts = Parts::new(pair);
        Arg {
            name: self.name(&parts.need(Rule::name)),
            ty: parts.take(Rule::ty).map(|p| self.ty(p)),
            support: parts.take(Rule::support).map(|p| self.expr(only(p))),
            default: parts.take(Rule::default).map(|p| self.expr(only(p))),
        }
    }

    /// `= e` or a block.
    pub(super) fn body(&mut self, pair: Node) -> Body {
        let body = only(pair);
        match body.as_rule() {
            Rule::block => Body::Block(self.block(body)),
            _ => Body::Expr(self.expr(body)),
        }
    }
}

fn pair_entries(pair: Node) -> impl Iterator<Item = Node> {
    pair.into_inner().filter(|p| p.as_rule() == Rule::log_entry)
}

/// What a loop counts, from a pair of the rule `unit`.
pub(super) fn unit(pair: &Node) -> Unit {
    match pair.as_str() {
        "step" | "steps" => Unit::Steps,
        "epoch" | "epochs" => Unit::Epochs,
        _ => Unit::Rows,
    }
}
