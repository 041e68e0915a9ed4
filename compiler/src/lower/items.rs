//! The top levels of files: read into modules, and their items evaluated when they are first asked for.

use super::session::{FOLLOWS, Failure, R, Session};
use super::value::{Env, Val};
use crate::ir::DType;
use mlc_grammar::ast;
use mlc_grammar::diag::Report;
use mlc_grammar::packed::Packed;
use mlc_grammar::span::{FileId, Span};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

/// A file's top level.
pub(super) struct Module {
    pub path: String,
    pub items: HashMap<String, ItemState>,
    /// Names a `use` brought in: the module and the name there (`None`: the module itself).
    pub uses: HashMap<String, (usize, Option<String>)>,
    /// Names that some `wrt:` in this file mentions.
    pub wrt: HashSet<String>,
    /// Of a text of the library, what it uses; see [`Session::tree`].
    pub tree: &'static ast::File,
    /// Words of what could not be parsed: names that may be defined there.
    pub holes: HashSet<String>,
    /// The folder of the library that this module stands for.
    pub folder: Option<&'static str>,
    /// Is it a text of the library that was embedded? Its names were checked when the compiler was.
    pub embedded: bool,
    /// The items of such a text, and the file that they are in.
    packed: Option<(FileId, &'static [Packed<'static>])>,
    /// The tree of all of them, once it was asked for.
    whole: OnceCell<&'static ast::File>,
}

#[derive(Clone)]
pub(super) enum ItemState {
    /// Of the library, to be unpacked when it is asked for.
    Packed(&'static Packed<'static>),
    Waiting(&'static ast::Item),
    /// Being evaluated: meeting it again is a cycle.
    Busy(Span),
    Done(Val),
    /// Told of already.
    Failed,
}

impl Session {
    /// Loads a pipeline, the library that all see, and what both use; checks their names.
    pub(super) fn load_root(&mut self, display: &str, text: &str) -> Result<(), Failure> {
        let (root, mut reports) = self.load_text(display, text);
        self.root = root;
        let library =
            |s: &mut Self, name: &str, reports: &mut Vec<Report>| match crate::stdlib::text(name) {
                Some(text) => {
                    let (module, more) = s.load_text(&format!("std/{name}.ml"), text);
                    s.module_index.insert(format!("std/{name}"), module);
                    reports.extend(more);
                    module
                }
                None => root,
            };
        self.prelude = library(self, "prelude", &mut reports);
        self.estimators = library(self, "estimators", &mut reports);
        self.support_library = library(self, "supports", &mut reports);
        let mut all = vec![root, self.prelude, self.estimators, self.support_library];
        self.link_all(&mut all, &mut reports);
        if reports.is_empty() {
            self.apply_sets(&mut reports);
        }
        for m in all {
            if cfg!(debug_assertions) || !self.modules[m].embedded {
                reports.extend(super::scope::check(self, m));
            }
        }
        let cycles = self.order_stages();
        if reports.is_empty() {
            reports = cycles;
        }
        // In the order of the text, file by file.
        reports.sort_by_key(|r| r.labels.first().map(|l| (l.span.file.0, l.span.start)));
        if reports.is_empty() {
            Ok(())
        } else {
            Err(self.failure(reports))
        }
    }

    /// Parses one text into a module.
    pub(super) fn load_text(&mut self, display: &str, text: &str) -> (usize, Vec<Report>) {
        let file = self.sources.add(display, text);
        // Most texts have no such argument, and a tree takes a while to be looked through.
        let differentiates = text.contains("wrt");
        if !differentiates && let Some(items) = crate::stdlib::packed(text) {
            return (self.add_packed(display, file, items), Vec::new());
        }
        let (tree, mut reports) = crate::stdlib::parse(file, text);
        let index = self.add_module(display, tree);
        self.modules[index].embedded = crate::stdlib::is_embedded(text);
        let tree = self.modules[index].tree;
        if differentiates {
            self.modules[index].wrt = super::resolve::wrt_names(tree);
        }
        for item in tree.items.iter().filter(|i| i.kind == ast::ItemKind::Hole) {
            let words = self
                .sources
                .text(item.span)
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            self.modules[index].holes.extend(words.map(String::from));
        }
        reports.extend(super::modules::top_level(tree, index == 0));
        (index, reports)
    }

    /// A folder of the library as a module; its files are read later.
    pub(super) fn load_folder(&mut self, display: &str, folder: &'static str) -> usize {
        let module = self.add_module(display, ast::File::default());
        self.modules[module].folder = Some(folder);
        module
    }

    /// A module of the library, of which the items are unpacked when they are needed: those that others bring in now.
    fn add_packed(&mut self, display: &str, file: FileId, items: Vec<Packed<'static>>) -> usize {
        let items: &'static [Packed] = items.leak();
        let uses = items.iter().filter(|i| i.is_use);
        let tree = ast::File {
            items: uses.filter_map(|i| i.unpack(file)).collect(),
        };
        let index = self.add_module(display, tree);
        let module = &mut self.modules[index];
        module.embedded = true;
        module.packed = Some((file, items));
        for item in items {
            let names = item.names.iter();
            module
                .items
                .extend(names.map(|n| (n.to_string(), ItemState::Packed(item))));
        }
        debug_assert!(super::modules::top_level(self.tree(index), false).is_empty());
        index
    }

    /// The whole tree of a module.
    pub(super) fn tree(&self, module: usize) -> &'static ast::File {
        let m = &self.modules[module];
        let Some((file, items)) = m.packed else {
            return m.tree;
        };
        m.whole.get_or_init(|| {
            let items = items.iter().filter_map(|i| i.unpack(file));
            Box::leak(Box::new(ast::File {
                items: items.collect(),
            }))
        })
    }

    /// Unpacks an item of the library.
    fn unpack(&mut self, module: usize, packed: &Packed) -> Option<()> {
        let m = &mut self.modules[module];
        let (file, _) = m.packed?;
        let item: &'static ast::Item = Box::leak(Box::new(packed.unpack(file)?));
        for n in &packed.names {
            m.items.insert(n.to_string(), ItemState::Waiting(item));
        }
        Some(())
    }

    fn add_module(&mut self, display: &str, tree: ast::File) -> usize {
        // Syntax trees live as long as the process: values refer into them, and a process reads few files.
        let tree: &'static ast::File = Box::leak(Box::new(tree));
        let index = self.modules.len();
        let mut module = Module {
            path: display.to_string(),
            items: HashMap::new(),
            uses: HashMap::new(),
            wrt: HashSet::new(),
            tree,
            holes: HashSet::new(),
            folder: None,
            embedded: false,
            packed: None,
            whole: OnceCell::new(),
        };
        for item in &tree.items {
            for name in super::resolve::item_names(item) {
                module
                    .items
                    .insert(name.text.clone(), ItemState::Waiting(item));
            }
            match &item.kind {
                ast::ItemKind::Precision(name) if name.text == "f64" => self.real = DType::F64,
                ast::ItemKind::Test { name, body, .. } if index == 0 => {
                    self.tests.push((name.clone(), body, index));
                }
                _ => {}
            }
        }
        self.modules.push(module);
        index
    }

    /// Replaces the expressions of top-level `let`s by those of `--set`.
    fn apply_sets(&mut self, reports: &mut Vec<Report>) {
        for (name, text) in self.options.sets.clone() {
            let known = match self.modules[self.root].items.get(&name) {
                Some(ItemState::Waiting(item)) => {
                    matches!(&item.kind, ast::ItemKind::Def(ast::Def::Let { pattern, .. })
                        if matches!(&pattern.kind, ast::PatternKind::Name(_)))
                }
                _ => false,
            };
            if !known {
                let names: Vec<String> = self.modules[self.root].items.keys().cloned().collect();
                let mut r =
                    Report::new("E0103", format!("`--set {name}` names no top-level `let`"));
                if let Some(near) = super::resolve::nearest(&name, &names) {
                    r = r.hint(format!("did you mean `{near}`?"));
                }
                reports.push(r);
                continue;
            }
            let file = self.sources.add(&format!("--set {name}"), &text);
            match mlc_grammar::parse_expr(file, &text) {
                Ok(e) => {
                    let e: &'static ast::Expr = Box::leak(Box::new(e));
                    let env = Env::module(self.root);
                    match self.in_init(|s| s.eval(e, &env)) {
                        Ok(v) => {
                            self.modules[self.root]
                                .items
                                .insert(name, ItemState::Done(v));
                        }
                        Err(r) => reports.push(*r),
                    }
                }
                Err(more) => reports.extend(more),
            }
        }
    }

    /// The value of a `let` that reads results of stages, for the program being built.
    fn late_item(&mut self, item: &'static ast::Item, name: &str) -> R<Val> {
        let ast::ItemKind::Def(def) = &item.kind else {
            return Ok(Val::Unit);
        };
        let names = super::resolve::item_names(item);
        for n in &names {
            let busy = ItemState::Busy(item.span);
            self.modules[self.root].items.insert(n.text.clone(), busy);
        }
        let top = std::mem::take(&mut self.top);
        let env = Env::module(self.root).child();
        let result = self.define(def, &env);
        self.top = top;
        for n in &names {
            let waiting = ItemState::Waiting(item);
            self.modules[self.root]
                .items
                .insert(n.text.clone(), waiting);
        }
        result?;
        Ok(env.get(name).unwrap_or(Val::Unit))
    }

    /// The value of a top-level name of a module, evaluated when first asked for.
    pub(super) fn item(&mut self, module: usize, name: &str, span: Span) -> Option<R<Val>> {
        if self.modules[module].folder.is_some() && !self.modules[module].uses.contains_key(name) {
            self.enter_late(module, name);
        }
        if let Some((target, inner)) = self.modules[module].uses.get(name).cloned() {
            return match inner {
                Some(inner) => self.item(target, &inner, span),
                None => Some(Ok(Val::Module(target))),
            };
        }
        Some(match self.modules[module].items.get(name)?.clone() {
            ItemState::Packed(packed) => {
                self.unpack(module, packed)?;
                return self.item(module, name, span);
            }
            ItemState::Done(v) => Ok(v),
            ItemState::Failed => Err(Box::new(
                Report::new(FOLLOWS, format!("`{name}` could not be evaluated"))
                    .label(span, "used here"),
            )),
            ItemState::Busy(at) => Err(Box::new(
                Report::new("E0104", format!("`{name}` is defined by itself"))
                    .label(span, "needed here, while it is being evaluated")
                    .label(at, "the definition")
                    .hint(
                        "a definition cannot need its own value; recursion is written with `scan`",
                    ),
            )),
            ItemState::Waiting(item) if module == self.root && self.late.contains(name) => {
                self.late_item(item, name)
            }
            ItemState::Waiting(item) => {
                let busy = ItemState::Busy(item.span);
                for n in super::resolve::item_names(item) {
                    self.modules[module]
                        .items
                        .insert(n.text.clone(), busy.clone());
                }
                match self.eval_item(module, item) {
                    Ok(values) => {
                        for (n, v) in values {
                            self.modules[module].items.insert(n, ItemState::Done(v));
                        }
                        match &self.modules[module].items[name] {
                            ItemState::Done(v) => Ok(v.clone()),
                            _ => Ok(Val::Unit),
                        }
                    }
                    Err(r) => {
                        for n in super::resolve::item_names(item) {
                            self.modules[module]
                                .items
                                .insert(n.text.clone(), ItemState::Failed);
                        }
                        Err(r)
                    }
                }
            }
        })
    }
}
