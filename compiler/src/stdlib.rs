//! The standard library's texts, embedded.

const FILES: &[(&str, &str)] = &[
    ("prelude", include_str!("../../stdlib/prelude.ml")),
    ("estimators", include_str!("../../stdlib/estimators.ml")),
    ("supports", include_str!("../../stdlib/supports.ml")),
    ("dist", include_str!("../../stdlib/dist.ml")),
    ("nn", include_str!("../../stdlib/nn.ml")),
    ("conv", include_str!("../../stdlib/conv.ml")),
    ("init", include_str!("../../stdlib/init.ml")),
    ("special", include_str!("../../stdlib/special.ml")),
    ("random", include_str!("../../stdlib/random.ml")),
    ("inference", include_str!("../../stdlib/inference.ml")),
    ("vi", include_str!("../../stdlib/vi.ml")),
    ("linalg", include_str!("../../stdlib/linalg.ml")),
    ("implicit", include_str!("../../stdlib/implicit.ml")),
    ("optim", include_str!("../../stdlib/optim.ml")),
    ("schedules", include_str!("../../stdlib/schedules.ml")),
    ("posterior", include_str!("../../stdlib/posterior.ml")),
    ("diagnostics", include_str!("../../stdlib/diagnostics.ml")),
    ("testing", include_str!("../../stdlib/testing.ml")),
];

/// The text of `std.a.b`, named `a/b`.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|f| f.0 == name).map(|f| f.1)
}

/// The names of all modules, with `/` between segments.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|f| f.0)
}

/// A definition of the library, as `mlc doc` shows it.
pub struct Entry {
    /// `std.a.b`
    pub module: String,
    pub name: String,
    /// Its text up to the body.
    pub signature: String,
    /// Its `///` lines.
    pub about: String,
}

/// A definition's text up to the `=` or `{` outside brackets that begins its body.
fn signature(text: &str) -> &str {
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '=' | '{' if depth == 0 => return text[..i].trim_end(),
            _ => {}
        }
    }
    text.trim_end()
}

/// The module that `mlc doc` shows what is built in under.
pub const BUILT_IN: &str = "builtins";

/// What is built in, then all definitions of the library, module by module.
pub fn entries() -> Vec<Entry> {
    let mut out: Vec<Entry> = crate::lower::DOCS
        .iter()
        .map(|d| Entry {
            module: BUILT_IN.to_string(),
            name: d.name.to_string(),
            signature: d.signature.to_string(),
            about: d.about.to_string(),
        })
        .collect();
    for (name, text) in FILES {
        let (file, _) = mlc_grammar::parse(mlc_grammar::span::FileId(0), text);
        for item in &file.items {
            let names = crate::lower::item_names(item);
            let (Some(first), Some(about)) = (names.first(), &item.doc) else {
                continue;
            };
            // Private names are no part of what the module offers.
            if first.text.starts_with('_') {
                continue;
            }
            let range = item.span.start as usize..item.span.end as usize;
            out.push(Entry {
                module: format!("std.{}", name.replace('/', ".")),
                name: first.text.clone(),
                signature: signature(&text[range]).to_string(),
                about: about.clone(),
            });
        }
    }
    out
}
