//! `export e, to: "file.csv"`: what a `compute` stage writes into the run's folder for other programs.

use super::session::{R, Session};
use super::value::{Env, Val};
use crate::ir::Value;
use crate::program::{Export, ExportFormat, Sink};
use mlc_grammar::ast::{CallArg, Expr, ExprKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;

/// Groups of ArviZ's InferenceData, and whether their variables have an axis of draws first.
const GROUPS: &[(&str, bool)] = &[
    ("posterior", true),
    ("posterior_predictive", true),
    ("predictions", true),
    ("log_likelihood", true),
    ("log_prior", true),
    ("sample_stats", true),
    ("prior", true),
    ("prior_predictive", true),
    ("sample_stats_prior", true),
    ("observed_data", false),
    ("constant_data", false),
    ("predictions_constant_data", false),
];

impl Session {
    /// `export e, to: "file.csv"`
    pub(super) fn eval_export(&mut self, args: &'static [CallArg], env: &Env, span: Span) -> R<()> {
        if !self.top || self.train.is_some() || self.optimizer.is_some() {
            return Err(Box::new(
                self.err("E0602", "`export` stands only in a `compute` stage", span)
                    .hint("compute what is exported in `stage s = compute after t { .. }`, and export it there"),
            ));
        }
        let named = |a: &&CallArg| a.name.as_ref().is_some_and(|n| n.text == "to");
        let (Some(e), Some(to), 2) = (
            args.iter().find(|a| a.name.is_none()).map(|a| &a.value),
            args.iter().find(named).map(|a| &a.value),
            args.len(),
        ) else {
            return Err(self.wrong_export("`export` takes a value and a file", span));
        };
        let (file, format) = self.export_file(to)?;
        let v = self.eval(e, env)?;
        let v = self.kept_in(v, e.span)?;
        let v = match v {
            Val::List(_) => Val::Tensor(self.force(&v, e.span)?),
            v => self.force_leaves(&v, e.span)?,
        };
        let mut leaves = Vec::new();
        self.export_leaves("", &v, e, &mut leaves)?;
        match format {
            ExportFormat::Csv => self.check_rows(&leaves, "the columns", e.span)?,
            ExportFormat::Npz | ExportFormat::Safetensors => {}
            ExportFormat::InferenceData => self.check_groups(&v, &leaves, e.span)?,
        }
        for (name, t) in leaves {
            let drawn = GROUPS
                .iter()
                .any(|g| g.1 && name.split('.').next() == Some(g.0));
            let export = Export {
                file: file.clone(),
                format,
                name: name.clone(),
                drawn,
            };
            self.ctx.sink(&name, t, Sink::Export(export));
        }
        Ok(())
    }

    /// A value in which nets and models that keep something are the records of that.
    fn kept_in(&mut self, v: Val, span: Span) -> R<Val> {
        Ok(match &v {
            Val::Net(n) | Val::Nets(n, _) => self.net_kept(n, span)?,
            Val::Model(m) => match &m.made {
                Some(made) => self.model_kept(made),
                None => {
                    let title = "this model keeps nothing that could be exported";
                    return Err(self.wrong_export(title, span));
                }
            },
            Val::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.kept_in(v.clone(), span)?));
                }
                Val::record(out)
            }
            _ => v,
        })
    }

    fn wrong_export(&self, title: &str, span: Span) -> Box<Report> {
        Box::new(self.err("E0653", title, span).hint(
            "write `export draws, to: \"posterior.csv\"`: a record of tensors, and a file that ends in `.csv`, `.npz`, `.json` or `.safetensors`",
        ))
    }

    /// The file's name and format; two exports of a pipeline have two files.
    fn export_file(&mut self, to: &'static Expr) -> R<(String, ExportFormat)> {
        let ExprKind::Str(file) = &to.kind else {
            return Err(self.wrong_export("a file is named by a text", to.span));
        };
        let format = match file.rsplit_once('.') {
            Some((stem, ending)) if !stem.is_empty() => match ending {
                "csv" => Some(ExportFormat::Csv),
                "npz" => Some(ExportFormat::Npz),
                "json" => Some(ExportFormat::InferenceData),
                "safetensors" => Some(ExportFormat::Safetensors),
                _ => None,
            },
            _ => None,
        };
        let Some(format) = format else {
            let title = format!("`{file}` says no format that there is");
            return Err(self.wrong_export(&title, to.span));
        };
        let plain = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
        if !file.chars().all(plain) || file.starts_with(['.', ' ']) || file.len() > 100 {
            let title = format!("`{file}` is no plain name of a file in the run's folder");
            return Err(self.wrong_export(&title, to.span));
        }
        match self.exported.get(file) {
            Some(&at) if at != to.span => Err(Box::new(
                self.err("E0653", format!("`{file}` is exported twice"), to.span)
                    .label(at, "here, too")
                    .hint("give each export a file of its own"),
            )),
            _ => {
                self.exported.insert(file.clone(), to.span);
                Ok((file.clone(), format))
            }
        }
    }

    /// The tensors of a value, by address.
    fn export_leaves(
        &mut self,
        name: &str,
        v: &Val,
        e: &Expr,
        out: &mut Vec<(String, Value)>,
    ) -> R<()> {
        let below = |n: &str| match name {
            "" => n.to_string(),
            name => format!("{name}.{n}"),
        };
        match v {
            Val::Record(fields) => fields
                .iter()
                .try_for_each(|(n, v)| self.export_leaves(&below(n), v, e, out)),
            Val::Tuple(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(i, v)| self.export_leaves(&below(&i.to_string()), v, e, out)),
            v => {
                let t = self.force(v, e.span)?;
                let name = if name.is_empty() { "value" } else { name };
                out.push((name.to_string(), t));
                Ok(())
            }
        }
    }

    /// Do all tensors have equally many rows?
    fn check_rows(&self, leaves: &[(String, Value)], what: &str, span: Span) -> R<()> {
        let mut first: Option<(&str, usize)> = None;
        for (name, t) in leaves {
            let Some(&n) = self.ctx.graph.ty(*t).shape.first() else {
                let title = format!("`{name}` is one number, and has no rows");
                return Err(self.wrong_export(&title, span));
            };
            match first {
                Some((other, m)) if m != n => {
                    let title = format!(
                        "{what} differ in length: `{other}` has {m} rows, `{name}` has {n}"
                    );
                    return Err(self.wrong_export(&title, span));
                }
                _ => first = Some((name, n)),
            }
        }
        match leaves.is_empty() {
            true => Err(self.wrong_export("there is nothing to export", span)),
            false => Ok(()),
        }
    }

    /// Is the value a record of InferenceData's groups, each a record?
    fn check_groups(&self, v: &Val, leaves: &[(String, Value)], span: Span) -> R<()> {
        let known: Vec<String> = GROUPS.iter().map(|g| g.0.to_string()).collect();
        let groups = match v {
            Val::Record(fields) => fields.iter().map(|f| (f.0.as_ref(), &f.1)).collect(),
            _ => vec![],
        };
        let wrong = |title: String| {
            Box::new(self.err("E0653", title, span).hint(format!(
                "write `{{posterior: draws, observed_data: {{y: y}}}}`; the groups are {}",
                super::resolve::listed(&known)
            )))
        };
        if groups.is_empty() {
            return Err(wrong(
                "a `.json` file is a record of groups of records".into(),
            ));
        }
        for (name, group) in groups {
            let Some((_, drawn)) = GROUPS.iter().find(|g| g.0 == name) else {
                return Err(wrong(format!("InferenceData has no group `{name}`")));
            };
            if !matches!(group, Val::Record(_)) {
                return Err(wrong(format!("the group `{name}` is no record")));
            }
            let prefix = format!("{name}.");
            let own: Vec<(String, Value)> = leaves
                .iter()
                .filter(|l| l.0.starts_with(&prefix))
                .cloned()
                .collect();
            if *drawn {
                self.check_rows(&own, "the draws of a group", span)?;
            }
        }
        Ok(())
    }
}
