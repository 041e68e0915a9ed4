//! What holds of any text.

use mlc_grammar::span::FileId;
use proptest::prelude::*;

/// Expressions as text, valid by construction.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-d][a-z]{0,3}_".prop_map(|s| s),
        (0..1000i32).prop_map(|i| i.to_string()),
        (0..1000i32).prop_map(|i| format!("{}.5", i)),
        Just("true".to_string()),
    ];
    leaf.prop_recursive(5, 60, 4, |inner| {
        let op = prop::sample::select(vec!["+", "-", "*", "/", "@", "^", "<", "==", "and", "or"]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, o, b)| format!("({a}  {o} {b})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("f_({a},{b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a} , {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{x: {a}, y_:{b}}}")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("if {a} {{ {b} }} else {{{c}}}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("for x in {a} {{\n{b}\n}}")),
            inner.clone().prop_map(|a| format!("|u| {a}")),
            inner.prop_map(|a| format!("({a}).z")),
        ]
    })
}

fn program() -> impl Strategy<Value = String> {
    prop::collection::vec(expression(), 1..6).prop_map(|es| {
        let lines: Vec<String> = es
            .iter()
            .enumerate()
            .map(|(i, e)| format!("// line {i}\nlet v{i}=  {e}   // end\n"))
            .collect();
        lines.join("\n\n\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = mlc_grammar::parse(FileId::default(), &text);
        let _ = mlc_grammar::format(&text);
    }

    #[test]
    fn no_soup_of_tokens_panics(words in prop::collection::vec(prop::sample::select(vec![
        "let", "fn", "model", "for", "in", "if", "else", "{", "}", "(", ")", "[", "]", "=", "~", "x", "1", "2.5", ",", ":",
        ".", "..", "\n", "|", "|>", "-", "stage", "train", "given", "expect", "\"s\"", "//c\n", "scan", "via", "@",
    ]), 0..60)) {
        let text = words.join(" ");
        let _ = mlc_grammar::parse(FileId::default(), &text);
        let _ = mlc_grammar::format(&text);
    }

    #[test]
    fn formatting_is_stable_and_keeps_comments(text in program()) {
        let once = mlc_grammar::format(&text).unwrap();
        prop_assert_eq!(mlc_grammar::format(&once).unwrap(), once.clone());
        prop_assert_eq!(once.matches("//").count(), text.matches("//").count());
    }
}

#[test]
fn formatting_the_documents_is_stable() {
    let mut n = 0;
    for (name, text) in crate::snippets::all() {
        // Some are statements, which do not stand at the top of a file.
        let Ok(once) = mlc_grammar::format(&text) else {
            continue;
        };
        assert_eq!(mlc_grammar::format(&once).unwrap(), once, "{name}");
        n += 1;
    }
    assert!(n > 10, "only {n} snippets are files");
}

#[test]
fn deep_nesting_is_refused_and_shallow_nesting_is_quick() {
    let nested = |n: usize| format!("let a = {}1{}", "(".repeat(n), ")".repeat(n));
    let (_, reports) = mlc_grammar::parse(FileId::default(), &nested(100_000));
    assert_eq!(reports[0].code, "E0002");
    let (_, reports) = mlc_grammar::parse(FileId::default(), &nested(200));
    assert!(reports.is_empty(), "{reports:?}");
    let lists = format!("let a = {}1{}", "[{x: (".repeat(60), ")}]".repeat(60));
    let (_, reports) = mlc_grammar::parse(FileId::default(), &lists);
    assert!(reports.is_empty(), "{reports:?}");
}

#[test]
fn a_chain_of_operators_is_refused_before_it_is_too_long() {
    let text = format!("let a = 1{}", " + 1".repeat(200_000));
    let (_, reports) = mlc_grammar::parse(FileId::default(), &text);
    assert_eq!(reports[0].code, "E0002");
}
