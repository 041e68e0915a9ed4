//! Syntax errors: code, place and words.

use mlc_grammar::span::FileId;

fn said(text: &str) -> String {
    let (_, reports) = mlc_grammar::parse(FileId::default(), text);
    let mut out = String::new();
    for r in reports {
        out += &format!("{} {}\n", r.code, r.title);
        for l in &r.labels {
            let before = &text[..l.span.start as usize];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            out += &format!("  {line}:{column} {}\n", l.text);
        }
        for h in &r.hints {
            out += &format!("  hint: {h}\n");
        }
    }
    out
}

#[test]
fn habits_of_other_languages_get_a_hint() {
    let texts = [
        "let a = if x then 1 else 2",
        "let a = 3 ** 2",
        "let a = b && c",
        "let a = b || c",
        "let a = !b",
        "let a = 1.",
        "let a = b\n  + c",
        "let a = b % c",
        "minimize a over b",
        "let for = 1",
        "let a = (1",
        "let a = 1)",
        "fn f(x) {",
        "let a = 1e999",
        "let a = 99999999999999999999",
        "let a = \"open",
    ];
    let all: Vec<String> = texts
        .iter()
        .map(|t| format!("> {t}\n{}", said(t)))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn several_errors_are_told_at_once() {
    let text = "let a = 3 ** 2\nlet b = 1\nlet c = if x then 1\nmodel p() {\n  z ~ \n  let q = 2 %% 3\n}\n";
    let (_, reports) = mlc_grammar::parse(FileId::default(), text);
    assert!(reports.len() >= 3, "{}", said(text));
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let r = mlc_grammar::decode(FileId::default(), vec![b'a', 0xff]).unwrap_err();
    assert_eq!(r.code, "E0005");
}
