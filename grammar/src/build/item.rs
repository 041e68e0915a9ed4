//! What stands at the top of a file.

use super::stmt::unit;
use super::{Builder, Node, Parts, only, unexpected};
use crate::ast::{Dist, Estimator, ItemKind, Member, Optimizer, Stage, StageKind, Use};
use crate::parse::Rule;

impl Builder<'_> {
    /// An item, from a pair of the rule `item`.
    pub(crate) fn item(&mut self, pair: Node) -> ItemKind {
        let item = only(pair);
        match item.as_rule() {
            Rule::use_item => ItemKind::Use(self.use_item(item)),
            Rule::precision => ItemKind::Precision(self.name(&only(item))),
            Rule::data_item => {
                let mut parts = Parts::new(item);
                let name = self.name(&parts.need(Rule::name));
                ItemKind::Data {
                    name,
                    value: self.expr(parts.need(Rule::expr)),
                }
            }
            Rule::def => ItemKind::Def(self.def(item)),
            Rule::dist => ItemKind::Dist(self.dist(item)),
            Rule::estimator => ItemKind::Estimator(self.estimator(item)),
            Rule::optimizer => ItemKind::Optimizer(self.optimizer(item)),
            Rule::stage => ItemKind::Stage(self.stage(item)),
            Rule::test => {
                let mut parts = Parts::new(item);
                let title = parts.need(Rule::string);
                let name_span = self.span(&title);
                let name = self.string(&title);
                ItemKind::Test {
                    name,
                    name_span,
                    body: self.block(parts.need(Rule::block)),
                }
            }
            r => unexpected(r, "an item"),
        }
    }

    fn use_item(&mut self, pair: Node) -> Use {
        let mut parts = Parts::new(pair);
        Use {
            path: self.names(parts.need(Rule::use_path)),
            names: parts
                .take(Rule::use_names)
                .map_or(vec![], |p| self.names(p)),
            alias: parts.take(Rule::use_alias).map(|p| self.name(&only(p))),
        }
    }

    fn dist(&mut self, pair: Node) -> Dist {
        let mut parts = Parts::new(pair);
        Dist {
            name: self.name(&parts.need(Rule::name)),
            args: self.args(parts.need(Rule::args)),
            support: self.expr(parts.need(Rule::expr)),
            members: parts.rest().map(|p| self.member(p)).collect(),
        }
    }

    fn member(&mut self, pair: Node) -> Member {
        let span = self.span(&pair);
        let mut parts = Parts::new(pair);
        Member {
            name: self.name(&parts.need(Rule::name)),
            args: self.args(parts.need(Rule::args)),
            conditions: parts
                .take(Rule::member_where)
                .into_iter()
                .flat_map(Node::into_inner)
                .filter(|p| p.as_rule() == Rule::expr)
                .map(|p| self.expr(p))
                .collect(),
            body: self.body(parts.need(Rule::body)),
            doc: self.doc(span),
            span,
        }
    }

    fn estimator(&mut self, pair: Node) -> Estimator {
        let mut parts = Parts::new(pair);
        let biased = parts.take(Rule::w_biased).is_some();
        let name = self.name(&parts.need(Rule::name));
        let args = self.args(parts.need(Rule::args));
        let (mut conditions, mut orders) = (Vec::new(), Vec::new());
        let demands = parts
            .take(Rule::where_clause)
            .into_iter()
            .flat_map(Node::into_inner);
        let demands: Vec<Node> = demands.chain(parts.take(Rule::order_clause)).collect();
        for p in demands {
            match p.as_rule() {
                Rule::expr => conditions.push(self.expr(p)),
                Rule::order_clause => orders.push(self.expr(only(p))),
                _ => {}
            }
        }
        if let [_, second, ..] = orders.as_slice() {
            let span = second.span;
            self.error(
                "the order is stated twice",
                span,
                "again",
                "keep one `order n`",
            );
        }
        let order = orders.into_iter().next();
        Estimator {
            name,
            biased,
            args,
            conditions,
            order,
            body: self.block(parts.need(Rule::block)),
        }
    }

    fn optimizer(&mut self, pair: Node) -> Optimizer {
        let mut parts = Parts::new(pair);
        let transform = parts.take(Rule::w_transform).is_some();
        let name = self.name(&parts.need(Rule::name));
        let args = self.args(parts.need(Rule::args));
        let all = parts.take(Rule::w_all).is_some();
        let mut binders = Vec::new();
        while let Some(p) = parts.take(Rule::name) {
            binders.push(self.name(&p));
        }
        Optimizer {
            transform,
            name,
            args,
            all,
            binders,
            body: self.block(parts.need(Rule::block)),
        }
    }

    fn stage(&mut self, pair: Node) -> Stage {
        let mut parts = Parts::new(pair);
        Stage {
            name: self.name(&parts.need(Rule::name)),
            args: parts.take(Rule::args).map_or(vec![], |p| self.args(p)),
            kind: self.stage_kind(only(parts.need(Rule::stage_kind))),
            after: self.after(&mut parts),
            body: self.block(parts.need(Rule::block)),
        }
    }

    fn stage_kind(&mut self, pair: Node) -> StageKind {
        match pair.as_rule() {
            Rule::w_report => StageKind::Report,
            Rule::w_compute => StageKind::Compute,
            _ => self.train(pair),
        }
    }

    fn train(&mut self, pair: Node) -> StageKind {
        let mut parts = Parts::new(pair);
        let (pattern, source) = match parts.take(Rule::train_source) {
            None => (None, None),
            Some(p) => {
                let mut parts = Parts::new(p);
                let pattern = self.pattern(parts.need(Rule::pattern));
                (Some(pattern), Some(self.expr(parts.need(Rule::expr))))
            }
        };
        let count = self.expr(parts.need(Rule::sum));
        StageKind::Train {
            pattern,
            source,
            count,
            unit: unit(&parts.need(Rule::unit)),
        }
    }

    fn after(&mut self, parts: &mut Parts) -> Vec<crate::ast::Expr> {
        let Some(p) = parts.take(Rule::after) else {
            return vec![];
        };
        Parts::new(p).rest().map(|p| self.expr(p)).collect()
    }
}
