//! One step again, in the reference interpreter, from the state before it.

use super::Observer;
use super::RunError;
use super::engine::{Engine, to_interpreter};
use super::run::Pipeline;
use super::stage::{Position, Wrong};
use super::store::Version;
use crate::tensor::HostTensor;
use mlc_compiler::interp::trace::{Cause, Range, causes};
use mlc_compiler::interp::{self, Tensor};
use mlc_compiler::ir::Type;
use mlc_compiler::program::{Program, Sink};

/// A step that was replayed: what it gave by machine code and by the interpreter.
pub struct Replayed {
    pub stage: String,
    pub step: usize,
    pub results: Vec<StepResult>,
    /// The first result that is not finite, and where it comes from.
    pub wrong: Option<(String, Vec<Cause>)>,
}

/// One result of a replayed step.
pub struct StepResult {
    /// What is logged, or the slot that gets a new value.
    pub name: String,
    pub ty: Type,
    /// By machine code, or however the run is told to compute.
    pub run: Range,
    pub interpreter: Range,
    /// The largest difference of two finite elements.
    pub difference: f64,
}

impl Pipeline {
    /// Runs a training stage up to a step, with the stages that it needs, and that step in the interpreter, too.
    ///
    /// # Errors
    /// [`RunError::Replayed`] if it got there; else why it did not.
    pub fn replay(&mut self, stage: usize, step: usize, observer: &mut dyn Observer) -> RunError {
        self.replay = Some((stage, step));
        let ended = self.run_stage(stage, observer);
        self.replay = None;
        match ended {
            Err(e) => e,
            Ok(()) => {
                let name = &self.session.stages()[stage].name;
                RunError::Environment(format!("`{name}` has no step {step}: it ended before"))
            }
        }
    }

    /// What a step gives in both ways, as the end of a replay.
    pub(super) fn replay_step(
        &self,
        engine: &mut Engine,
        version: &Version,
        at: Position,
    ) -> RunError {
        let inputs = match self.inputs(&engine.program.sources, version, at) {
            Ok(inputs) => inputs,
            Err(e) => return e,
        };
        let outputs = engine.run(&inputs);
        let tensors: Vec<Tensor> = inputs.iter().map(|t| to_interpreter(t)).collect();
        let graph = &engine.program.graph;
        let again = interp::eval(graph, &tensors);
        let mut results = Vec::new();
        let mut wrong = None;
        let all = engine.program.sinks.iter().zip(&outputs).zip(&again);
        for (output, ((sink, run), again)) in all.enumerate() {
            let Some(name) = self.result_name(sink) else {
                continue;
            };
            let result = compared(name, run, again);
            let moved = matches!(sink, Sink::Slot(_));
            let bad = result.run.nans > 0 || (moved && result.run.infinite > 0);
            if bad && wrong.is_none() && again.ty.dtype.is_real() {
                let output = graph.outputs[output].1;
                wrong = Some((result.name.clone(), causes(graph, &tensors, output)));
            }
            results.push(result);
        }
        let (stage, step) = self.replay.unwrap_or_default();
        RunError::Replayed(Box::new(Replayed {
            stage: self.session.stages()[stage].name.clone(),
            step,
            results,
            wrong,
        }))
    }

    fn result_name(&self, sink: &Sink) -> Option<String> {
        match sink {
            Sink::Slot(id) => Some(self.session.slots()[id.0 as usize].name.clone()),
            Sink::Value(name) => Some(name.clone()),
            Sink::Keep => Some("keep".into()),
            Sink::Stop | Sink::Verdict | Sink::Export(_) | Sink::Show(..) => None,
        }
    }

    /// A value that is not finite in a training stage, from the values before the step, which are saved.
    pub(super) fn not_a_number(
        &self,
        stage: usize,
        wrong: Wrong,
        program: &Program,
        version: &Version,
        at: Position,
        skipped: Option<usize>,
    ) -> RunError {
        let name = self.session.stages()[stage].name.clone();
        let saved = match self.checkpoint("before-nan", version) {
            Ok(saved) => saved,
            Err(e) => return e,
        };
        let mut met = self.met(&name, at.step + 1, wrong, program, version, at);
        if let RunError::NotANumber {
            checkpoint,
            skipped: skips,
            ..
        } = &mut met
        {
            *checkpoint = saved;
            *skips = skipped;
        }
        met
    }

    /// A value that is not finite, and where it comes from, by running the program in the interpreter.
    pub(super) fn met(
        &self,
        stage: &str,
        step: usize,
        wrong: Wrong,
        program: &Program,
        version: &Version,
        at: Position,
    ) -> RunError {
        let inputs = match self.inputs(&program.sources, version, at) {
            Ok(inputs) => inputs,
            Err(e) => return e,
        };
        let tensors: Vec<Tensor> = inputs.iter().map(|t| to_interpreter(t)).collect();
        let output = program.graph.outputs[wrong.output].1;
        RunError::NotANumber {
            stage: stage.to_string(),
            step,
            name: wrong.name,
            checkpoint: None,
            causes: causes(&program.graph, &tensors, output),
            skipped: None,
        }
    }
}

fn compared(name: String, run: &HostTensor, again: &Tensor) -> StepResult {
    let (a, b) = (run.to_f64_vec(), again.values());
    let both = a.iter().zip(&b).map(|(x, y)| (x - y).abs());
    StepResult {
        name,
        ty: again.ty.clone(),
        difference: both.filter(|d| d.is_finite()).fold(0.0, f64::max),
        run: Range::of(a),
        interpreter: Range::of(b),
    }
}
