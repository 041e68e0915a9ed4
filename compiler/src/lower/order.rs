//! The order of the stages, from what each reads.

use super::session::Session;
use crate::program::StageInfo;
use mlc_grammar::ast::{self, ExprKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use petgraph::graph::DiGraph;
use std::collections::HashMap;

impl Session {
    /// Puts the stages in an order in which they can run, and finds what each needs.
    pub(super) fn order_stages(&mut self) -> Vec<Report> {
        let tree = self.modules[self.root].tree;
        let asts: Vec<(&'static ast::Stage, Span)> = tree
            .items
            .iter()
            .filter_map(|i| match &i.kind {
                ast::ItemKind::Stage(s) => Some((s, i.span)),
                _ => None,
            })
            .collect();
        let defs: HashMap<String, Vec<String>> = tree
            .items
            .iter()
            .filter_map(|i| match &i.kind {
                ast::ItemKind::Def(d) => Some((i, names_in_def(d, i.span))),
                _ => None,
            })
            .flat_map(|(i, names)| {
                super::resolve::item_names(i)
                    .into_iter()
                    .map(move |n| (n.text.clone(), names.clone()))
            })
            .collect();
        for item in &tree.items {
            if let ast::ItemKind::Def(d @ ast::Def::Let { .. }) = &item.kind
                && reached(names_in_def(d, item.span), &defs)
                    .iter()
                    .any(|n| asts.iter().any(|s| s.0.name.text == *n))
            {
                let names = super::resolve::item_names(item);
                self.late.extend(names.iter().map(|n| n.text.clone()));
            }
        }
        let mut graph = DiGraph::<usize, ()>::new();
        let nodes: Vec<_> = (0..asts.len()).map(|i| graph.add_node(i)).collect();
        let index: HashMap<&str, usize> = asts
            .iter()
            .enumerate()
            .map(|(i, s)| (s.0.name.text.as_str(), i))
            .collect();
        let mut reports = Vec::new();
        let mut after: Vec<Vec<usize>> = Vec::new();
        let mut needs: Vec<Vec<usize>> = Vec::new();
        for (i, (s, _)) in asts.iter().enumerate() {
            let mut before = Vec::new();
            for e in &s.after {
                let applied = match &e.kind {
                    ExprKind::Call(f, _) => super::resolve::path_text(f),
                    _ => None,
                };
                let path = applied.clone().or_else(|| super::resolve::path_text(e));
                match path.and_then(|p| index.get(p.as_str()).copied()) {
                    // What it is applied to is known when the stage is lowered.
                    Some(j) if !asts[j].0.args.is_empty() && applied.is_some() => {}
                    Some(j) if asts[j].0.args.is_empty() && applied.is_none() => before.push(j),
                    Some(j) if applied.is_none() => {
                        let name = &asts[j].0.name.text;
                        reports.push(
                            Report::new("E0601", format!("`{name}` is a stage with arguments"))
                                .label(e.span, "they are not given")
                                .hint(format!("apply it: `after {name}(..)`")),
                        );
                    }
                    _ => reports.push(
                        Report::new("E0601", "`after` names a stage")
                            .label(e.span, "no stage of this file"),
                    ),
                }
            }
            let mut all = before.clone();
            let mut names = super::resolve::names_in_block(&s.body);
            if let ast::StageKind::Train {
                source: Some(e), ..
            } = &s.kind
            {
                names.extend(super::resolve::names_in(e));
            }
            for e in &s.after {
                names.extend(super::resolve::names_in(e));
            }
            for n in reached(names, &defs) {
                if let Some(&j) = index.get(n.as_str())
                    && (j != i || !s.args.is_empty())
                    && !all.contains(&j)
                {
                    all.push(j);
                }
            }
            for &j in &all {
                graph.add_edge(nodes[j], nodes[i], ());
            }
            after.push(before);
            needs.push(all);
        }
        let order: Vec<usize> = match petgraph::algo::toposort(&graph, None) {
            Ok(_) => {
                // Of the possible orders, the one nearest to the file's.
                let mut done = vec![false; asts.len()];
                let mut order = Vec::new();
                while order.len() < asts.len() {
                    let next =
                        (0..asts.len()).find(|&i| !done[i] && needs[i].iter().all(|&j| done[j]));
                    let Some(i) = next else { break };
                    done[i] = true;
                    order.push(i);
                }
                order
            }
            Err(cycle) => {
                let at = asts[graph[cycle.node_id()]].0;
                reports.push(
                    Report::new(
                        "E0605",
                        format!("the stage `{}` needs its own result", at.name.text),
                    )
                    .label(at.name.span, "part of a cycle of stages"),
                );
                return reports;
            }
        };
        let (order, templates): (Vec<usize>, Vec<usize>) =
            order.iter().partition(|&&i| asts[i].0.args.is_empty());
        let place: HashMap<usize, usize> = order.iter().enumerate().map(|(p, &i)| (i, p)).collect();
        let places = |of: &[usize]| -> Vec<usize> {
            of.iter().filter_map(|j| place.get(j).copied()).collect()
        };
        for &i in &templates {
            self.templates.push(super::applications::Template {
                def: asts[i].0,
                span: asts[i].1,
                after: places(&after[i]),
                needs: places(&needs[i]),
                instances: vec![],
            });
        }
        for &i in &order {
            let (s, span) = asts[i];
            self.stage_asts.push(s);
            self.stages.push(StageInfo {
                name: s.name.text.clone(),
                span,
                kind: super::applications::kind(s),
                after: places(&after[i]),
                needs: places(&needs[i]),
            });
        }
        reports
    }
}

fn names_in_def(d: &ast::Def, span: Span) -> Vec<String> {
    super::resolve::names_in_block(&ast::Block {
        stmts: vec![ast::Stmt {
            kind: ast::StmtKind::Def(d.clone()),
            span,
            doc: None,
        }],
        span,
    })
}

/// The names, and those that the definitions of these names read.
fn reached(names: Vec<String>, defs: &HashMap<String, Vec<String>>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut waiting = names;
    while let Some(n) = waiting.pop() {
        if !found.contains(&n) {
            waiting.extend(defs.get(&n).into_iter().flatten().cloned());
            found.push(n);
        }
    }
    found
}
