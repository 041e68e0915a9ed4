//! The clock of programs whose units are timed: what the code generator's `clock` says is called, and when.

use super::Entry;
use std::cell::UnsafeCell;
use std::time::Instant;

/// Events of one unit in a run, at most: the first iterations of a loop say enough.
const MOST_EVENTS: usize = 64;

/// A reading of the processor's counter, which runs evenly.
#[cfg(target_arch = "x86_64")]
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Nanoseconds since the first reading.
#[cfg(not(target_arch = "x86_64"))]
pub fn ticks() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// From when to when something ran, in ticks.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub unit: usize,
    pub start: u64,
    pub end: u64,
}

/// What one unit took in a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Of a loop, without what the units of its body took.
    pub ticks: u64,
    /// How often it ran.
    pub runs: u64,
}

#[derive(Default)]
struct State {
    /// The last call; what comes between two calls belongs to a unit.
    last: u64,
    spent: Vec<Spent>,
    /// Loops that are running, and when they began: the innermost last.
    open: Vec<(usize, u64)>,
    traced: bool,
    spans: Vec<Span>,
}

/// Adds up what each unit takes.
pub struct Clock {
    state: Box<UnsafeCell<State>>,
    /// Two readings of both clocks say how long a tick is.
    start: (u64, Instant),
}

impl Clock {
    pub fn new() -> Self {
        Self {
            state: Box::default(),
            start: (ticks(), Instant::now()),
        }
    }

    /// For the code generator. The clock must live as long as the code is called.
    pub fn address(&self) -> usize {
        self.state.get() as usize
    }

    /// Seconds since the clock was made, and so many by a tick: the more exact, the older the clock is.
    pub fn seconds_per_tick(&self) -> f64 {
        let (ticks_then, then) = self.start;
        then.elapsed().as_secs_f64() / ticks().saturating_sub(ticks_then).max(1) as f64
    }

    /// Makes ready for a run of a program of so many units; with `traced`, notes when each ran.
    pub fn begin(&mut self, units: usize, traced: bool) {
        let state = self.state();
        state.spent.clear();
        state.spent.resize(units, Spent::default());
        state.open.clear();
        state.spans.clear();
        state.traced = traced;
        if traced {
            state.spans.reserve(4 * units);
        }
    }

    fn state(&mut self) -> &mut State {
        // SAFETY: the code that has the address does not run meanwhile: it runs on this thread, which has the clock to itself.
        unsafe { &mut *self.state.get() }
    }

    /// What each unit took since.
    pub fn spent(&mut self) -> &[Spent] {
        &self.state().spent
    }

    pub fn spans(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.state().spans)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// The body of a loop, or the program, begins: what went before is the loop's own.
unsafe extern "C" fn start(clock: *mut State) {
    let now = ticks();
    // SAFETY: the address that the code was made with; only the thread that runs the program calls, and nobody else uses the
    // clock meanwhile.
    let s = unsafe { &mut *clock };
    if let Some(spent) = s.open.last().and_then(|l| s.spent.get_mut(l.0)) {
        spent.ticks += now.saturating_sub(s.last);
    }
    s.last = ticks();
}

/// A loop begins.
unsafe extern "C" fn begin_loop(clock: *mut State, unit: usize) {
    // SAFETY: as above.
    let s = unsafe { &mut *clock };
    s.open.push((unit, s.last));
}

/// A unit is done.
unsafe extern "C" fn end_unit(clock: *mut State, unit: usize) {
    let now = ticks();
    // SAFETY: as above.
    let s = unsafe { &mut *clock };
    let mut start = s.last;
    if s.open.last().is_some_and(|l| l.0 == unit) {
        start = s.open.pop().map_or(start, |l| l.1);
    }
    if let Some(spent) = s.spent.get_mut(unit) {
        spent.ticks += now.saturating_sub(s.last);
        spent.runs += 1;
        if s.traced && spent.runs <= MOST_EVENTS as u64 {
            s.spans.push(Span {
                unit,
                start,
                end: now,
            });
        }
    }
    // What the clock itself takes belongs to nobody.
    s.last = ticks();
}

pub fn table() -> Vec<Entry> {
    vec![
        ("mlc_clock_start", start as *const u8),
        ("mlc_clock_loop", begin_loop as *const u8),
        ("mlc_clock_unit", end_unit as *const u8),
    ]
}
