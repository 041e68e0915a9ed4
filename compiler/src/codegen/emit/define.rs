//! Functions compiled by the code generator: of a long program on several threads, as they do not depend on each other.

use super::Waiting;
use crate::codegen::CodegenError;
use cranelift::codegen::control::ControlPlane;
use cranelift::codegen::isa::TargetIsa;
use cranelift_jit::JITModule;
use cranelift_module::{Module, ModuleReloc};
use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Instructions for which another thread is worth its start: they take some milliseconds.
const WORTH: usize = 4096;

/// What the threads' stacks have: like those of the main threads of most systems.
const STACK: usize = 8 << 20;

/// Compiles the functions, and defines them in the module in the order in which they were written. The code is the same
/// whatever the number of threads.
pub fn define(module: &mut JITModule, mut waiting: Vec<Waiting>) -> Result<(), CodegenError> {
    let work: usize = waiting.iter().map(|w| w.ctx.func.dfg.num_insts()).sum();
    let most = waiting.len().min(work / WORTH);
    // To ask the system for its cores takes longer than to compile a small program.
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = if most > 1 { most.min(cores()) } else { 1 };
    if threads > 1 {
        compile_on(threads, module.isa(), &mut waiting)?;
    } else {
        let isa = module.isa();
        waiting.iter_mut().try_for_each(|w| compile(isa, w))?;
    }
    for Waiting { id, ctx } in &waiting {
        let code = ctx.compiled_code().expect("compiled above");
        let relocations = code.buffer.relocs().iter();
        let relocations: Vec<ModuleReloc> = relocations
            .map(|r| ModuleReloc::from_mach_reloc(r, &ctx.func, *id))
            .collect();
        let alignment = u64::from(code.buffer.alignment);
        module
            .define_function_bytes(*id, alignment, code.code_buffer(), &relocations)
            .map_err(refused)?;
    }
    Ok(())
}

fn refused(e: impl Debug) -> CodegenError {
    CodegenError(format!("code generator: {e:?}"))
}

fn compile(isa: &dyn TargetIsa, w: &mut Waiting) -> Result<(), CodegenError> {
    match w.ctx.compile(isa, &mut ControlPlane::default()) {
        Ok(_) => Ok(()),
        Err(e) => Err(refused(e.inner)),
    }
}

/// Compiles on this thread and others. Where the system gives none, the work is done by those that there are.
fn compile_on(
    threads: usize,
    isa: &dyn TargetIsa,
    waiting: &mut [Waiting],
) -> Result<(), CodegenError> {
    let next = AtomicUsize::new(0);
    let jobs: Vec<Mutex<&mut Waiting>> = waiting.iter_mut().map(Mutex::new).collect();
    let work = || -> Result<(), CodegenError> {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            compile(isa, &mut job.lock().unwrap_or_else(|e| e.into_inner()))?;
        }
        Ok(())
    };
    std::thread::scope(|s| {
        let others: Vec<_> = (1..threads)
            .filter_map(|_| {
                let thread = std::thread::Builder::new().stack_size(STACK);
                thread.spawn_scoped(s, work).ok()
            })
            .collect();
        let mut done = work();
        for other in others {
            let theirs = other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            done = done.and(theirs);
        }
        done
    })
}
