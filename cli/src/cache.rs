//! What is kept of stages that have run: where it is, and the command that looks after it.

use crate::Exit;
use crate::commands::write_out;
use crate::observer::took;
use crate::options::CacheCommand;
use mlc_runtime::cache::{Cache, Listed};
use serde_json::json;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Where results are kept: `$MLC_CACHE`, or `mlc` in the user's folder of caches. Nowhere if that says `off`.
pub fn kept() -> Option<Cache> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    let folder = match set("MLC_CACHE") {
        Some(off) if off == "off" => return None,
        Some(folder) => PathBuf::from(folder),
        None => set("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")))?
            .join("mlc"),
    };
    let mut cache = Cache::new(folder);
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    if let Some(ms) = number("MLC_CACHE_MS") {
        cache.least = f64::from(ms) / 1e3;
    }
    if let Some(mb) = number("MLC_CACHE_MB") {
        cache.most = u64::from(mb) << 20;
    }
    Some(cache)
}

pub fn cache(what: &CacheCommand) -> Exit {
    let Some(cache) = kept() else {
        complain!("error: nothing is kept: `MLC_CACHE` is `off`, or there is no home folder");
        return Exit::Environment;
    };
    let done = match what {
        CacheCommand::List { json } => list(&cache, *json),
        CacheCommand::Check => check(&cache),
        CacheCommand::Prune { older, to, all } => prune(&cache, *older, *to, *all),
    };
    done.unwrap_or_else(|e| {
        complain!("error: `{}`: {e}", cache.folder().display());
        Exit::Environment
    })
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn age(entry: &Listed) -> Duration {
    entry.used.elapsed().unwrap_or_default()
}

fn ago(age: Duration) -> String {
    let s = age.as_secs();
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} days", s / 86_400),
    }
}

fn total(n: usize, bytes: u64) -> String {
    let files = if n == 1 { "result" } else { "results" };
    format!("{n} {files}, {}", size(bytes))
}

fn list(cache: &Cache, json: bool) -> io::Result<Exit> {
    let entries = cache.list()?;
    let mut text = String::new();
    for e in entries.iter().rev() {
        let file = e.path.display().to_string();
        if json {
            let about = e.about.as_ref();
            let line = json!({
                "pipeline": about.map(|a| &a.pipeline),
                "stage": about.map(|a| &a.stage),
                "seconds": about.map(|a| a.seconds),
                "bytes": e.bytes,
                "unused_seconds": age(e).as_secs(),
                "file": file,
            });
            text += &format!("{line}\n");
            continue;
        }
        let what = match &e.about {
            Some(a) => format!("{:>8}  {}  {}", took(a.seconds), a.stage, a.pipeline),
            None => format!("damaged: {file}"),
        };
        text += &format!("{:>9}  {:>8}  {what}\n", size(e.bytes), ago(age(e)));
    }
    if !json {
        let bytes = entries.iter().map(|e| e.bytes).sum();
        let folder = cache.folder().display();
        text += &format!("{} in {folder}\n", total(entries.len(), bytes));
    }
    Ok(write_out(&text, None))
}

fn check(cache: &Cache) -> io::Result<Exit> {
    let entries = cache.list()?;
    let mut exit = Exit::Done;
    for e in &entries {
        if let Some(why) = Cache::check(e) {
            say!("DAMAGED  {}: {why}", e.path.display());
            exit = Exit::Failed;
        }
    }
    let bytes = entries.iter().map(|e| e.bytes).sum();
    if exit == Exit::Done {
        say!("{}: all sound", total(entries.len(), bytes));
    } else {
        say!("a run computes anew what is damaged; `mlc cache prune` removes it");
    }
    Ok(exit)
}

fn prune(cache: &Cache, days: f64, to: Option<u64>, all: bool) -> io::Result<Exit> {
    let limit = days * 86_400.0;
    let old = |e: &Listed| age(e).as_secs_f64() > limit;
    let (mut n, mut bytes) = cache.prune(|e| all || old(e) || Cache::check(e).is_some())?;
    if let Some(mb) = to {
        let more = cache.make_room(mb << 20)?;
        (n, bytes) = (n + more.0, bytes + more.1);
    }
    say!("removed {}", total(n, bytes));
    Ok(Exit::Done)
}
