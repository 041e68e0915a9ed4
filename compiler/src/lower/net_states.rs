//! States of nets: `state s = e` in a net belongs to the instance, `next s = e` says what it becomes, and `nexts(e)` collects that
//! for a `set` of the step. A call has no effects: what nobody sets stays as it was.

use super::made::below;
use super::nets::insert;
use super::session::{R, Session};
use super::taps::Collected;
use super::value::{Env, NetVal, Val};
use crate::program::SlotKind;
use mlc_grammar::ast::{self, CallArg, Expr, Name, Pattern, PatternKind};
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// `state name = e` in a net.
    pub(super) fn net_state(
        &mut self,
        name: &'static Name,
        ty: Option<&'static ast::TypeExpr>,
        value: &'static Expr,
        env: &Env,
    ) -> R<()> {
        let path = self.path_of(&name.text);
        let Some(frame) = self.nets.last_mut() else {
            return Ok(());
        };
        frame.own_states.push(name.text.clone());
        let stacked = frame.stack.is_some();
        // Of `n.with(r)`, `r` may have states, too.
        let given = frame.states.as_ref().and_then(|s| s.field(&name.text));
        let other = frame.with.as_ref().and_then(|w| w.field(&name.text));
        if stacked {
            return Err(self.unsupported("a `state` in a stack of nets", name.span));
        }
        let v = match (given.or(other), self.state_values.get(&path)) {
            (Some(v), _) => v,
            (None, Some(v)) => v.clone(),
            (None, None) => {
                let v = self.first_value(&path, ty, value, env, &SlotKind::State, None)?;
                self.state_values.insert(path, v.clone());
                v
            }
        };
        env.bind(&name.text, v);
        Ok(())
    }

    /// Is this the `next` of a state of the net whose body runs, and not that of a `scan` in it?
    pub(super) fn is_net_next(&self, pattern: &Pattern) -> bool {
        let PatternKind::Name(name) = &pattern.kind else {
            return false;
        };
        self.nets
            .last()
            .is_some_and(|n| n.scans == self.scans.len() && n.own_states.contains(name))
    }

    /// `next name = e` in a net.
    pub(super) fn net_next(&mut self, pattern: &'static Pattern, v: &Val, value: Span) -> R<()> {
        let PatternKind::Name(name) = &pattern.kind else {
            return Ok(());
        };
        let address = self.path_of(name);
        if self.taps.iter().any(|f| f.what == Collected::Nexts) {
            let v = self.force_leaves(v, value)?;
            return self.collect(Collected::Nexts, &address, &v, pattern.span);
        }
        let in_step = self.optimizer.is_none() && self.train.as_ref().is_some_and(|t| !t.in_every);
        if self.is_unheard || !in_step {
            return Ok(());
        }
        let net = address.split('.').next().unwrap_or_default();
        let title = format!("what `{address}` becomes in this step is lost");
        Err(Box::new(
            self.err("E0528", title, self.calls_from_file(pattern.span))
                .label(pattern.span, "it gets a new value here")
                .hint(format!(
                    "keep it: `let (loss, moved) = nexts(..)` around the call, then `set {net}.states = moved`"
                )),
        ))
    }

    /// The youngest call that is not in the library.
    fn calls_from_file(&self, or: Span) -> Span {
        let mut calls = self.frames.iter().rev().map(|f| f.span);
        calls
            .find(|s| *s != Span::default() && !self.of_library(*s))
            .unwrap_or(or)
    }

    /// `nexts(e)`: the value, and the record of what states of nets become.
    pub(super) fn eval_nexts(&mut self, args: &'static [CallArg], env: &Env, span: Span) -> R<Val> {
        self.collected(Collected::Nexts, args, env, span)
    }

    /// `n.states`: a record that mirrors the addresses.
    pub(super) fn net_states(&mut self, n: &Rc<NetVal>, span: Span) -> R<Val> {
        if let Some(states) = &n.states {
            return Ok(states.clone());
        }
        if n.with.is_none() {
            self.ensure_net(n, span)?;
        }
        let mut root = Vec::new();
        for id in self.kept_below(&n.path, &[SlotKind::State]) {
            let name = self.slots[id.0 as usize].name.clone();
            let rest = name[n.path.len()..].trim_start_matches('.');
            let given = n.with.as_ref().and_then(|w| below(w, rest));
            insert(&mut root, rest, given.unwrap_or(Val::Slot(id)));
        }
        Ok(Val::record(root))
    }

    /// The parameters and the states of a net: all that it is made of besides its code.
    pub(super) fn net_kept(&mut self, n: &Rc<NetVal>, span: Span) -> R<Val> {
        let params = self.net_params(n, span)?;
        let states = self.net_states(n, span)?;
        Ok(united(&params, &states))
    }
}

/// Two nested records as one; what both have is the first one's.
fn united(a: &Val, b: &Val) -> Val {
    let (Val::Record(first), Val::Record(second)) = (a, b) else {
        return a.clone();
    };
    let mut out: Vec<_> = first
        .iter()
        .map(|(n, v)| match b.field(n) {
            Some(other) => (n.clone(), united(v, &other)),
            None => (n.clone(), v.clone()),
        })
        .collect();
    out.extend(second.iter().filter(|(n, _)| a.field(n).is_none()).cloned());
    Val::record(out)
}
