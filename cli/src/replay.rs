//! `mlc replay`: one step of a stage, by machine code and by the reference interpreter.

use crate::Exit;
use crate::commands::{chosen, complain, explain, open};
use crate::observer::Quiet;
use crate::options::PipelineArgs;
use mlc_compiler::lower::{Met, told_range};
use mlc_runtime::driver::{Pipeline, Replayed, RunOptions};

pub fn replay(args: &PipelineArgs, options: RunOptions, stage: Option<&str>, step: u32) -> Exit {
    let done = open(args, options).and_then(|mut pipeline| {
        let stage = match stage {
            Some(name) => chosen(&pipeline, &[name.to_string()])?[0],
            None => {
                let stages = pipeline.session.stages();
                let Some(first) = stages.iter().position(|s| s.kind == "train") else {
                    complain!("error: the pipeline has no stage that trains");
                    return Err(Exit::Pipeline);
                };
                first
            }
        };
        let info = &pipeline.session.stages()[stage];
        if info.kind != "train" {
            complain!(
                "error: `{}` has no steps: it is a `{}` stage",
                info.name,
                info.kind
            );
            return Err(Exit::Misuse);
        }
        let ended = pipeline.replay(stage, step as usize, &mut Quiet);
        Ok(explain(&ended, &pipeline))
    });
    done.unwrap_or_else(|exit| exit)
}

/// Tells what a replayed step gave.
pub fn tell(replayed: &Replayed, pipeline: &Pipeline) -> Exit {
    let Replayed {
        stage,
        step,
        results,
        wrong,
    } = replayed;
    say!("step {step} of {stage}, by machine code and by the reference interpreter");
    for r in results {
        let (run, again) = (told_range(&r.run), told_range(&r.interpreter));
        let (name, ty, difference) = (&r.name, &r.ty, r.difference);
        say!("{name}  {ty}  {run}  |  {again}  |  they differ by {difference:.1e}");
    }
    let Some((name, causes)) = wrong else {
        return Exit::Done;
    };
    let report = pipeline.session.not_finite(&Met {
        stage,
        step: *step,
        name,
        saved: None,
        skipped: None,
        causes,
    });
    complain(&[report], pipeline.session.sources());
    Exit::Pipeline
}
