//! One program, made ready and run.

use super::RunError;
use crate::tensor::{DType, HostTensor};
use mlc_compiler::interp::{self, Tensor};
use mlc_compiler::ir::{Graph, print};
use mlc_compiler::program::Program;
use mlc_compiler::transform;
use std::rc::Rc;
use std::time::Instant;

/// How programs are run.
#[derive(Clone, Default)]
pub struct EngineOptions {
    /// By the reference interpreter instead of machine code.
    pub interpret: bool,
    /// Passes that are left out.
    pub disabled: Vec<String>,
    /// The most memory one program's intermediate values may take, in bytes.
    pub max_memory: Option<usize>,
}

/// What making a program ready took.
#[derive(Clone, Debug, Default)]
pub struct Compilation {
    pub milliseconds: f64,
    pub nodes: usize,
    pub kernels: usize,
    pub bytes_planned: usize,
}

/// A program ready to run.
pub struct Engine {
    pub program: Program,
    pub compilation: Compilation,
    graph: Graph,
}

impl Engine {
    /// Runs the passes, and makes machine code.
    ///
    /// # Errors
    /// If the program needs more memory than is allowed.
    pub fn new(program: Program, options: &EngineOptions) -> Result<Self, RunError> {
        let start = Instant::now();
        let graph = transform::optimise(program.graph.clone(), &options.disabled);
        let nodes = print::live(&graph).len();
        let compilation = Compilation {
            milliseconds: start.elapsed().as_secs_f64() * 1e3,
            nodes,
            kernels: 0,
            bytes_planned: print::live(&graph)
                .iter()
                .map(|&v| graph.ty(v).bytes())
                .sum(),
        };
        check_memory(&program.name, compilation.bytes_planned, options)?;
        Ok(Self {
            program,
            compilation,
            graph,
        })
    }

    /// One run. Inputs are in the order of the program's sources, outputs in that of its sinks.
    pub fn run(&mut self, inputs: &[Rc<HostTensor>]) -> Vec<HostTensor> {
        let tensors: Vec<Tensor> = inputs.iter().map(|t| to_interpreter(t)).collect();
        interp::eval(&self.graph, &tensors)
            .iter()
            .map(from_interpreter)
            .collect()
    }
}

fn check_memory(name: &str, bytes: usize, options: &EngineOptions) -> Result<(), RunError> {
    match options.max_memory {
        Some(max) if bytes > max => Err(RunError::Environment(format!(
            "the program `{name}` needs {} MB for its intermediate values, more than the {} MB allowed",
            bytes >> 20,
            max >> 20
        ))),
        _ => Ok(()),
    }
}

fn to_interpreter(t: &HostTensor) -> Tensor {
    Tensor::new(
        mlc_compiler::ir::Type::new(t.dtype(), t.shape().to_vec()),
        t.to_f64_vec(),
    )
}

fn from_interpreter(t: &Tensor) -> HostTensor {
    let v = t.values();
    let shape = &t.ty.shape;
    match t.ty.dtype {
        DType::F32 => HostTensor::from_f32(shape, &v.iter().map(|&x| x as f32).collect::<Vec<_>>()),
        DType::F64 => HostTensor::from_f64(shape, &v),
        DType::I32 => HostTensor::from_i32(shape, &v.iter().map(|&x| x as i32).collect::<Vec<_>>()),
        DType::Bool => {
            HostTensor::from_bool(shape, &v.iter().map(|&x| x != 0.0).collect::<Vec<_>>())
        }
    }
}
