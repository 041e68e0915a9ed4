//! Loops: calls the body's function for each iteration.

use super::Entry;
use std::sync::atomic::{AtomicBool, Ordering};

/// Do loops end where they are? What they leave then is of no use.
static BROKEN: AtomicBool = AtomicBool::new(false);

/// Has loops that are running, on any thread, and that begin later end at once, or no longer. What a program gives whose loop ended
/// so must be thrown away.
pub fn break_loops(on: bool) {
    BROKEN.store(on, Ordering::Relaxed);
}

/// Inputs, outputs, arena, as for whole programs.
type Body = unsafe extern "C" fn(*const *const u8, *const *mut u8, *mut u8);

/// The numbers that describe a loop, read one after the other; see `Layout` in the code generator.
struct Numbers(*const i64);

impl Numbers {
    fn next(&mut self) -> usize {
        // SAFETY: as many numbers are read as the code generator wrote.
        unsafe {
            let n = *self.0;
            self.0 = self.0.add(1);
            n as usize
        }
    }
}

/// Carries go back and forth between two places. A slice is read where it stands, and a row written where it belongs, if it
/// starts on 64 bytes there; otherwise by way of a place of its own.
unsafe extern "C" fn run_loop(
    meta: *const i64,
    body: Body,
    operands: *const *const u8,
    parts: *const *mut u8,
    scratch: *mut u8,
) {
    let mut m = Numbers(meta);
    let (count, reverse, bounded) = (m.next(), m.next() == 1, m.next());
    let (carries, slices, captured, rows) = (m.next(), m.next(), m.next(), m.next());
    // SAFETY: the code generator gave offsets inside the scratch memory, operands and parts in the order of the loop's
    // node, and sizes of the types of its body's inputs and outputs; all buffers are aligned and padded to 64 bytes.
    unsafe {
        let mut place = || scratch.add(m.next());
        let (arena, index, go) = (place(), place(), place());
        let inputs = place().cast::<*const u8>();
        let outputs = place().cast::<*mut u8>();
        let first = operands.add(bounded);
        // The bytes and places of everything, in the order of the meta data.
        let carry_meta = m.0;
        let slice_meta = carry_meta.add(3 * carries);
        let row_meta = slice_meta.add(2 * slices);
        let number = |at: *const i64, i: usize| *at.add(i) as usize;
        *inputs = index;
        for i in 0..carries {
            *inputs.add(1 + i) = *first.add(i);
        }
        for i in 0..captured {
            let at = carries + slices + i;
            *inputs.add(1 + at) = *first.add(at);
        }
        if bounded == 1 {
            *outputs.add(carries + rows) = go;
        }
        let mut on = bounded == 0 || **operands != 0;
        let mut t = 0;
        while on && t < count && !BROKEN.load(Ordering::Relaxed) {
            let at = if reverse { count - 1 - t } else { t };
            *index.cast::<i32>() = at as i32;
            for i in 0..carries {
                *outputs.add(i) = scratch.add(number(carry_meta, 3 * i + 1 + (t & 1)));
            }
            for i in 0..slices {
                let bytes = number(slice_meta, 2 * i);
                let source = (*first.add(carries + i)).add(at * bytes);
                *inputs.add(1 + carries + i) = if bytes.is_multiple_of(64) {
                    source
                } else {
                    let own = scratch.add(number(slice_meta, 2 * i + 1));
                    std::ptr::copy_nonoverlapping(source, own, bytes);
                    own
                };
            }
            let direct = |i: usize| {
                let part = *parts.add(carries + i);
                !part.is_null() && number(row_meta, 2 * i).is_multiple_of(64)
            };
            for i in 0..rows {
                let bytes = number(row_meta, 2 * i);
                *outputs.add(carries + i) = if direct(i) {
                    (*parts.add(carries + i)).add(at * bytes)
                } else {
                    scratch.add(number(row_meta, 2 * i + 1))
                };
            }
            body(inputs, outputs, arena);
            for i in 0..rows {
                let part = *parts.add(carries + i);
                if !direct(i) && !part.is_null() {
                    let bytes = number(row_meta, 2 * i);
                    let own = *outputs.add(carries + i);
                    std::ptr::copy_nonoverlapping(own, part.add(at * bytes), bytes);
                }
            }
            for i in 0..carries {
                *inputs.add(1 + i) = *outputs.add(i);
            }
            if bounded == 1 {
                on = *go != 0;
            }
            t += 1;
        }
        for i in 0..carries {
            let part = *parts.add(i);
            if !part.is_null() {
                let bytes = number(carry_meta, 3 * i);
                std::ptr::copy_nonoverlapping(*inputs.add(1 + i), part, bytes);
            }
        }
    }
}

pub fn table() -> Vec<Entry> {
    vec![("mlc_loop", run_loop as *const u8)]
}
