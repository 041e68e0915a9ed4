//! Addresses (`.z`, `.h.w`) and the parts of traces that they name.

use super::SiteForm;
use crate::lower::session::{R, Session};
use crate::lower::value::Val;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// A place in a trace: names from the outside in.
pub type Address = Vec<Rc<str>>;

/// What stands at an address.
pub fn at(v: &Val, address: &[Rc<str>]) -> Option<Val> {
    address.iter().try_fold(v.clone(), |v, n| v.field(n))
}

/// A record with one value, at an address.
pub fn placed(address: &[Rc<str>], v: Val) -> Val {
    address
        .iter()
        .rev()
        .fold(v, |v, n| Val::record(vec![(n.clone(), v)]))
}

/// Both records, one inside the other where both are records; of values at one address the second.
pub fn overlaid(a: &Val, b: &Val) -> Val {
    let (Val::Record(x), Val::Record(y)) = (a, b) else {
        return b.clone();
    };
    let mut out = x.to_vec();
    for (n, v) in y.iter() {
        match out.iter_mut().find(|f| f.0 == *n) {
            Some(old) => old.1 = overlaid(&old.1, v),
            None => out.push((n.clone(), v.clone())),
        }
    }
    Val::record(out)
}

/// An address that both records have a value at.
fn clash(a: &Val, b: &Val) -> Option<String> {
    let (Val::Record(x), Val::Record(y)) = (a, b) else {
        return Some(String::new());
    };
    x.iter().find_map(|(n, v)| {
        let (_, w) = y.iter().find(|f| f.0 == *n)?;
        clash(v, w).map(|c| {
            if c.is_empty() {
                n.to_string()
            } else {
                format!("{n}.{c}")
            }
        })
    })
}

/// A part of the trace at no address of these sites.
pub fn outside(trace: &Val, sites: &[SiteForm]) -> Option<String> {
    fn walk(v: &Val, path: &mut Address, sites: &[SiteForm]) -> Option<String> {
        if sites.iter().any(|s| s.address == *path) {
            return None;
        }
        let known = path.is_empty() || sites.iter().any(|s| s.address.starts_with(path));
        let Val::Record(fields) = v else {
            return Some(path.join("."));
        };
        if !known {
            return Some(path.join("."));
        }
        fields.iter().find_map(|(n, v)| {
            path.push(n.clone());
            let found = walk(v, path, sites);
            path.pop();
            found
        })
    }
    walk(trace, &mut vec![], sites)
}

/// The parts of a record at these addresses, in the record's order.
fn kept(v: &Val, path: &mut Address, addresses: &[Address], keep: bool) -> Option<Val> {
    if addresses.iter().any(|a| a == path) {
        return keep.then(|| v.clone());
    }
    let inner = path.is_empty() || addresses.iter().any(|a| a.starts_with(path));
    match v {
        Val::Record(fields) if inner => {
            let mut out = Vec::new();
            for (n, v) in fields.iter() {
                path.push(n.clone());
                if let Some(v) = kept(v, path, addresses, keep) {
                    out.push((n.clone(), v));
                }
                path.pop();
            }
            (!out.is_empty() || path.is_empty()).then(|| Val::record(out))
        }
        v => (!keep).then(|| v.clone()),
    }
}

impl Session {
    /// An address, or a list of them.
    pub(in crate::lower) fn addresses(&self, v: &Val, span: Span) -> R<Vec<Address>> {
        let wrong = |v: &Val| {
            let title = format!("expected addresses, found {}", v.kind());
            Box::new(self.err("E0454", title, span).hint(
                "an address begins with a dot: `.z`, `.h.w`; several stand in brackets: `[.x, .y]`",
            ))
        };
        match v {
            Val::Address(a) => Ok(vec![a.to_vec()]),
            Val::List(items) => items
                .iter()
                .map(|v| match v {
                    Val::Address(a) => Ok(a.to_vec()),
                    other => Err(wrong(other)),
                })
                .collect(),
            other => Err(wrong(other)),
        }
    }

    fn in_record(&self, v: &Val, addresses: &[Address], span: Span) -> R<()> {
        let Val::Record(fields) = v else {
            let title = format!("expected a record, found {}", v.kind());
            return Err(Box::new(self.err("E0453", title, span)));
        };
        for a in addresses {
            if at(v, a).is_none() {
                let title = format!("nothing stands at `.{}`", a.join("."));
                let known: Vec<String> = fields.iter().map(|f| format!(".{}", f.0)).collect();
                let r = self.err("E0453", title, span);
                return Err(Box::new(if known.is_empty() {
                    r.hint("the record is empty")
                } else {
                    r.hint(format!(
                        "there is {}",
                        crate::lower::resolve::listed(&known)
                    ))
                }));
            }
        }
        Ok(())
    }

    /// `merge(a, b)`: the fields of both, of nested records too.
    fn merged(&self, a: &Val, b: &Val, span: Span) -> R<Val> {
        for v in [a, b] {
            if !matches!(v, Val::Record(_)) {
                let title = format!("`merge` takes records, not {}", v.kind());
                return Err(Box::new(self.err("E0453", title, span)));
            }
        }
        match clash(a, b) {
            Some(address) => {
                let title = format!("both records have a value at `.{address}`");
                Err(Box::new(self.err("E0453", title, span).hint(
                    "write `{..a, ..b}` where the second is to take the place of the first",
                )))
            }
            None => Ok(overlaid(a, b)),
        }
    }
}

/// `only(r, [.x, .h.w])`
pub fn only(s: &mut Session, a: &mut crate::lower::builtins::Args, span: Span) -> R<Val> {
    let (v, which) = s.two("only", a, span)?;
    let addresses = s.addresses(&which, span)?;
    s.in_record(&v, &addresses, span)?;
    Ok(kept(&v, &mut vec![], &addresses, true).unwrap_or(Val::record(vec![])))
}

/// `without(r, [.x, .h.w])`
pub fn drop_fields(s: &mut Session, a: &mut crate::lower::builtins::Args, span: Span) -> R<Val> {
    let (v, which) = s.two("without", a, span)?;
    let addresses = s.addresses(&which, span)?;
    s.in_record(&v, &addresses, span)?;
    Ok(kept(&v, &mut vec![], &addresses, false).unwrap_or(Val::record(vec![])))
}

/// `merge(a, b)`
pub fn merge(s: &mut Session, a: &mut crate::lower::builtins::Args, span: Span) -> R<Val> {
    let (x, y) = s.two("merge", a, span)?;
    s.merged(&x, &y, span)
}

/// `place(.h.w, v)`: a record with one value, at an address.
pub fn place(s: &mut Session, a: &mut crate::lower::builtins::Args, span: Span) -> R<Val> {
    let (address, v) = s.two("place", a, span)?;
    let all = s.addresses(&address, span)?;
    match all.as_slice() {
        [one] => Ok(placed(one, v)),
        _ => s.fail("E0454", "`place` takes one address", span),
    }
}

/// `at(r, .h.w)`: what stands at an address.
pub fn look(s: &mut Session, a: &mut crate::lower::builtins::Args, span: Span) -> R<Val> {
    let (v, address) = s.two("at", a, span)?;
    let all = s.addresses(&address, span)?;
    s.in_record(&v, &all, span)?;
    match all.as_slice() {
        [one] => Ok(at(&v, one).unwrap_or(Val::Unit)),
        _ => s.fail("E0454", "`at` takes one address", span),
    }
}
