//! `mlc explain-gradient` and `mlc variance`: how derivatives pass through each site of each `expect`, and how noisy they are.

use crate::Exit;
use crate::commands::{failed, open, stage_named, unrun, write_out};
use crate::observer::Quiet;
use crate::options::PipelineArgs;
use mlc_compiler::lower::SiteExplained;
use mlc_runtime::driver::{Measured, Pipeline, RunOptions};

pub fn explain(args: &PipelineArgs, stage: Option<&str>, json: bool) -> Exit {
    let mut pipeline = match open(args, unrun(args)) {
        Ok(p) => p,
        Err(exit) => return exit,
    };
    let stages = match chosen(&pipeline, stage) {
        Ok(stages) => stages,
        Err(exit) => return exit,
    };
    pipeline.session.keep_explanations(true);
    let mut text = String::new();
    for (i, name) in &stages {
        if let Err(f) = pipeline.session.lower_stage(*i) {
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

/// The stages that are asked for: their numbers and names.
fn chosen(pipeline: &Pipeline, stage: Option<&str>) -> Result<Vec<(usize, String)>, Exit> {
    let all = pipeline.session.stages().iter().map(|s| s.name.clone());
    let all: Vec<(usize, String)> = all.enumerate().collect();
    let Some(stage) = stage else { return Ok(all) };
    let found = stage_named(pipeline, stage).map_err(|why| {
        complain!("error: {why}");
        Exit::Pipeline
    })?;
    Ok(vec![all[found].clone()])
}

pub fn variance(
    args: &PipelineArgs,
    options: &RunOptions,
    stage: Option<&str>,
    draws: usize,
    json: bool,
) -> Exit {
    let mut pipeline = match open(args, options.clone()) {
        Ok(p) => p,
        Err(exit) => return exit,
    };
    let stages = match chosen(&pipeline, stage) {
        Ok(stages) => stages,
        Err(exit) => return exit,
    };
    let mut text = String::new();
    for (i, name) in &stages {
        let rows = match pipeline.variances(*i, draws, 0.5, &mut Quiet) {
            Ok(rows) => rows,
            Err(e) => return crate::commands::explain(&e, &pipeline),
        };
        if json {
            for r in &rows {
                text += &format!("{}\n", measured(name, r));
            }
        } else if !rows.is_empty() {
            text += &table(name, &rows);
        }
    }
    if text.is_empty() && !json {
        text = "no stage that trains has an `expect` with sites\n".into();
    }
    write_out(&text, None)
}

fn measured(stage: &str, r: &Measured) -> serde_json::Value {
    let number = |x: f64| x.is_finite().then_some(x);
    serde_json::json!({
        "stage": stage,
        "site": r.site,
        "place": r.place,
        "estimator": r.strategy,
        "written": r.written,
        "variance": number(r.variance),
        "seconds": number(r.seconds),
        "product": number(r.variance * r.seconds),
        "refused": r.refused,
    })
}

/// The least product of variance and time is marked, site by site.
fn table(stage: &str, rows: &[Measured]) -> String {
    let label = |r: &Measured| match r.written {
        true => format!("{} (as written)", r.strategy),
        false => r.strategy.clone(),
    };
    let width = rows
        .iter()
        .map(|r| label(r).len())
        .max()
        .unwrap_or(0)
        .max(9);
    let mut out = format!(
        "{stage}\n  {:<12} {:<width$} {:>12} {:>12} {:>12}\n",
        "site", "estimator", "variance", "us/sample", "product"
    );
    for r in rows {
        let estimator = label(r);
        if let Some(why) = &r.refused {
            out += &format!("  {:<12} {estimator:<width$} refused: {why}\n", r.site);
            continue;
        }
        let product = r.variance * r.seconds * 1e6;
        let best = rows
            .iter()
            .filter(|o| o.place == r.place && o.refused.is_none())
            .all(|o| o.variance * o.seconds * 1e6 >= product);
        let mark = if best { " *" } else { "" };
        out += &format!(
            "  {:<12} {estimator:<width$} {:>12.4e} {:>12.2} {product:>12.4e}{mark}\n",
            r.site,
            r.variance,
            r.seconds * 1e6
        );
    }
    out
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
