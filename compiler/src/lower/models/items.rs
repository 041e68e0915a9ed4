//! Sites in bodies that are repeated at compile time: those of a `for` over a list, and of an unrolled `scan`.

use super::branches::{Added, Marks};
use super::{Lane, Plate};
use crate::lower::session::{R, Session};
use mlc_grammar::span::Span;

impl Session {
    /// Runs `body` for each of `n` items; what its sites drew gets an axis of the items.
    pub(in crate::lower) fn over_items<T>(
        &mut self,
        n: usize,
        span: Span,
        body: &mut dyn FnMut(&mut Self, usize) -> R<T>,
    ) -> R<Vec<T>> {
        let marks: Marks = self.site_marks();
        let mut results = Vec::with_capacity(n);
        let mut added: Vec<Vec<Added>> = Vec::new();
        for i in 0..n {
            self.plates.push(Plate::new(n, Lane::One(i)));
            let result = body(self, i);
            self.plates.pop();
            results.push(result?);
            added.push(self.cut_sites(&marks));
        }
        for h in 0..marks.len() {
            let mut names = Vec::new();
            for item in &mut added {
                self.handlers[h].log_weights.append(&mut item[h].1);
                for (n, _) in &item[h].0 {
                    if !names.contains(n) {
                        names.push(n.clone());
                    }
                }
            }
            for name in names {
                let mut values = Vec::with_capacity(n);
                for item in &added {
                    match item[h].0.iter().find(|f| f.0 == name) {
                        Some((_, v)) => values.push(self.force_leaves(v, span)?),
                        None => {
                            let title =
                                format!("only some items of this list have the site `{name}`");
                            return Err(Box::new(self.err("E0457", title, span).hint(
                                "the trace has one entry for each item: give all items the same sites",
                            )));
                        }
                    }
                }
                let all = self.stack_vals(&values, span)?;
                self.handlers[h].trace.push((name, all));
            }
        }
        Ok(results)
    }
}
