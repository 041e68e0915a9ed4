//! The TextMate grammar for editors, run over every pipeline: it sees what our own lexer and parser see.

use fancy_regex::Regex;
use mlc_grammar::span::FileId;
use mlc_grammar::{TokenKind, tokens};
use serde_json::Value;
use std::collections::HashMap;

/// A rule of the grammar.
enum Rule {
    Match {
        pattern: Regex,
        name: Option<String>,
        captures: HashMap<usize, String>,
    },
    /// From `begin` to `end`, with rules of its own between.
    Region {
        begin: Regex,
        end: Regex,
        name: String,
        inner: Vec<Rule>,
    },
}

/// The rules of a list of patterns, includes resolved.
fn rules(patterns: &Value, repository: &Value) -> Vec<Rule> {
    let mut out = Vec::new();
    for p in patterns.as_array().unwrap() {
        rule(p, repository, &mut out);
    }
    out
}

fn rule(p: &Value, repository: &Value, out: &mut Vec<Rule>) {
    let regex = |key: &str| Regex::new(p[key].as_str().unwrap()).unwrap();
    let name = p["name"].as_str().map(String::from);
    if let Some(include) = p["include"].as_str() {
        let target = &repository[include.strip_prefix('#').unwrap()];
        assert!(target.is_object(), "{include} leads nowhere");
        rule(target, repository, out);
    } else if p["match"].is_string() {
        let captures = p["captures"].as_object().into_iter().flatten();
        out.push(Rule::Match {
            pattern: regex("match"),
            name,
            captures: captures
                .map(|(k, v)| (k.parse().unwrap(), v["name"].as_str().unwrap().to_string()))
                .collect(),
        });
    } else if p["begin"].is_string() {
        out.push(Rule::Region {
            begin: regex("begin"),
            end: regex("end"),
            name: name.unwrap(),
            inner: rules(&p["patterns"], repository),
        });
    } else {
        out.extend(rules(&p["patterns"], repository));
    }
}

/// The innermost scope of each byte of a line; empty where no rule matched. No region of this grammar goes over a line's end.
fn scopes(line: &str, rules: &[Rule]) -> Vec<String> {
    let mut out = vec![String::new(); line.len()];
    let mut at = 0;
    while at < line.len() {
        let mut best: Option<(usize, usize, &Rule)> = None;
        for r in rules {
            let (Rule::Match { pattern, .. } | Rule::Region { begin: pattern, .. }) = r;
            if let Some(m) = pattern.find_from_pos(line, at).unwrap()
                && m.end() > m.start()
                && best.is_none_or(|b| m.start() < b.0)
            {
                best = Some((m.start(), m.end(), r));
            }
        }
        let Some((start, stop, r)) = best else { break };
        match r {
            Rule::Match {
                pattern,
                name,
                captures,
            } => {
                if let Some(n) = name {
                    out[start..stop].fill(n.clone());
                }
                let found = pattern.captures_from_pos(line, at).unwrap().unwrap();
                for (k, n) in captures {
                    if let Some(m) = found.get(*k) {
                        out[m.start()..m.end()].fill(n.clone());
                    }
                }
                at = stop;
            }
            Rule::Region {
                end, name, inner, ..
            } => {
                let mut here = stop;
                let close = loop {
                    let close = end.find_from_pos(line, here).unwrap().unwrap();
                    let escape = inner.iter().find_map(|r| match r {
                        Rule::Match { pattern, .. } => pattern.find_from_pos(line, here).unwrap(),
                        Rule::Region { .. } => None,
                    });
                    match escape {
                        Some(e) if e.start() < close.start() => here = e.end(),
                        _ => break close.end(),
                    }
                };
                out[start..close].fill(name.clone());
                at = close;
            }
        }
    }
    out
}

#[test]
fn the_grammar_for_editors_sees_what_the_parser_sees() {
    let file = super::root().join("docs/editors/mlc.tmLanguage.json");
    let grammar: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let rules = rules(&grammar["patterns"], &grammar["repository"]);
    let mut words = 0;
    for path in super::robustness::all_pipelines() {
        let text = std::fs::read_to_string(&path).unwrap();
        let (tree, reports) = mlc_grammar::parse(FileId(0), &text);
        // What does not parse has no right colours.
        if !reports.is_empty() {
            continue;
        }
        let mut all: Vec<String> = Vec::new();
        for line in text.split_inclusive('\n') {
            let body = line.trim_end_matches('\n');
            all.extend(scopes(body, &rules));
            all.extend(vec![String::new(); line.len() - body.len()]);
        }
        let place = |at: usize| {
            let line = text[..at].matches('\n').count() + 1;
            format!("{}:{line}", path.display())
        };
        for (i, c) in text.char_indices() {
            assert!(
                c.is_whitespace() || !all[i].is_empty(),
                "{}: `{c}` has no scope",
                place(i)
            );
        }
        for t in tokens(&text) {
            let (want, strict) = match t.kind {
                TokenKind::Comment => ("comment.", true),
                TokenKind::Text => ("string.", true),
                TokenKind::Number => ("constant.numeric", true),
                _ => ("", false),
            };
            for (i, scope) in all.iter().enumerate().take(t.end).skip(t.start) {
                let like = ["comment.", "string.", "constant.numeric"]
                    .iter()
                    .any(|s| scope.starts_with(s));
                let right = if strict {
                    scope.starts_with(want) || text[i..].starts_with([' ', '\r'])
                } else {
                    !like
                };
                assert!(
                    right,
                    "{}: `{}` is {scope}",
                    place(t.start),
                    &text[t.start..t.end]
                );
            }
        }
        for item in &tree.items {
            let at = item.span.start as usize;
            assert!(
                all[at].starts_with("keyword."),
                "{}: a definition begins with {}",
                place(at),
                all[at]
            );
            words += 1;
        }
    }
    assert!(words > 200, "{words}");
}

/// Words by position are statements only where they are.
#[test]
fn words_by_position_are_told_apart() {
    let file = super::root().join("docs/editors/mlc.tmLanguage.json");
    let grammar: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let rules = rules(&grammar["patterns"], &grammar["repository"]);
    let scope = |line: &str, word: &str| scopes(line, &rules)[line.find(word).unwrap()].clone();
    assert_eq!(scope("  log a = 1.0", "log"), "keyword.other.statement.mlc");
    assert_eq!(
        scope("  log(x) + 1.0", "log"),
        "entity.name.function.call.mlc"
    );
    assert_eq!(
        scope("  let y = log(x)", "log"),
        "entity.name.function.call.mlc"
    );
    assert_eq!(
        scope("stage s = train for 3 steps {", "train"),
        "keyword.declaration.mlc"
    );
    assert_eq!(
        scope("stage s = train for 3 steps {", "steps"),
        "keyword.other.unit.mlc"
    );
    assert_eq!(scope("let y = train.image", "train"), "variable.other.mlc");
    assert_eq!(scope("  p - lr(step) * g", "step"), "variable.other.mlc");
    assert_eq!(scope("fn f(x: real[n]) = x", "real"), "storage.type.mlc");
    assert_eq!(
        scope("let y = real(x)", "real"),
        "entity.name.function.call.mlc"
    );
    assert_eq!(
        scope("let m = marginal(p, keep: [.z])", ".z"),
        "entity.other.address.mlc"
    );
    assert_eq!(scope("let m = p.z", "z"), "variable.other.member.mlc");
}
