//! Files and what they bring to one another: `use`, private names, and what a file may define at its top.

use super::session::{R, Session};
use super::value::Val;
use crate::program::HostError;
use mlc_grammar::ast::{self, Item, ItemKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::collections::HashMap;

/// A name that only its own file sees.
pub(super) fn is_private(name: &str) -> bool {
    name.starts_with('_')
}

/// The report for a private name of another file.
pub(super) fn private(name: &str, module: &str, span: Span) -> Report {
    Report::new("E0110", format!("`{name}` is private to `{module}`"))
        .label(
            span,
            "a name that starts with `_` is seen only in its own file",
        )
        .hint(format!(
            "use what the module offers, or rename it there to `{}`",
            name.trim_start_matches('_')
        ))
}

/// What is wrong with a file's top level as a whole: names bound twice, and `precision` in the wrong place.
pub(super) fn top_level(file: &ast::File, root: bool) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut seen: HashMap<String, Span> = HashMap::new();
    let mut tests: HashMap<&str, Span> = HashMap::new();
    let mut precision: Option<Span> = None;
    for item in &file.items {
        for (name, span) in bound(item) {
            if let Some(first) = seen.insert(name.clone(), span) {
                reports.push(
                    Report::new("E0111", format!("`{name}` is defined twice in this file"))
                        .label(span, "defined again")
                        .label(first, "defined first here"),
                );
            }
        }
        match &item.kind {
            ItemKind::Test {
                name, name_span, ..
            } => {
                if let Some(first) = tests.insert(name, *name_span) {
                    reports.push(
                        Report::new("E0111", format!("there are two tests \"{name}\""))
                            .label(*name_span, "named again")
                            .label(first, "named first here"),
                    );
                }
            }
            ItemKind::Precision(name) => {
                if !matches!(name.text.as_str(), "f32" | "f64") {
                    reports.push(
                        Report::new("E0112", format!("there is no precision `{}`", name.text))
                            .label(name.span, "not a precision")
                            .hint("write `precision f32` or `precision f64`"),
                    );
                } else if !root {
                    reports.push(
                        Report::new("E0112", "a module does not choose the precision")
                            .label(item.span, "in a file that another uses")
                            .hint("write it at the top of the pipeline, for all that it uses"),
                    );
                } else if let Some(first) = precision {
                    reports.push(
                        Report::new("E0112", "the precision is chosen twice")
                            .label(item.span, "chosen again")
                            .label(first, "chosen here"),
                    );
                }
                precision = Some(item.span);
            }
            _ => {}
        }
    }
    reports
}

/// The names an item brings into its file, with their places.
fn bound(item: &Item) -> Vec<(String, Span)> {
    match &item.kind {
        ItemKind::Use(u) if !u.names.is_empty() => {
            u.names.iter().map(|n| (n.text.clone(), n.span)).collect()
        }
        ItemKind::Use(u) => {
            let name = u.alias.as_ref().or(u.path.last());
            name.map(|n| (n.text.clone(), n.span)).into_iter().collect()
        }
        _ => super::resolve::item_names(item)
            .into_iter()
            .map(|n| (n.text.clone(), n.span))
            .collect(),
    }
}

/// Names that the `use`s of a file are meant to bring, whether or not they do.
pub(super) fn wanted(file: &ast::File) -> impl Iterator<Item = String> {
    file.items
        .iter()
        .filter(|i| matches!(i.kind, ItemKind::Use(_)))
        .flat_map(|i| bound(i).into_iter().map(|b| b.0))
}

impl Session {
    /// Finds what each `use` of a module means.
    pub(crate) fn link_uses(&mut self, module: usize, reports: &mut Vec<Report>) -> Vec<usize> {
        let tree = self.modules[module].tree;
        let mut found = Vec::new();
        for item in &tree.items {
            let ItemKind::Use(u) = &item.kind else {
                continue;
            };
            match self.link(u, reports) {
                Ok((target, brought)) => {
                    found.push(target);
                    for (local, name) in brought {
                        if let Some(n) = &name {
                            found.extend(self.enter(target, n, reports));
                        }
                        let there = match &name {
                            Some(n) => self.is_offered(target, n, u, item.span, reports),
                            None => true,
                        };
                        if there {
                            self.modules[module].uses.insert(local, (target, name));
                        }
                    }
                }
                Err(r) => reports.push(*r),
            }
        }
        found
    }

    /// The module a `use` means, and the names it brings: here, and there (`None`: the module itself). `a.b.{c}`: the module is
    /// `a/b`. `a.b`: the module `a/b` itself, or the name `b` of the module `a`.
    #[expect(clippy::type_complexity, reason = "pairs of names")]
    fn link(
        &mut self,
        u: &ast::Use,
        reports: &mut Vec<Report>,
    ) -> Result<(usize, Vec<(String, Option<String>)>), Box<Report>> {
        let segments: Vec<String> = u.path.iter().map(|n| n.text.clone()).collect();
        let (last, init) = match segments.split_last() {
            Some((last, init)) => (last.clone(), init),
            None => return Err(Box::new(self.no_module(u, &segments))),
        };
        let local = u.alias.as_ref().map_or(last.clone(), |a| a.text.clone());
        let refused = |e: HostError| Box::new(outside(u, &e));
        match self.find_module(&segments, reports).map_err(refused)? {
            Some(m) if u.names.is_empty() => Ok((m, vec![(local, None)])),
            Some(m) => {
                let names = u.names.iter().map(|n| n.text.clone());
                Ok((m, names.map(|n| (n.clone(), Some(n))).collect()))
            }
            None if u.names.is_empty() && !init.is_empty() => {
                match self.find_module(init, reports).map_err(refused)? {
                    Some(m) => Ok((m, vec![(local, Some(last))])),
                    None => Err(Box::new(self.no_module(u, &segments))),
                }
            }
            None => Err(Box::new(self.no_module(u, &segments))),
        }
    }

    /// Does a module offer a name to others? If not, that is reported.
    fn is_offered(
        &self,
        target: usize,
        name: &str,
        u: &ast::Use,
        whole: Span,
        reports: &mut Vec<Report>,
    ) -> bool {
        let named = u.names.iter().chain(u.path.last()).find(|n| n.text == name);
        let span = named.map_or(whole, |n| n.span);
        let m = &self.modules[target];
        if is_private(name) {
            reports.push(private(name, &m.path, span));
            return false;
        }
        if m.items.contains_key(name) || m.folder.is_some() && m.uses.contains_key(name) {
            return true;
        }
        if m.holes.contains(name) {
            return false;
        }
        let known: Vec<String> = match m.folder {
            Some(folder) => crate::stdlib::folder_names(folder),
            None => m.items.keys().filter(|n| !is_private(n)).cloned().collect(),
        };
        let mut path: Vec<&str> = u.path.iter().map(|n| n.text.as_str()).collect();
        if u.names.is_empty() {
            path.pop();
        }
        let mut r = Report::new("E0102", format!("`{}` has no `{name}`", path.join(".")))
            .label(span, "not defined in that module");
        if let Some(near) = super::resolve::nearest(name, &known) {
            r = r.hint(format!("did you mean `{near}`?"));
        } else if known.len() <= 12 {
            let mut known = known;
            known.sort();
            r = r.hint(format!("it defines {}", super::resolve::listed(&known)));
        }
        reports.push(r);
        false
    }

    fn no_module(&self, u: &ast::Use, segments: &[String]) -> Report {
        let mut r = Report::new(
            "E0101",
            format!("there is no module `{}`", segments.join(".")),
        )
        .label(
            path_span(u),
            "neither in the standard library nor beside the pipeline",
        );
        let known: Vec<String> = crate::stdlib::names().map(|n| format!("std.{n}")).collect();
        let near = super::resolve::nearest(&segments.join("."), &known);
        let near = near.or_else(|| {
            let (_, init) = segments.split_last()?;
            super::resolve::nearest(&init.join("."), &known)
        });
        if let Some(near) = near {
            r = r.hint(format!("did you mean a name of `{near}`?"));
        }
        r
    }

    fn find_module(
        &mut self,
        segments: &[String],
        reports: &mut Vec<Report>,
    ) -> Result<Option<usize>, HostError> {
        let key = segments.join("/");
        if let Some(&m) = self.module_index.get(&key) {
            return Ok(Some(m));
        }
        if let Some(folder) = key.strip_prefix("std/").and_then(crate::stdlib::folder) {
            let m = self.load_folder(&key, folder);
            self.module_index.insert(key, m);
            return Ok(Some(m));
        }
        let found = match key.strip_prefix("std/") {
            Some(name) => {
                crate::stdlib::text(name).map(|text| (format!("{key}.ml"), text.to_string()))
            }
            None => self.host.module(segments)?,
        };
        let Some((display, text)) = found else {
            return Ok(None);
        };
        let (m, more) = self.load_text(&display, &text);
        reports.extend(more);
        self.module_index.insert(key, m);
        Ok(Some(m))
    }
}

/// Folders of the library. A folder is a module whose names are those of its files; a file is read when one of its names is
/// needed.
impl Session {
    /// Reads the file of a folder that defines `name`, if that is not done yet and there is one.
    fn enter(&mut self, module: usize, name: &str, reports: &mut Vec<Report>) -> Option<usize> {
        let folder = self.modules[module].folder?;
        if let Some((file, _)) = self.modules[module].uses.get(name) {
            return Some(*file);
        }
        let path = crate::stdlib::file_with(folder, name)?;
        let mut segments = vec!["std".to_string()];
        segments.extend(path.split('/').map(String::from));
        let file = self.find_module(&segments, reports).ok().flatten()?;
        self.modules[module]
            .uses
            .insert(name.to_string(), (file, Some(name.to_string())));
        Some(file)
    }

    /// A function of `std.elements`.
    pub(super) fn elements_function(&mut self, name: &str, span: Span) -> R<Val> {
        let segments = ["std".to_string(), "elements".to_string()];
        let module = self.find_module(&segments, &mut Vec::new()).ok().flatten();
        match module.and_then(|m| self.item(m, name, span)) {
            Some(f) => f,
            None => Err(self.follows(span)),
        }
    }

    /// `enter`, for a name that is asked for while a pipeline is evaluated: `d.normal` after `use std.dist as d`.
    pub(super) fn enter_late(&mut self, module: usize, name: &str) {
        let mut reports = Vec::new();
        let mut all: Vec<usize> = self.enter(module, name, &mut reports).into_iter().collect();
        self.link_all(&mut all, &mut reports);
        debug_assert!(reports.is_empty(), "a file of the library is wrong");
    }

    /// Links what modules use, and adds to them what is found so.
    pub(super) fn link_all(&mut self, modules: &mut Vec<usize>, reports: &mut Vec<Report>) {
        let mut next = 0;
        while next < modules.len() {
            for found in self.link_uses(modules[next], reports) {
                if !modules.contains(&found) {
                    modules.push(found);
                }
            }
            next += 1;
        }
    }
}

fn path_span(u: &ast::Use) -> Span {
    let first = u.path.first().map_or(Span::default(), |n| n.span);
    u.path.last().map_or(first, |n| first.to(n.span))
}

/// The report for a module's file that may not be read.
fn outside(u: &ast::Use, e: &HostError) -> Report {
    let r = Report::new("E0113", &e.message).label(path_span(u), "used here");
    if e.hint.is_empty() {
        r
    } else {
        r.hint(&e.hint)
    }
}
