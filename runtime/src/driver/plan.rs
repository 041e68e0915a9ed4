//! What a run would do, without doing it.

use super::parts::Parts;
use super::run::Pipeline;
use super::{Observer, RunError};
use crate::cache::History;
use mlc_compiler::program::StageProgram;
use std::collections::BTreeMap;

/// A stage, in the order in which they would run.
pub struct Foreseen {
    pub stage: String,
    pub will: Will,
}

/// What a run would do with a stage.
pub enum Will {
    /// Tell again what is kept of a run that took this long.
    Reuse {
        seconds: f64,
    },
    Run(Why),
    /// It runs unless these stages, which run before it, leave what they left last time.
    Depends(Vec<String>),
}

/// Why a stage would run.
pub enum Why {
    /// Nothing is kept from run to run.
    NoCache,
    /// It was asked for.
    Fresh,
    /// It is not known that it ever did.
    Never,
    Code,
    /// What was read from files differs: these names.
    Data(Vec<String>),
    Seed,
    /// Another `mlc`, instruction set or choice of passes.
    Machine,
    /// First values of these names differ.
    First(Vec<String>),
    /// What these stages left differs.
    Before(Vec<String>),
    /// It took so short a time that it is not kept.
    Short(f64),
    /// It was not kept, or is gone by now.
    Gone,
    Damaged,
}

impl Parts {
    /// The first difference that explains another result.
    pub(super) fn changed(&self, last: &Parts) -> Why {
        let data = differing(&self.data, &last.data);
        let first = differing(&self.first, &last.first);
        let before = differing(&self.before, &last.before);
        if self.machine != last.machine {
            Why::Machine
        } else if self.code != last.code {
            Why::Code
        } else if !data.is_empty() {
            Why::Data(data)
        } else if self.seed != last.seed {
            Why::Seed
        } else if !before.is_empty() {
            Why::Before(before)
        } else {
            Why::First(first)
        }
    }
}

/// Names under which something stands that did not stand there.
fn differing<T: PartialEq>(now: &BTreeMap<String, T>, then: &BTreeMap<String, T>) -> Vec<String> {
    let other = now.iter().filter(|(n, d)| then.get(*n) != Some(d));
    other.map(|(n, _)| n.clone()).collect()
}

impl Pipeline {
    /// What a run of some stages would do. No stage runs; first values are computed.
    ///
    /// # Errors
    /// Mistakes in the pipeline.
    pub fn foresee(
        &mut self,
        stages: &[usize],
        observer: &mut dyn Observer,
    ) -> Result<Vec<Foreseen>, RunError> {
        let history = match &self.options.cache {
            Some(cache) => Some(History::load(cache, &self.path)),
            None => None,
        };
        let mut found = Vec::new();
        for &stage in stages {
            self.foresee_stage(stage, history.as_ref(), &mut found, observer)?;
        }
        Ok(found)
    }

    fn foresee_stage(
        &mut self,
        stage: usize,
        history: Option<&History<Parts>>,
        found: &mut Vec<Foreseen>,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        if self.done.contains(&stage) {
            return Ok(());
        }
        self.done.push(stage);
        for need in self.session.stages()[stage].needs.clone() {
            self.foresee_stage(need, history, found, observer)?;
        }
        let name = self.session.stages()[stage].name.clone();
        let (program, touched) = loop {
            let lowered = self.session.lower_stage(stage);
            let guessed = self.session.guessed();
            if lowered.is_err() && guessed.is_empty() {
                lowered?;
                return Ok(());
            }
            self.run_inits(observer)?;
            let touched = self.session.touched();
            for &needed in &touched {
                self.foresee_stage(needed, history, found, observer)?;
            }
            let unknown = self.unknown(&guessed);
            if !unknown.is_empty() {
                found.push(Foreseen {
                    stage: name,
                    will: Will::Depends(unknown),
                });
                return Ok(());
            }
            if guessed.is_empty() {
                break (lowered?, touched);
            }
        };
        for need in self.session.stages()[stage].after.clone() {
            self.foresee_stage(need, history, found, observer)?;
        }
        self.run_inits(observer)?;
        let will = self.foresee_program(stage, &program, &touched, history, observer)?;
        if let (StageProgram::Train(_), Some(r)) = (&program, self.results.get(&stage)) {
            let logs = r.logs.iter();
            let entries: Vec<_> = logs.map(|(n, l)| (n.clone(), l.entries)).collect();
            self.session.set_log_entries(stage, &entries);
        }
        found.push(Foreseen { stage: name, will });
        Ok(())
    }

    /// Which of the stages leave something that is not known.
    fn unknown(&self, names: &[String]) -> Vec<String> {
        let stages = self.session.stages().iter().enumerate();
        let unknown =
            stages.filter(|(i, s)| names.contains(&s.name) && !self.results.contains_key(i));
        unknown.map(|(_, s)| s.name.clone()).collect()
    }

    fn foresee_program(
        &mut self,
        stage: usize,
        program: &StageProgram,
        touched: &[usize],
        history: Option<&History<Parts>>,
        observer: &mut dyn Observer,
    ) -> Result<Will, RunError> {
        let (Some(cache), Some(history)) = (self.options.cache.clone(), history) else {
            return Ok(Will::Run(Why::NoCache));
        };
        let name = &self.session.stages()[stage].name;
        let past = history.stages.get(name);
        let Some(parts) = self.parts(stage, program) else {
            let code = self.code(stage, program);
            return Ok(match past {
                Some(past) if past.parts.code == Some(code) => {
                    let info = &self.session.stages()[stage];
                    let mut needs: Vec<usize> = info.needs.clone();
                    needs.extend(touched);
                    let names = needs.iter().map(|&n| self.session.stages()[n].name.clone());
                    Will::Depends(self.unknown(&names.collect::<Vec<_>>()))
                }
                Some(_) => Will::Run(Why::Code),
                None => Will::Run(Why::Never),
            });
        };
        let key = parts.key();
        let kept = self.find_kept(stage, program, &parts, observer)?;
        let why = match (kept, past) {
            (Some(saved), _) => {
                self.results.insert(stage, saved.results);
                if self.options.fresh {
                    Why::Fresh
                } else {
                    let seconds = saved.seconds;
                    return Ok(Will::Reuse { seconds });
                }
            }
            (None, Some(past)) if past.key == key => {
                self.results.insert(stage, past.results.clone());
                if cache.has(&key) {
                    Why::Damaged
                } else if cache.worth(past.seconds, 0) {
                    Why::Gone
                } else {
                    Why::Short(past.seconds)
                }
            }
            (None, _) if cache.has(&key) => Why::Damaged,
            (None, Some(past)) => parts.changed(&past.parts),
            (None, None) => Why::Never,
        };
        Ok(Will::Run(why))
    }
}
