//! `mlc explain-gradient`: how derivatives pass through each site of each `expect`.

use crate::Exit;
use crate::commands::{failed, open, unrun, write_out};
use crate::options::PipelineArgs;
use mlc_compiler::lower::SiteExplained;

pub fn explain(args: &PipelineArgs, stage: Option<&str>, json: bool) -> Exit {
    let mut pipeline = match open(args, unrun(args)) {
        Ok(p) => p,
        Err(exit) => return exit,
    };
    let names: Vec<String> = pipeline
        .session
        .stages()
        .iter()
        .map(|s| s.name.clone())
        .collect();
    if let Some(s) = stage.filter(|s| !names.iter().any(|n| n == s)) {
        let listed = names.join(", ");
        eprintln!("error: there is no stage `{s}`; there are: {listed}");
        return Exit::Pipeline;
    }
    pipeline.session.keep_explanations();
    let mut text = String::new();
    for (i, name) in names.iter().enumerate() {
        if stage.is_some_and(|s| s != name) {
            continue;
        }
        if let Err(f) = pipeline.session.lower_stage(i) {
            return failed(&f, &pipeline);
        }
        for site in pipeline.session.take_explanations() {
            let more = if json {
                format!("{}\n", object(name, &site))
            } else {
                words(name, &site)
            };
            // A stage's last batch and its logs may have the same sites.
            if !text.contains(&more) {
                text += &more;
            }
        }
    }
    if text.is_empty() && !json {
        text = "no stage has an `expect` with sites\n".into();
    }
    write_out(&text, None)
}

fn object(stage: &str, s: &SiteExplained) -> serde_json::Value {
    let terms: Vec<serde_json::Value> = s
        .terms
        .iter()
        .map(|(term, place)| serde_json::json!({"term": term, "place": place}))
        .collect();
    serde_json::json!({
        "stage": stage,
        "site": s.site,
        "place": s.place,
        "distribution": s.distribution,
        "estimator": s.estimator,
        "by_default": s.by_default,
        "formula": s.formula,
        "lanes": s.lanes,
        "uses": s.uses,
        "by_value": s.by_value,
        "terms": terms,
        "dropped": s.dropped,
    })
}

fn words(stage: &str, s: &SiteExplained) -> String {
    let chosen = if s.by_default { " (by default)" } else { "" };
    let mut out = format!(
        "{stage}: {} ~ {}, {}\n  via      {}{chosen}\n  estimate {}\n  lanes    {}\n",
        s.site, s.distribution, s.place, s.estimator, s.formula, s.lanes
    );
    let by_value = match s.by_value {
        0 => String::new(),
        n => format!(", {n} of the uses by value only"),
    };
    out += &format!(
        "  the rest is used at {} values of the site{by_value}\n",
        s.uses
    );
    if s.dropped > 0 {
        out += &format!(
            "  {} terms do not depend on the site and are left out\n",
            s.dropped
        );
    }
    out += "  k has\n";
    for (term, place) in &s.terms {
        out += &format!("    {term}    {place}\n");
    }
    out + "\n"
}
