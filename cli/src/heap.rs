//! The heap of a command, which ends it with a message where the machine has no memory left. Otherwise, it would be aborted.

use crate::Exit;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Write};

/// The system's, never without memory.
pub struct Heap;

// SAFETY: all is done by the system's allocator, as it promises; that there is no memory is not told, but ends the process.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        found(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        found(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        found(unsafe { System.realloc(start, layout, size) }, size)
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

#[inline]
fn found(start: *mut u8, bytes: usize) -> *mut u8 {
    if start.is_null() {
        exhausted(bytes);
    }
    start
}

/// Ends the command. What it saved of a run stays, as if it had been killed.
#[cold]
pub fn exhausted(bytes: usize) -> ! {
    // Nothing here may need memory.
    let mut text = [0; 128];
    let mut rest = &mut text[..];
    let _ = writeln!(
        rest,
        "error: there is not enough memory: {} MB more are needed",
        bytes.div_ceil(1 << 20)
    );
    let left = rest.len();
    let _ = io::stderr().write_all(&text[..text.len() - left]);
    end()
}

#[cfg(unix)]
fn end() -> ! {
    // SAFETY: ends the process without what others registered for its end, which may need memory.
    unsafe { libc::_exit(Exit::Environment as i32) }
}

#[cfg(not(unix))]
fn end() -> ! {
    std::process::exit(Exit::Environment as i32)
}
