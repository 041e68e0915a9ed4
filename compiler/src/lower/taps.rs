//! `tap n = e` in a net, and `taps(e)`: intermediate values by address, with which derivatives can be taken. What states of nets
//! become (`net_states.rs`) is collected in the same way.

use super::leaves::{leaves, map_leaves};
use super::session::{R, Session};
use super::value::{Env, Val};
use crate::ir::Value;
use mlc_grammar::ast::{CallArg, Expr, Name};
use mlc_grammar::span::Span;

/// What nets say besides their values: `tap n = e`, or `next s = e`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Collected {
    Taps,
    Nexts,
}

impl Collected {
    /// The function that collects it.
    fn function(self) -> &'static str {
        match self {
            Self::Taps => "taps",
            Self::Nexts => "nexts",
        }
    }
}

/// What was said while a `taps(..)` or `nexts(..)` was evaluated, by address.
pub struct TapFrame {
    pub what: Collected,
    pub entries: Vec<(String, Val)>,
}

impl Session {
    /// `tap name = e`
    pub(super) fn eval_tap(
        &mut self,
        name: &'static Name,
        value: &'static Expr,
        env: &Env,
    ) -> R<()> {
        let Some(net) = self.nets.last() else {
            return Err(Box::new(
                self.err("E0520", "`tap` stands only in a net", name.span)
                    .hint("elsewhere, bind the value with `let`; a derivative can be taken by any name"),
            ));
        };
        let address = format!("{}.{}", net.path, name.text);
        let mut v = self.eval(value, env)?;
        if self.taps.iter().any(|f| f.what == Collected::Taps) {
            // A node of its own, so that derivatives by it count the paths from here.
            v = self.force_leaves(&v, value.span)?;
            v = map_leaves(&v, &mut |t| {
                if !self.ctx.graph.ty(t).dtype.is_real() {
                    return t;
                }
                let t = self.ctx.bind(t);
                self.ctx.tapped.insert(t);
                t
            });
            self.collect(Collected::Taps, &address, &v, name.span)?;
        }
        env.bind(&name.text, v);
        Ok(())
    }

    /// Adds a value to all that is being collected of its kind.
    pub(super) fn collect(&mut self, what: Collected, address: &str, v: &Val, span: Span) -> R<()> {
        let mut frames = self.taps.iter().filter(|f| f.what == what);
        if frames.any(|f| f.entries.iter().any(|e| e.0 == address)) {
            let (title, hint) = match what {
                Collected::Taps => (
                    format!("`{address}` is tapped twice"),
                    "the net runs twice in one `taps(..)`: take the taps of each call on its own",
                ),
                Collected::Nexts => (
                    format!("`{address}` gets two next values"),
                    "the net runs twice in one `nexts(..)`: give each call a `nexts` of its own, and `set` the one to keep",
                ),
            };
            return Err(Box::new(self.err("E0521", title, span).hint(hint)));
        }
        for frame in self.taps.iter_mut().filter(|f| f.what == what) {
            frame.entries.push((address.to_string(), v.clone()));
        }
        Ok(())
    }

    /// Runs `f` so that what nets say in it besides their values goes nowhere.
    pub(super) fn unheard<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let taps = std::mem::take(&mut self.taps);
        let outer = std::mem::replace(&mut self.is_unheard, true);
        let result = f(self);
        self.is_unheard = outer;
        self.taps = taps;
        result
    }

    /// How much was collected so far.
    pub(super) fn collected_so_far(&self) -> Vec<usize> {
        self.taps.iter().map(|f| f.entries.len()).collect()
    }

    /// Forgets what was collected since.
    pub(super) fn forget_collected(&mut self, marks: &[usize]) {
        for (frame, m) in self.taps.iter_mut().zip(marks) {
            frame.entries.truncate(*m);
        }
    }

    /// Refuses what was collected since and depends on some nodes: sites of an `expect`, which give way to their estimators.
    pub(super) fn check_collected(&self, marks: &[usize], sites: &[Value], span: Span) -> R<()> {
        let new = |(f, m): (&TapFrame, &usize)| f.entries[*m..].to_vec();
        let entries = self.taps.iter().zip(marks).flat_map(new);
        let mut open: Vec<Value> = entries.flat_map(|(_, v)| leaves(&v)).collect();
        let Some(&oldest) = sites.iter().min() else {
            return Ok(());
        };
        let mut seen = std::collections::HashSet::new();
        while let Some(v) = open.pop() {
            if v < oldest || !seen.insert(v) {
                continue;
            }
            if sites.contains(&v) {
                let what = "a `tap`, or a `next` of a state, of what a draw in an `expect` decides";
                return Err(self.unsupported(what, span));
            }
            open.extend(self.ctx.graph.operands(v));
        }
        Ok(())
    }

    /// `taps(e)`: the value, and the record of what is tapped in it. Addresses begin below the net if only one is tapped.
    pub(super) fn eval_taps(&mut self, args: &'static [CallArg], env: &Env, span: Span) -> R<Val> {
        self.collected(Collected::Taps, args, env, span)
    }

    /// The value of one expression, and the record of what nets said in it.
    pub(super) fn collected(
        &mut self,
        what: Collected,
        args: &'static [CallArg],
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let [CallArg { name: None, value }] = args else {
            let title = format!("`{}` takes one expression", what.function());
            return Err(Box::new(self.err("E0201", title, span)));
        };
        self.taps.push(TapFrame {
            what,
            entries: vec![],
        });
        let v = self.eval(value, env);
        let entries = self.taps.pop().map_or(vec![], |f| f.entries);
        let v = v?;
        let root = |address: &str| address.split('.').next().unwrap_or_default().to_string();
        let Some((first, _)) = entries.first() else {
            let (title, hint) = match what {
                Collected::Taps => (
                    "nothing is tapped in this expression",
                    "write the call of the net inside `taps(..)`, and `tap name = e` in the net",
                ),
                Collected::Nexts => (
                    "no state gets a next value in this expression",
                    "write the call of the net inside `nexts(..)`, and `next s = e` in the net; it may depend on an argument, such as `train: true`",
                ),
            };
            return Err(Box::new(self.err("E0521", title, value.span).hint(hint)));
        };
        let first = root(first);
        let one = entries.iter().all(|e| root(&e.0) == first);
        let mut record = Vec::new();
        for (address, v) in entries {
            let below = if one {
                &address[first.len() + 1..]
            } else {
                &address
            };
            super::nets::insert(&mut record, below, v);
        }
        Ok(Val::tuple(vec![v, Val::record(record)]))
    }
}
