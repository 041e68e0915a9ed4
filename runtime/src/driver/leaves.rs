//! What a run leaves in its folder: logs, checkpoints, what stages export, and at its end the parameters and the report.

use super::run::Pipeline;
use super::store::Version;
use super::{Event, Observer, RunError};
use crate::checkpoint::{Checkpoint, Piece, write_together};
use crate::metrics::MetricValue;
use crate::tensor::HostTensor;
use mlc_compiler::FileId;
use mlc_compiler::program::{Export, SlotKind};
use std::path::{Path, PathBuf};

impl Pipeline {
    /// Logs values of a step.
    pub(super) fn record(
        &mut self,
        stage: usize,
        name: &str,
        step: usize,
        epoch: usize,
        values: Vec<(String, HostTensor)>,
    ) -> Result<(), RunError> {
        if let (Some(m), false) = (&mut self.metrics, values.is_empty()) {
            let entries: Vec<(&str, MetricValue)> = values
                .iter()
                .map(|(n, t)| (n.as_str(), MetricValue::from(t)))
                .collect();
            m.write(name, step as u64, epoch as u64, &entries)
                .map_err(|e| RunError::Environment(e.to_string()))?;
        }
        for (n, t) in values {
            self.store.log(stage, &n, &t);
        }
        Ok(())
    }

    /// Writes the trained parameters and states of a version.
    pub(super) fn checkpoint(
        &self,
        name: &str,
        version: &Version,
    ) -> Result<Option<PathBuf>, RunError> {
        let Some(dir) = &self.dir else {
            return Ok(None);
        };
        let path = dir.file(&format!("{name}.safetensors"));
        self.trained(version)
            .write(&path)
            .map_err(|e| RunError::Environment(e.to_string()))?;
        Ok(Some(path))
    }

    /// The trained parameters and states of a version.
    fn trained(&self, version: &Version) -> Checkpoint {
        let mut c = Checkpoint::default();
        for (i, slot) in self.session.slots().iter().enumerate() {
            if !matches!(slot.kind, SlotKind::Param | SlotKind::State) {
                continue;
            }
            let id = mlc_compiler::program::SlotId(i as u32);
            if let Some(t) = self
                .store
                .read(version, id, self.session.slots(), &self.data)
            {
                c.tensors.insert(slot.name.clone(), t);
            }
        }
        c.metadata
            .insert("mlc".into(), env!("CARGO_PKG_VERSION").into());
        c.metadata
            .insert("seed".into(), self.options.seed.to_string());
        c
    }

    /// Writes what a stage exports. Applications of one stage write files of their own.
    pub(super) fn export(
        &mut self,
        stage: usize,
        exports: Vec<(Export, HostTensor)>,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let Some(dir) = &self.dir else {
            return Ok(());
        };
        for tensors in exports.chunk_by(|a, b| a.0.file == b.0.file) {
            let file = &tensors[0].0.file;
            let path = match self.session.is_applied(stage) {
                true => dir.file(&format!("{}-{file}", self.session.stages()[stage].name)),
                false => dir.file(file),
            };
            let failed = |why: String| {
                RunError::Environment(format!("cannot write `{}`: {why}", path.display()))
            };
            let bytes = crate::export::file(tensors).map_err(failed)?;
            crate::checkpoint::write_atomically(&path, &bytes)
                .map_err(|e| failed(e.to_string()))?;
            observer.event(&Event::Wrote { path: &path });
        }
        Ok(())
    }

    /// Writes what the whole run leaves.
    pub(super) fn finish(&mut self, observer: &mut dyn Observer) -> Result<(), RunError> {
        let mut last = Version::default();
        // What a stage left that stands for itself comes before what an application of one with arguments left.
        let (applied, plain): (Vec<usize>, Vec<usize>) =
            self.done.iter().partition(|&&s| self.session.is_applied(s));
        for stage in applied.into_iter().chain(plain) {
            if let Ok(v) = self.store.start(&[stage]) {
                last.slots.extend(v.slots);
            }
        }
        if let Some(metrics) = &mut self.metrics {
            let ended = metrics.end();
            ended.map_err(|e| RunError::Environment(e.to_string()))?;
        }
        let mut files: Vec<(PathBuf, Vec<Piece>)> = Vec::new();
        let trained = self.trained(&last);
        if let Some(dir) = &self.dir {
            let pieces = trained.pieces();
            let pieces = pieces.map_err(|e| RunError::Environment(e.to_string()))?;
            files.push((dir.file("final.safetensors"), pieces));
        }
        self.show_sweeps();
        let source = self.session.sources().file_text(FileId(0)).to_string();
        if let (Some(dir), Some(report)) = (&self.dir, &mut self.report) {
            let headers = ["stage", "how", "seconds"].map(String::from);
            report.table("times", &headers, &self.times);
            report.source("pipeline", &source);
            let page = report.render().into_bytes();
            files.push((dir.file("report.html"), vec![page.into()]));
        }
        let told = files.len();
        let finished = self.finished()?;
        files.extend(finished.map(|(path, bytes)| (path, vec![bytes.into()])));
        let all: Vec<(&Path, &[Piece])> = files.iter().map(|f| (&*f.0, &*f.1)).collect();
        write_together(&all).map_err(|(i, e)| {
            RunError::Environment(format!("cannot write `{}`: {e}", all[i].0.display()))
        })?;
        for (path, _) in &files[..told] {
            observer.event(&Event::Wrote { path });
        }
        self.end_saving();
        Ok(())
    }
}
