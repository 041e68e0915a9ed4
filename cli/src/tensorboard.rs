//! What is logged, also as a file for TensorBoard.

use mlc_runtime::driver::{Event, Observer};
use mlc_runtime::tensor::HostTensor;
use mlc_runtime::tensorboard::EventFile;
use std::io;
use std::path::Path;

/// Tells another observer everything, and a file the numbers that are logged.
pub struct Recorded {
    inner: Box<dyn Observer>,
    file: Option<EventFile>,
}

impl Recorded {
    /// # Errors
    /// If the file cannot be made in the folder.
    pub fn new(inner: Box<dyn Observer>, folder: &Path) -> io::Result<Self> {
        let (file, _) = EventFile::create(folder)?;
        Ok(Self {
            inner,
            file: Some(file),
        })
    }

    fn record(&mut self, stage: &str, step: usize, values: &[(String, HostTensor)]) {
        let Some(file) = &mut self.file else { return };
        let numbers = values.iter().filter(|v| v.1.len() == 1);
        let numbers: Vec<(String, f32)> = numbers
            .map(|(name, t)| (format!("{stage}/{name}"), t.to_f64_vec()[0] as f32))
            .collect();
        if numbers.is_empty() {
            return;
        }
        if let Err(e) = file.scalars(step as u64, &numbers) {
            complain!("warning: no more is written for TensorBoard: {e}");
            self.file = None;
        }
    }
}

impl Observer for Recorded {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Steps { stage, steps } => {
                (0..steps.steps).for_each(|i| self.record(stage, steps.at(i).0, &steps.values(i)));
            }
            Event::Log {
                stage,
                step,
                values,
                ..
            } => self.record(stage, *step, values),
            _ => {}
        }
        self.inner.event(event);
    }
}
