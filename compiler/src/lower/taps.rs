//! `tap n = e` in a net, and `taps(e)`: intermediate values by address, with which derivatives can be taken.

use super::leaves::map_leaves;
use super::session::{R, Session};
use super::value::{Env, Val};
use mlc_grammar::ast::{CallArg, Expr, Name};
use mlc_grammar::span::Span;

/// What was tapped while a `taps(..)` was evaluated, by address.
#[derive(Default)]
pub struct TapFrame {
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
        if !self.taps.is_empty() {
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
            if self
                .taps
                .iter()
                .any(|f| f.entries.iter().any(|e| e.0 == address))
            {
                let title = format!("`{address}` is tapped twice");
                return Err(Box::new(self.err("E0521", title, name.span).hint(
                    "the net runs twice in one `taps(..)`: take the taps of each call on its own",
                )));
            }
            for frame in &mut self.taps {
                frame.entries.push((address.clone(), v.clone()));
            }
        }
        env.bind(&name.text, v);
        Ok(())
    }

    /// `taps(e)`: the value, and the record of what is tapped in it. Addresses begin below the net if only one is tapped.
    pub(super) fn eval_taps(&mut self, args: &'static [CallArg], env: &Env, span: Span) -> R<Val> {
        let [CallArg { name: None, value }] = args else {
            return Err(Box::new(self.err(
                "E0201",
                "`taps` takes one expression",
                span,
            )));
        };
        self.taps.push(TapFrame::default());
        let v = self.eval(value, env);
        let frame = self.taps.pop().unwrap_or_default();
        let v = v?;
        let root = |address: &str| address.split('.').next().unwrap_or_default().to_string();
        let Some((first, _)) = frame.entries.first() else {
            return Err(Box::new(
                self.err("E0521", "nothing is tapped in this expression", value.span).hint(
                    "write the call of the net inside `taps(..)`, and `tap name = e` in the net",
                ),
            ));
        };
        let first = root(first);
        let one = frame.entries.iter().all(|e| root(&e.0) == first);
        let mut record = Vec::new();
        for (address, v) in frame.entries {
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
