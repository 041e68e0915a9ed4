//! The standard library's texts, embedded.

const FILES: &[(&str, &str)] = &[
    ("prelude", include_str!("../../stdlib/prelude.ml")),
    ("estimators", include_str!("../../stdlib/estimators.ml")),
    ("dist", include_str!("../../stdlib/dist.ml")),
    ("nn", include_str!("../../stdlib/nn.ml")),
    ("init", include_str!("../../stdlib/init.ml")),
    ("vi", include_str!("../../stdlib/vi.ml")),
    ("optim", include_str!("../../stdlib/optim.ml")),
];

/// The text of `std.a.b`, named `a/b`.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|f| f.0 == name).map(|f| f.1)
}

/// The names of all modules, with `/` between segments.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|f| f.0)
}
