//! The compiler's window to files.

use crate::data::{DataError, Real, read_csv, read_idx};
use crate::tensor::HostTensor;
use mlc_compiler::ir::Type;
use mlc_compiler::program::{Column, Host, HostError};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

/// Tensors read from files, by number.
pub type Data = Rc<RefCell<Vec<Rc<HostTensor>>>>;

/// Reads data files and modules, relative to the pipeline's folder.
pub struct FileHost {
    root: PathBuf,
    data: Data,
}

impl FileHost {
    /// `root`: the folder of the pipeline.
    pub fn new(root: impl Into<PathBuf>) -> (Self, Data) {
        let data = Data::default();
        (
            Self {
                root: root.into(),
                data: data.clone(),
            },
            data,
        )
    }

    fn keep(&self, name: String, tensor: HostTensor) -> Column {
        let ty = Type::new(tensor.dtype(), tensor.shape().to_vec());
        let mut data = self.data.borrow_mut();
        data.push(Rc::new(tensor));
        Column {
            name,
            data: data.len() as u32 - 1,
            ty,
        }
    }
}

fn host_error(e: DataError) -> HostError {
    let environment = matches!(
        e,
        DataError::Missing { .. } | DataError::Denied { .. } | DataError::Read { .. }
    );
    let hint = match &e {
        DataError::Missing { .. } => "paths are relative to the pipeline's file",
        _ => "",
    };
    HostError {
        message: e.to_string(),
        hint: hint.to_string(),
        environment,
    }
}

impl Host for FileHost {
    fn load(&mut self, reader: &str, path: &str, double: bool) -> Result<Vec<Column>, HostError> {
        let path = self.root.join(path);
        if reader == "idx" {
            let t = read_idx(&path).map_err(host_error)?;
            return Ok(vec![self.keep(String::new(), t)]);
        }
        let real = if double { Real::F64 } else { Real::F32 };
        let columns = read_csv(&path, real).map_err(host_error)?;
        Ok(columns.into_iter().map(|(n, t)| self.keep(n, t)).collect())
    }

    fn module(&mut self, path: &[String]) -> Option<(String, String)> {
        let mut file = self.root.clone();
        file.extend(path);
        file.set_extension("ml");
        let text = std::fs::read_to_string(&file).ok()?;
        Some((file.display().to_string(), text))
    }
}
