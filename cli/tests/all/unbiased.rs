//! Every estimator of the library at every distribution of it: unbiased where it may stand, refused where it may not. What is
//! tried stands in `cli/tests/unbiased/`, in the language; here it is made sure that no pair is left out.

use super::{mlc, root};
use mlc_grammar::ast::{Def, Expr, ExprKind, File, ItemKind, PatternKind, StmtKind};
use mlc_grammar::span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FOLDER: &str = "cli/tests/unbiased";

/// Files of functions for the others.
const SHARED: [&str; 2] = ["integrands.ml", "strategies.ml"];

fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn parsed(path: &Path) -> File {
    let (file, reports) = mlc_grammar::parse(mlc_grammar::span::FileId(0), &text_of(path));
    assert!(reports.is_empty(), "{path:?}");
    file
}

fn pipelines(folder: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(root().join(folder)).unwrap();
    let mut found: Vec<_> = all
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "ml"))
        .filter(|p| !SHARED.iter().any(|s| p.ends_with(s)))
        .collect();
    found.sort();
    found
}

/// The files beside those of functions, each of them a process.
#[test]
fn every_estimator_is_unbiased_where_it_may_stand() {
    let files = pipelines(FOLDER);
    assert!(files.len() >= 9);
    let said: Vec<(bool, String)> = std::thread::scope(|scope| {
        let run = |file: PathBuf| {
            let out = mlc().arg("test").arg(file).output().unwrap();
            let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
            (out.status.success(), said.into_owned())
        };
        let running: Vec<_> = files
            .into_iter()
            .map(|f| scope.spawn(move || run(f)))
            .collect();
        running.into_iter().map(|r| r.join().unwrap()).collect()
    });
    for (passed, text) in said {
        assert!(passed, "{text}");
    }
}

/// An estimator as the files try it.
struct Strategy {
    /// Its name in `strategies.ml`.
    name: String,
    estimator: String,
}

/// `let name = e.estimator(..)`, each.
fn strategies() -> Vec<Strategy> {
    let path = root().join(FOLDER).join("strategies.ml");
    let mut found = vec![];
    for item in parsed(&path).items {
        if let ItemKind::Def(Def::Let { pattern, value, .. }) = item.kind
            && let PatternKind::Name(name) = pattern.kind
        {
            let head = match value.kind {
                ExprKind::Call(f, _) => f.kind,
                other => other,
            };
            if let ExprKind::Field(_, estimator) = head {
                let estimator = estimator.text;
                found.push(Strategy { name, estimator });
            }
        }
    }
    found
}

/// The estimators of the library, and whether each is biased.
fn estimators() -> BTreeMap<String, bool> {
    let items = parsed(&root().join("stdlib/estimators.ml")).items;
    let named = items.into_iter().filter_map(|i| match i.kind {
        ItemKind::Estimator(e) => Some((e.name.text, e.biased)),
        _ => None,
    });
    named.collect()
}

/// The distributions of the library, and whether each can be drawn from.
fn distributions() -> BTreeMap<String, bool> {
    let items = pipelines("stdlib/dist")
        .into_iter()
        .flat_map(|p| parsed(&p).items);
    let named = items.filter_map(|i| match i.kind {
        ItemKind::Dist(d) => {
            let drawn = ["sample", "transform"];
            let can = d.members.iter().any(|m| drawn.contains(&&*m.name.text));
            Some((d.name.text, can))
        }
        _ => None,
    });
    named.collect()
}

/// The tests of a distribution, which bear its name.
struct Row {
    dist: String,
    file: PathBuf,
    /// What stands above the assertions of the first of them.
    definitions: Vec<String>,
    /// A distribution as a function of its parameters, and these.
    make: String,
    at: String,
    /// Estimators that the first assertion tries, and all that are tried.
    first: BTreeSet<String>,
    tried: BTreeSet<String>,
}

fn rows() -> Vec<Row> {
    let known = distributions();
    let strategies = strategies();
    let mut rows: Vec<Row> = vec![];
    for path in pipelines(FOLDER) {
        let text = text_of(&path);
        let cut = |s: Span| text[s.start as usize..s.end as usize].to_string();
        let file = parsed(&path);
        let mut lists: BTreeMap<String, Expr> = BTreeMap::new();
        for item in &file.items {
            if let ItemKind::Def(def) = &item.kind {
                lists.extend(list(def));
            }
        }
        for item in &file.items {
            let ItemKind::Test { name, body, .. } = &item.kind else {
                continue;
            };
            let dist = name.split(',').next().unwrap();
            if !known.contains_key(dist) {
                continue;
            }
            let mut definitions = vec![];
            let mut lists = lists.clone();
            for stmt in &body.stmts {
                match &stmt.kind {
                    StmtKind::Def(def) => {
                        lists.extend(list(def));
                        definitions.push(cut(stmt.span));
                    }
                    StmtKind::Assert(e) => {
                        let Some((f, args)) = called(e) else { continue };
                        let tried: BTreeSet<String> = match f {
                            "straight_at" => ["straight_through".to_string()].into(),
                            "relaxed_at" => ["gumbel_softmax".to_string()].into(),
                            _ => names(args[2], &lists)
                                .into_iter()
                                .map(|n| {
                                    let s = strategies.iter().find(|s| s.name == n);
                                    s.unwrap_or_else(|| panic!("`{n}`?")).estimator.clone()
                                })
                                .collect(),
                        };
                        if !rows.iter().any(|r| r.dist == dist) {
                            rows.push(Row {
                                dist: dist.into(),
                                file: path.clone(),
                                definitions: definitions.clone(),
                                make: cut(args[0].span),
                                at: cut(args[1].span),
                                first: tried.clone(),
                                tried: BTreeSet::new(),
                            });
                        }
                        let row = rows.iter_mut().find(|r| r.dist == dist).unwrap();
                        row.tried.extend(tried);
                    }
                    _ => {}
                }
            }
        }
    }
    rows
}

/// A list that has a name.
fn list(def: &Def) -> Option<(String, Expr)> {
    match def {
        Def::Let { pattern, value, .. } => match (&pattern.kind, &value.kind) {
            (PatternKind::Name(n), ExprKind::List(_)) => Some((n.clone(), value.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// The names in a list, written out or called by a name.
fn names(e: &Expr, lists: &BTreeMap<String, Expr>) -> Vec<String> {
    match &e.kind {
        ExprKind::Name(n) => names(&lists[&**n], &BTreeMap::new()),
        ExprKind::List(items) => {
            let name = |e: &Expr| match &e.kind {
                ExprKind::Name(n) => n.to_string(),
                other => panic!("{other:?} is no name"),
            };
            items.iter().map(name).collect()
        }
        other => panic!("{other:?} is no list"),
    }
}

/// One of the assertions that are counted.
fn called(e: &Expr) -> Option<(&str, Vec<&Expr>)> {
    let ExprKind::Call(f, args) = &e.kind else {
        return None;
    };
    let ExprKind::Name(f) = &f.kind else {
        return None;
    };
    ["unbiased_at", "straight_at", "relaxed_at"]
        .contains(&&**f)
        .then(|| (&**f, args.iter().map(|a| &a.value).collect()))
}

/// What `mlc check` says against a file of tests, by the test: each is a distribution with an estimator.
fn refused(name: &str, row: &Row, tests: &[(String, bool)]) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unbiased");
    std::fs::create_dir_all(&folder).unwrap();
    for shared in SHARED {
        std::fs::copy(root().join(FOLDER).join(shared), folder.join(shared)).unwrap();
    }
    // What stands at the top of the file, but its tests.
    let whole = text_of(&row.file);
    let mut text = String::new();
    for item in parsed(&row.file).items {
        if !matches!(item.kind, ItemKind::Test { .. }) {
            text += &whole[item.span.start as usize..item.span.end as usize];
            text += "\n";
        }
    }
    text += "use strategies as s\n";
    let mut starts = vec![];
    for (strategy, biased) in tests {
        starts.push(text.lines().count());
        text += &format!("test \"{strategy}\" {{\n");
        for d in &row.definitions {
            text += &format!("{d}\n");
        }
        let mark = if *biased { "biased " } else { "" };
        text += &format!(
            "let making = {}\nlet place = {}\nlet strategy = s.{strategy}\n\
             let slope = grad(expect {{ x ~ making(place) via {mark}strategy; sum(tanh(x)) }}, wrt: place)\n\
             assert is_finite(sum(slope))\n}}\n",
            row.make, row.at
        );
    }
    let file = folder.join(name);
    std::fs::write(&file, &text).unwrap();
    let out = mlc().arg("check").arg(&file).output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    let here = format!("{name}:");
    let mut found = BTreeMap::new();
    for report in said.split("\n[").filter(|r| !r.trim().is_empty()) {
        let report = report.trim_start_matches('[');
        let places = report.split(&here).skip(1);
        let line = places
            .filter_map(|l| l.split(':').next()?.parse::<usize>().ok())
            .last();
        let line = line.unwrap_or_else(|| panic!("where? {report}"));
        let test = starts.iter().rposition(|s| *s < line).unwrap();
        found.insert(tests[test].0.clone(), report.to_string());
    }
    found
}

/// A pair that no test tries is one that the compiler refuses; and it is the estimator that it refuses.
#[test]
fn every_pair_of_distribution_and_estimator_is_tried_or_refused() {
    let rows = rows();
    let estimators = estimators();
    let strategies = strategies();
    assert!(estimators.len() >= 14);
    for (dist, can_be_drawn) in distributions() {
        let row = rows.iter().any(|r| r.dist == dist);
        assert_eq!(row, can_be_drawn, "`{dist}`: tested, and can be drawn from");
    }
    for estimator in estimators.keys() {
        let tried = rows.iter().any(|r| r.tried.contains(estimator));
        assert!(tried, "`{estimator}` is tried nowhere");
    }
    for row in &rows {
        let all = strategies.iter().map(|s| {
            let biased = estimators[&s.estimator];
            (s, biased, row.tried.contains(&s.estimator))
        });
        let (tried, left_out): (Vec<_>, Vec<_>) = all.partition(|(.., tried)| *tried);
        let file = format!("{}.ml", row.dist);
        let tests = |some: &[(&Strategy, bool, bool)]| -> Vec<(String, bool)> {
            some.iter().map(|(s, b, _)| (s.name.clone(), *b)).collect()
        };
        let against = refused(&file, row, &tests(&left_out));
        for (s, ..) in &left_out {
            let why = against.get(&s.name);
            let why = why.unwrap_or_else(|| panic!("`{}` at `{}` is not tried", s.name, row.dist));
            // A member is missing, the use is rough, or the support moves.
            let codes = ["E0402", "E0420", "E0421", "E0430"];
            let known = codes.iter().any(|c| why.starts_with(c));
            assert!(known, "`{}` at `{}`: {why}", s.name, row.dist);
        }
        let first = tried.iter().find(|t| row.first.contains(&t.0.estimator));
        let one = tests(&[*first.unwrap()]);
        let against = refused(&file, row, &one);
        assert!(against.is_empty(), "`{}`: {against:?}", row.dist);
    }
}
