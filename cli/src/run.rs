//! `mlc run`.

use crate::Exit;
use crate::commands::{STOP, chosen, explain, open, resolve};
use crate::observer::{Human, Json};
use crate::options::PipelineArgs;
use mlc_runtime::driver::{Observer, RunOptions};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How a run is told of.
pub struct How {
    pub json: bool,
    pub tensorboard: bool,
    pub strict_fit: bool,
}

/// The observer of a run; where it is asked for, one that writes for TensorBoard, too.
fn recorded(inner: Box<dyn Observer>, how: &How, dir: &Path) -> Result<Box<dyn Observer>, Exit> {
    if !how.tensorboard {
        return Ok(inner);
    }
    match crate::tensorboard::Recorded::new(inner, dir) {
        Ok(recorded) => Ok(Box::new(recorded)),
        Err(e) => {
            complain!("error: cannot write in `{}`: {e}", dir.display());
            Err(Exit::Environment)
        }
    }
}

/// The folder that a run writes to.
pub enum Place {
    /// This one, or one of its own.
    New(Option<PathBuf>),
    /// That of a run which ended early: this one, or the newest.
    Resume(Option<PathBuf>),
}

/// Has the system give the heap its first pages at once: a run writes to as many, and to ask for them one by one, as it comes to
/// them, takes several times as long.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn warm_heap() {
    /// Smaller than what is mapped by itself.
    const BLOCK: usize = 120 << 10;
    const BLOCKS: usize = 16;
    const PAGE: usize = 4096;
    // SAFETY: the blocks are ours, and what is written to them, zeros, nobody reads; they are given back once.
    unsafe {
        let blocks = [(); BLOCKS].map(|()| libc::malloc(BLOCK));
        for block in blocks {
            let pages = block.cast::<u8>().wrapping_sub(block.addr() % PAGE);
            libc::madvise(pages.cast(), BLOCK, libc::MADV_POPULATE_WRITE);
        }
        // A little of the last one stays: what is free at the end of the heap goes back to the system.
        libc::realloc(blocks[BLOCKS - 1], PAGE);
        blocks[..BLOCKS - 1].iter().for_each(|b| libc::free(*b));
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn warm_heap() {}

/// Ctrl-C, and what `kill` and batch systems send, let the present step end; a second time they end the run at once.
#[cfg(unix)]
fn catch_signals() {
    extern "C" fn stop(_: libc::c_int) {
        if STOP.set() {
            // SAFETY: ends the process and touches nothing of it.
            unsafe { libc::_exit(Exit::Interrupted as i32) };
        }
    }
    let handler = stop as extern "C" fn(libc::c_int);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler touches an atomic flag only, which a signal may do at any time.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}

#[cfg(not(unix))]
fn catch_signals() {
    let stop = || {
        if STOP.set() {
            std::process::exit(Exit::Interrupted as i32);
        }
    };
    if let Err(e) = ctrlc::set_handler(stop) {
        complain!("warning: Ctrl-C will end the run at once: {e}");
    }
}

pub fn run(
    args: &PipelineArgs,
    stages: &[String],
    options: RunOptions,
    place: &Place,
    how: &How,
) -> Exit {
    let json = how.json;
    let start = Instant::now();
    warm_heap();
    catch_signals();
    let observer: Box<dyn Observer> = if json {
        Box::new(Json::default())
    } else {
        Box::new(Human::default())
    };
    let mut unfit = Vec::new();
    let result = open(args, options).and_then(|mut pipeline| {
        let some = chosen(&pipeline, stages)?;
        let file = resolve(&args.file);
        let dir = match place {
            Place::New(out) => pipeline.write_to(out.as_deref(), &file, stages),
            Place::Resume(dir) => pipeline.resume(dir.as_deref(), &file, stages),
        };
        let dir = dir.map_err(|e| explain(&e, &pipeline))?;
        let mut observer = recorded(observer, how, &dir)?;
        let result = if stages.is_empty() {
            pipeline.run(&mut *observer)
        } else {
            pipeline.run_some(&some, &mut *observer)
        };
        match result {
            Ok(()) => {
                unfit = pipeline.unfit().to_vec();
                // All is written, and the process ends: nothing of it need be given back.
                std::mem::forget(pipeline);
                Ok(dir)
            }
            Err(e) => Err(explain(&e, &pipeline)),
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let exit = match &result {
        Ok(_) if how.strict_fit && !unfit.is_empty() => Exit::Unfit,
        Ok(_) => Exit::Done,
        Err(exit) => *exit,
    };
    if exit == Exit::Unfit {
        complain!("the verdict on {}: do not use", unfit.join(", "));
    }
    if json {
        let out = result.as_ref().ok().map(|d| d.display().to_string());
        let line = serde_json::json!({"event": "done", "ok": exit == Exit::Done, "seconds": seconds, "out": out});
        say!("{line}");
    } else if let Ok(dir) = &result {
        say!(
            "done in {seconds:.1} s; see {}",
            dir.join("report.html").display()
        );
    }
    exit
}
