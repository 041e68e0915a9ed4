//! The compiler's window to files.

use super::RunError;
use super::engine::{Engine, EngineOptions, Memo, from_interpreter, to_interpreter};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::data::{self, DataError, Read as Loaded, RowFile};
use crate::tensor::{DType, HostTensor};
use mlc_compiler::interp::Tensor;
use mlc_compiler::ir::{Graph, Type};
use mlc_compiler::program::{Column, Host, HostError, Known, Program, Request};
use std::cell::RefCell;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// What was read from files, by number.
pub type Data = Rc<RefCell<Files>>;

/// See [`Data`].
#[derive(Default)]
pub struct Files {
    pub tensors: Vec<Rc<HostTensor>>,
    /// Those whose rows stay where they are.
    pub on_disk: Vec<Arc<RowFile>>,
}

/// Reads data files and modules, relative to the pipeline's folder.
pub struct FileHost {
    root: PathBuf,
    data: Data,
    /// May modules lie outside of `root`?
    allow_outside: bool,
}

impl FileHost {
    /// `root`: the folder of the pipeline.
    pub fn new(root: impl Into<PathBuf>, allow_outside: bool) -> (Self, Data) {
        let data = Data::default();
        (
            Self {
                root: root.into(),
                data: data.clone(),
                allow_outside,
            },
            data,
        )
    }

    fn keep(&self, name: String, tensor: HostTensor) -> Column {
        let ty = Type::new(tensor.dtype(), tensor.shape().to_vec());
        let tensors = &mut self.data.borrow_mut().tensors;
        tensors.push(Rc::new(tensor));
        Column {
            name,
            data: tensors.len() as u32 - 1,
            ty,
            on_disk: false,
        }
    }

    fn keep_on_disk(&self, name: String, file: Arc<RowFile>) -> Column {
        let ty = Type::new(file.dtype(), file.shape().to_vec());
        let files = &mut self.data.borrow_mut().on_disk;
        files.push(file);
        Column {
            name,
            data: files.len() as u32 - 1,
            ty,
            on_disk: true,
        }
    }
}

fn host_error(e: DataError) -> HostError {
    HostError {
        message: e.to_string(),
        hint: e.hint(),
        option: e.option().map(str::to_string),
        environment: e.is_environment(),
    }
}

impl Host for FileHost {
    fn load(&mut self, asked: &Request) -> Result<Vec<Column>, HostError> {
        let path = self.root.join(&asked.path);
        if asked.reader == "safetensors" {
            return self.load_safetensors(&path, asked.double);
        }
        let read = data::read(&path, asked).map_err(host_error)?;
        let kept = read.into_iter().map(|(name, loaded)| match loaded {
            Loaded::Tensor(t) => self.keep(name, t),
            Loaded::OnDisk(file) => self.keep_on_disk(name, file),
        });
        Ok(kept.collect())
    }

    fn evaluate(&mut self, graph: &Graph, inputs: &[Known]) -> Result<Tensor, String> {
        let tensors: Vec<Rc<HostTensor>> = inputs
            .iter()
            .map(|input| match input {
                Known::Data(n) => self.data.borrow().tensors[*n as usize].clone(),
                Known::Value(t) => Rc::new(from_interpreter(t)),
                Known::Unused(ty) => Rc::new(HostTensor::zeros(ty.dtype, &ty.shape)),
            })
            .collect();
        let program = Program {
            name: "data".into(),
            graph: graph.clone(),
            sources: vec![],
            sinks: vec![],
        };
        let mut engine = Engine::new(program, &EngineOptions::default(), &Memo::default(), false)
            .map_err(|e| match e {
            RunError::Environment(why) => why,
            _ => "it cannot be compiled".to_string(),
        })?;
        Ok(to_interpreter(&engine.run(&tensors)[0]))
    }

    fn module(&mut self, path: &[String]) -> Result<Option<(String, String)>, HostError> {
        let mut file = self.root.clone();
        file.extend(path);
        file.set_extension("ml");
        let shown = file.display().to_string();
        let refused = |message: String, hint: &str| HostError {
            message,
            hint: hint.to_string(),
            option: None,
            environment: false,
        };
        let unreadable = |e: io::Error| HostError {
            message: format!("cannot read `{}`: {e}", file.display()),
            hint: String::new(),
            option: None,
            environment: true,
        };
        let metadata = match std::fs::metadata(&file) {
            Ok(m) => m,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(e) => return Err(unreadable(e)),
        };
        if !metadata.is_file() {
            return Err(refused(format!("`{shown}` is not a file"), ""));
        }
        if !self.allow_outside && !self.holds(&file).map_err(unreadable)? {
            return Err(refused(
                format!("`{shown}` leads outside the pipeline's folder"),
                "put the file itself into the folder, or allow it with `--allow-outside`",
            ));
        }
        let bytes = read_text_file(&file).map_err(unreadable)?;
        match mlc_compiler::decode(mlc_compiler::FileId(0), bytes) {
            Ok(text) => Ok(Some((shown, text))),
            Err(r) => Err(refused(
                format!("`{shown}`: {}", r.title),
                "save it as UTF-8 text",
            )),
        }
    }
}

impl FileHost {
    /// The tensors of a file by address, reals in the pipeline's precision.
    fn load_safetensors(&self, path: &Path, double: bool) -> Result<Vec<Column>, HostError> {
        let read = Checkpoint::read(path).map_err(|e| HostError {
            message: e.to_string(),
            hint: match e {
                CheckpointError::Read { .. } => "paths are relative to the pipeline's file",
                _ => "",
            }
            .to_string(),
            option: None,
            environment: matches!(e, CheckpointError::Read { .. }),
        })?;
        let cast = |t: HostTensor| match (t.dtype(), double) {
            (DType::F32, true) => HostTensor::from_f64(t.shape(), &t.to_f64_vec()),
            (DType::F64, false) => {
                let values: Vec<f32> = t.as_f64().iter().map(|&x| x as f32).collect();
                HostTensor::from_f32(t.shape(), &values)
            }
            _ => t,
        };
        let tensors = read.tensors.into_iter();
        let kept = |(n, t)| self.keep(n, cast(Rc::unwrap_or_clone(t)));
        Ok(tensors.map(kept).collect())
    }

    /// Does the file lie in the pipeline's folder, links followed?
    fn holds(&self, file: &Path) -> io::Result<bool> {
        let root = if self.root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.root
        };
        Ok(file.canonicalize()?.starts_with(root.canonicalize()?))
    }
}

/// The largest text that is taken for a pipeline or module.
const MAX_TEXT: u64 = 64 << 20;

/// The bytes of a pipeline's file.
///
/// # Errors
/// If it cannot be read, or is larger than any pipeline.
pub fn read_text_file(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let open = std::fs::File::open(file)?;
    open.take(MAX_TEXT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            format!(
                "it has more than {} MB, so it is no pipeline",
                MAX_TEXT >> 20
            ),
        ));
    }
    Ok(bytes)
}
