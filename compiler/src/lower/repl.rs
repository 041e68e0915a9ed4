//! Lines typed at a prompt: definitions are kept, expressions become programs.

use super::eval::Frame;
use super::items::ItemState;
use super::leaves::leaves;
use super::session::{Failure, R, Session};
use super::value::{Env, Val};
use crate::ir::Type;
use crate::program::Program;
use mlc_grammar::ast;

/// What became of a line.
pub enum ReplResult {
    /// A definition, named.
    Defined(String),
    Value(Box<ExprProgram>),
}

/// An expression's program, and how its outputs make up its value.
pub struct ExprProgram {
    pub program: Program,
    pub shape: ValueShape,
    /// Its type as a user writes it.
    pub ty: String,
}

/// A value with outputs of a program at its leaves.
#[derive(Clone, Debug)]
pub enum ValueShape {
    /// An output of the program, by position.
    Tensor(usize),
    Tuple(Vec<ValueShape>),
    Record(Vec<(String, ValueShape)>),
    /// What is known without running anything.
    Text(String),
}

impl Session {
    /// Takes one entry of a prompt: definitions are added (a later one replaces an earlier one), expressions are lowered.
    ///
    /// # Errors
    /// The entry's mistakes; the session is as before.
    pub fn repl(&mut self, text: &str) -> Result<Vec<ReplResult>, Failure> {
        self.touched_stages.clear();
        self.repl_files += 1;
        let name = format!("<{}>", self.repl_files);
        let file = self.sources.add(&name, text);
        let (entries, reports) = mlc_grammar::parse_repl(file, text);
        if !reports.is_empty() {
            return Err(self.failure(reports));
        }
        let mut out = Vec::new();
        for entry in entries {
            match entry {
                mlc_grammar::ReplEntry::Item(item) => out.push(self.repl_item(item)?),
                mlc_grammar::ReplEntry::Stmt(stmt) => out.push(self.repl_stmt(stmt)?),
            }
        }
        Ok(out)
    }

    /// What the pipeline and the entries define, and the names that they use of modules.
    pub fn names(&self) -> Vec<String> {
        let names = self.modules[self.root].items.keys();
        names.filter(|n| !n.starts_with('<')).cloned().collect()
    }

    fn repl_item(&mut self, item: ast::Item) -> Result<ReplResult, Failure> {
        let item: &'static ast::Item = Box::leak(Box::new(item));
        let names: Vec<String> = super::resolve::item_names(item)
            .iter()
            .map(|n| n.text.clone())
            .collect();
        let tree: &'static ast::File = Box::leak(Box::new(ast::File {
            items: vec![item.clone()],
        }));
        self.modules[self.root]
            .wrt
            .extend(super::resolve::wrt_names(tree));
        if let ast::ItemKind::Use(_) = &item.kind {
            let mut reports = Vec::new();
            let whole = self.modules[self.root].tree;
            self.modules[self.root].tree = tree;
            self.link_uses(self.root, &mut reports);
            self.modules[self.root].tree = whole;
            return if reports.is_empty() {
                Ok(ReplResult::Defined("use".into()))
            } else {
                Err(self.failure(reports))
            };
        }
        let old: Vec<(String, Option<ItemState>)> = names
            .iter()
            .map(|n| (n.clone(), self.modules[self.root].items.get(n).cloned()))
            .collect();
        for n in &names {
            // A new definition of a parameter or state starts a new slot.
            self.slot_index.remove(n);
            self.state_values.remove(n);
            self.modules[self.root]
                .items
                .insert(n.clone(), ItemState::Waiting(item));
        }
        for n in &names {
            let span = item.span;
            if let Some(Err(r)) = self.item(self.root, n, span) {
                for (n, state) in old {
                    match state {
                        Some(s) => self.modules[self.root].items.insert(n, s),
                        None => self.modules[self.root].items.remove(&n),
                    };
                }
                return Err(self.failure(vec![*r]));
            }
        }
        Ok(ReplResult::Defined(names.join(", ")))
    }

    fn repl_stmt(&mut self, stmt: ast::Stmt) -> Result<ReplResult, Failure> {
        let stmt: &'static ast::Stmt = Box::leak(Box::new(stmt));
        let stmts: &'static [ast::Stmt] = std::slice::from_ref(stmt);
        if let Err(r) = self.repl_wrt(stmt) {
            return Err(self.failure(vec![*r]));
        }
        let outer = std::mem::replace(&mut self.ctx, super::ctx::Ctx::new("repl"));
        let frames = std::mem::replace(
            &mut self.frames,
            vec![Frame::root(&format!("repl {}", self.repl_files))],
        );
        let result: R<(ValueShape, String)> = (|| {
            let env = Env::module(self.root).child();
            let v = self.eval_stmts(stmts, &env)?;
            let ty = self.type_text(&v);
            let v = self.force_tensors(&v, stmt.span)?;
            for (i, t) in leaves(&v).into_iter().enumerate() {
                self.ctx.value(&format!("value {i}"), t);
            }
            let mut next = 0;
            Ok((shape_of(&v, &mut next), ty))
        })();
        self.frames = frames;
        self.handlers.clear();
        self.summed.clear();
        self.expects.clear();
        self.nets.clear();
        self.scans.clear();
        self.yields.clear();
        self.depth = 0;
        let ctx = std::mem::replace(&mut self.ctx, outer);
        match result {
            Ok((shape, ty)) => {
                let slots = &self.slots;
                let program = ctx.finish(|id| slots[id.0 as usize].name.clone());
                Ok(ReplResult::Value(Box::new(ExprProgram {
                    program,
                    shape,
                    ty,
                })))
            }
            Err(r) => Err(self.failure(vec![*r])),
        }
    }

    /// Names that the line differentiates by must be tensors of their own, not constants that others share.
    fn repl_wrt(&mut self, stmt: &ast::Stmt) -> R<()> {
        let body = ast::Block {
            stmts: vec![stmt.clone()],
            span: stmt.span,
        };
        let name = String::new();
        let kind = ast::ItemKind::Test {
            name,
            name_span: stmt.span,
            body,
        };
        let items = vec![ast::Item {
            kind,
            span: stmt.span,
            doc: None,
        }];
        for name in super::resolve::wrt_names(&ast::File { items }) {
            if let Some(ItemState::Done(v)) = self.modules[self.root].items.get(&name).cloned() {
                let kept = self.in_init(|s| {
                    let v = s.bind_leaves(v, stmt.span)?;
                    s.keep_globals(&name, v)
                })?;
                self.modules[self.root]
                    .items
                    .insert(name, ItemState::Done(kept));
            }
        }
        Ok(())
    }

    /// Slots and logs become nodes; compile-time numbers stay as they are.
    fn force_tensors(&mut self, v: &Val, span: mlc_grammar::span::Span) -> R<Val> {
        Ok(match v {
            Val::Slot(_) | Val::Log(..) => Val::Tensor(self.force(v, span)?),
            Val::Tuple(items) => {
                let items: R<Vec<Val>> =
                    items.iter().map(|v| self.force_tensors(v, span)).collect();
                Val::tuple(items?)
            }
            Val::List(items) => {
                let items: R<Vec<Val>> =
                    items.iter().map(|v| self.force_tensors(v, span)).collect();
                Val::list(items?)
            }
            Val::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.force_tensors(v, span)?));
                }
                Val::record(out)
            }
            other => other.clone(),
        })
    }

    /// A value's type as a user writes it.
    fn type_text(&mut self, v: &Val) -> String {
        match v {
            Val::Tensor(t) => self.ctx.graph.ty(*t).to_string(),
            Val::Slot(id) => self.slots[id.0 as usize].ty.to_string(),
            Val::Log(stage, name) => self
                .log_type(*stage, name, Default::default())
                .map_or("real".into(), |t: Type| t.to_string()),
            Val::Int(_) => "int".into(),
            Val::Real(_) => "real".into(),
            Val::Bool(_) => "bool".into(),
            Val::Tuple(items) => {
                let parts: Vec<String> = items.iter().map(|v| self.type_text(v)).collect();
                format!("({})", parts.join(", "))
            }
            Val::List(items) => {
                let parts: Vec<String> = items.iter().map(|v| self.type_text(v)).collect();
                format!("[{}]", parts.join(", "))
            }
            Val::Record(fields) => {
                let parts: Vec<String> = fields
                    .iter()
                    .map(|(n, v)| format!("{n}: {}", self.type_text(v)))
                    .collect();
                format!("{{{}}}", parts.join(", "))
            }
            other => other.kind().to_string(),
        }
    }
}

fn shape_of(v: &Val, next: &mut usize) -> ValueShape {
    match v {
        Val::Tensor(_) => {
            *next += 1;
            ValueShape::Tensor(*next - 1)
        }
        Val::Tuple(items) => ValueShape::Tuple(items.iter().map(|v| shape_of(v, next)).collect()),
        Val::List(items) => ValueShape::Tuple(items.iter().map(|v| shape_of(v, next)).collect()),
        Val::Record(fields) => ValueShape::Record(
            fields
                .iter()
                .map(|(n, v)| (n.to_string(), shape_of(v, next)))
                .collect(),
        ),
        Val::Int(i) => ValueShape::Text(i.to_string()),
        Val::Real(x) => ValueShape::Text(format!("{x:?}")),
        Val::Bool(b) => ValueShape::Text(b.to_string()),
        Val::Str(s) => ValueShape::Text(format!("{s:?}")),
        Val::Dist(_) => {
            let count = leaves(v).len();
            *next += count;
            ValueShape::Text("a distribution".into())
        }
        other => ValueShape::Text(other.kind().to_string()),
    }
}
