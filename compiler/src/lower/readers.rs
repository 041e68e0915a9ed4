//! `data d = csv("f.csv", missing: drop)`: which readers there are, their options, and what of a file stays on disk.
//!
//! Does not: read anything, or know what options mean; that is the host's.

use super::session::{R, Session, rc};
use super::value::{Env, Val};
use crate::program::{Request, Setting, SlotId, SlotKind};
use mlc_grammar::ast::{CallArg, Expr, ExprKind, Name};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// A reader of data: a name in `data` only.
pub struct Reader {
    pub name: &'static str,
    /// Its arguments by name, besides the path.
    options: &'static [&'static str],
    /// Are the names in its files addresses, as in `layer[0].w`?
    addresses: bool,
}

/// All readers.
pub const READERS: &[Reader] = &[
    Reader {
        name: "csv",
        options: &["columns", "missing", "delimiter", "names", "skip"],
        addresses: false,
    },
    Reader {
        name: "idx",
        options: &[],
        addresses: false,
    },
    Reader {
        name: "npy",
        options: &["rows", "on_disk"],
        addresses: false,
    },
    Reader {
        name: "npz",
        options: &[],
        addresses: true,
    },
    Reader {
        name: "parquet",
        options: &["columns", "missing"],
        addresses: false,
    },
    Reader {
        name: "pictures",
        options: &[],
        addresses: false,
    },
    Reader {
        name: "safetensors",
        options: &[],
        addresses: true,
    },
];

impl Session {
    pub(super) fn eval_data(
        &mut self,
        name: &'static Name,
        value: &'static Expr,
        env: &Env,
    ) -> R<Val> {
        if let ExprKind::Call(f, args) = &value.kind
            && let ExprKind::Name(called) = &f.kind
            && let Some(reader) = READERS.iter().find(|r| r.name == called.as_str())
        {
            return self.read_data(name, reader, args, value.span, env);
        }
        let v = self.eval(value, env)?;
        self.keep_globals(&name.text, v)
    }

    fn read_data(
        &mut self,
        name: &Name,
        reader: &'static Reader,
        args: &'static [CallArg],
        span: Span,
        env: &Env,
    ) -> R<Val> {
        let asked = self.request(reader, args, span, env)?;
        let columns = match self.host.load(&asked) {
            Ok(columns) => columns,
            Err(e) => {
                self.environment_error |= e.environment;
                let given = |a: &&CallArg| a.name.as_ref().map(|n| &n.text) == e.option.as_ref();
                let at = args.iter().find(given).unwrap_or(&args[0]).value.span;
                let r = match e.option {
                    Some(_) => self.err("E0508", e.message, at),
                    None => self.err_at("E0500", e.message, at, "named here"),
                };
                return Err(Box::new(if e.hint.is_empty() { r } else { r.hint(e.hint) }));
            }
        };
        let mut fields: Vec<(Rc<str>, Val)> = Vec::new();
        for c in columns {
            let path = match c.name.as_str() {
                "" => name.text.clone(),
                column => format!("{}.{column}", name.text),
            };
            let kind = match c.on_disk {
                false => SlotKind::Data(c.data),
                true => SlotKind::OnDisk {
                    data: c.data,
                    first: 0,
                },
            };
            let id = self.new_slot(&path, c.ty, kind);
            match c.name.as_str() {
                "" => return Ok(Val::Slot(id)),
                column if reader.addresses => {
                    super::nets::insert(&mut fields, column, Val::Slot(id));
                }
                column => fields.push((rc(column), Val::Slot(id))),
            }
        }
        Ok(Val::record(fields))
    }

    fn request(
        &mut self,
        reader: &'static Reader,
        args: &'static [CallArg],
        span: Span,
        env: &Env,
    ) -> R<Request> {
        let name = reader.name;
        let path = match args.first() {
            Some(a) if a.name.is_none() => self.eval(&a.value, env)?,
            _ => Val::Unit,
        };
        let Val::Str(path) = path else {
            let title = format!("`{name}` takes the path of a file");
            return Err(Box::new(
                self.err("E0501", title, span)
                    .hint(format!("write `{name}(\"data/file\")`")),
            ));
        };
        let mut options = Vec::new();
        for a in &args[1..] {
            let known = a.name.as_ref().map(|n| n.text.as_str());
            let Some(option) = known.filter(|o| reader.options.contains(o)) else {
                let title = match known {
                    Some(option) => format!("`{name}` has no option `{option}`"),
                    None => format!("`{name}` takes one path, and options by name"),
                };
                return Err(Box::new(unknown(
                    reader,
                    self.err("E0508", title, a.value.span),
                )));
            };
            let v = self.eval(&a.value, env)?;
            let Some(setting) = setting(&v) else {
                let title = format!("`{option}` of `{name}` is not {}", v.kind());
                return Err(Box::new(self.err("E0508", title, a.value.span).hint(
                    "options of readers are texts, numbers, ranges, and lists and records of them",
                )));
            };
            options.push((option.to_string(), setting));
        }
        Ok(Request {
            reader: name,
            path: path.to_string(),
            double: self.real == crate::ir::DType::F64,
            options,
        })
    }

    /// The slot of a value whose rows are on disk.
    pub(super) fn on_disk(&self, v: &Val) -> Option<SlotId> {
        let Val::Slot(id) = v else { return None };
        let kind = &self.slots[id.0 as usize].kind;
        matches!(kind, SlotKind::OnDisk { .. }).then_some(*id)
    }

    /// Rows of what is on disk, which stay there.
    pub(super) fn rows_on_disk(&mut self, id: SlotId, from: usize, to: usize) -> Val {
        let slot = self.slots[id.0 as usize].clone();
        let SlotKind::OnDisk { data, first } = slot.kind else {
            return Val::Slot(id);
        };
        let mut ty = slot.ty;
        ty.shape[0] = to - from;
        let first = first + from;
        let path = format!("{}[{first}..{}]", slot.name, first + to - from);
        Val::Slot(self.new_slot(&path, ty, SlotKind::OnDisk { data, first }))
    }

    /// Refuses to read as a whole what is on disk.
    pub(super) fn in_memory(&self, id: SlotId, span: Span) -> R<()> {
        let slot = &self.slots[id.0 as usize];
        if !matches!(slot.kind, SlotKind::OnDisk { .. }) {
            return Ok(());
        }
        let title = format!("the rows of `{}` are on disk", slot.name);
        Err(Box::new(
            self.err_at("E0509", title, span, "this needs all of them at once")
                .hint("take batches of it, `train b in t.shuffle().batch(128)`, or read some rows into memory: `npy(\"file\", rows: 0..1000)`"),
        ))
    }
}

/// What an option may be, from a value.
fn setting(v: &Val) -> Option<Setting> {
    Some(match v {
        Val::Str(s) => Setting::Text(s.to_string()),
        Val::Int(i) => Setting::Int(*i),
        Val::Real(x) => Setting::Real(*x),
        Val::Bool(b) => Setting::Truth(*b),
        Val::Range(a, b) => Setting::Range(*a, *b),
        Val::List(items) | Val::Tuple(items) => {
            Setting::List(items.iter().map(setting).collect::<Option<_>>()?)
        }
        Val::Record(fields) => {
            let each = fields.iter();
            let each = each.map(|(n, v)| Some((n.to_string(), setting(v)?)));
            Setting::Record(each.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn unknown(reader: &Reader, r: Report) -> Report {
    if reader.options.is_empty() {
        return r.hint(format!("`{}` takes a path and nothing else", reader.name));
    }
    let names: Vec<String> = reader.options.iter().map(|o| format!("`{o}:`")).collect();
    r.hint(format!("it has {}", names.join(", ")))
}
