//! A few threads that wait for work: parts of a loop nest or of a matrix product.
//!
//! Which thread runs a part, and how many threads there are, never changes a result: parts are decided by shapes alone.

use super::Entry;
use super::clock::ticks;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock};

/// How often a waiting thread looks for work before it goes to sleep: some tenths of a millisecond, which the stretches of a step
/// that one thread does alone seldom take. To wake it takes a good part of that.
const SPIN: usize = 16_000;

/// How often it looks before it lets others have its processor from time to time: where there are fewer processors than
/// threads, the one that would give it work may wait for just this.
const EAGER: usize = 4000;

/// How often a waiting thread looks between two times that it lets others have its processor.
const PATIENCE: usize = 256;

/// A job is open: threads may join it.
const OPEN: u64 = 1;
/// One thread that has joined, in the state word.
const JOINED: u64 = 2;
/// One job, in the state word.
const JOB: u64 = 1 << 16;

/// What a job's parts are: `run(context, part)`.
#[derive(Clone, Copy)]
struct Job {
    run: unsafe fn(*const (), usize),
    context: *const (),
    parts: usize,
    threads: usize,
}

// SAFETY: a job is shared only between `run` and the threads that have joined it, while `run` waits for them; what the
// context points to is `Sync` (see `run`).
unsafe impl Send for Job {}

/// Threads that have parts of their own, at most; others help these.
const MOST: usize = 64;

/// Parts of a job that follow one another: the first that nobody has taken, and behind it (in the upper half) the end. A cache line, so
/// that threads which are busy with their own do not disturb one another.
#[repr(align(64))]
struct Range(AtomicU64);

impl Range {
    fn set(&self, first: usize, end: usize) {
        self.0
            .store(first as u64 | (end as u64) << 32, Ordering::Relaxed);
    }

    /// The next part: from the front for the thread whose range it is, from the back for others.
    fn take(&self, own: bool) -> Option<usize> {
        let next = |range: u64| {
            let [first, end] = [range & u64::from(u32::MAX), range >> 32];
            (first < end).then(|| if own { range + 1 } else { range - (1 << 32) })
        };
        let range = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .ok()?;
        Some(if own {
            range & u64::from(u32::MAX)
        } else {
            (range >> 32) - 1
        } as usize)
    }
}

/// The threads' common state.
struct Pool {
    /// Number of the job, threads that have joined it, and whether more may join.
    state: AtomicU64,
    /// Of each thread the parts that nobody has taken.
    ranges: [Range; MOST],
    job: Mutex<Job>,
    sleepers: AtomicUsize,
    asleep: Mutex<()>,
    wake: Condvar,
}

static POOL: OnceLock<Pool> = OnceLock::new();
/// Threads that have been started, this one not counted.
static STARTED: Mutex<usize> = Mutex::new(0);
/// Threads that jobs may use, this one included.
static WANTED: AtomicUsize = AtomicUsize::new(1);
/// Threads that there are, this one included.
static RUNNING: AtomicUsize = AtomicUsize::new(1);

/// A job that does nothing.
unsafe fn idle(_: *const (), _: usize) {}

/// Waits a little, for the `n`th time.
fn pause(n: usize) {
    if n >= EAGER && n.is_multiple_of(PATIENCE) {
        std::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

fn pool() -> &'static Pool {
    POOL.get_or_init(|| Pool {
        state: AtomicU64::new(0),
        ranges: [const { Range(AtomicU64::new(0)) }; MOST],
        job: Mutex::new(Job {
            run: idle,
            context: std::ptr::null(),
            parts: 0,
            threads: 1,
        }),
        sleepers: AtomicUsize::new(0),
        asleep: Mutex::new(()),
        wake: Condvar::new(),
    })
}

/// Says how many threads jobs may use. They are started by the first job that has work for them: many runs have none.
pub fn set_threads(n: usize) {
    WANTED.store(n.max(1), Ordering::Relaxed);
}

/// Starts the threads that are wanted and are not there.
#[cold]
fn start(n: usize) {
    let mut started = STARTED.lock().unwrap_or_else(|e| e.into_inner());
    while *started + 1 < n {
        let number = *started + 1;
        let spawned = std::thread::Builder::new()
            .name(format!("mlc-{number}"))
            .spawn(move || {
                THREAD.set(number);
                pool().work();
            });
        if spawned.is_err() {
            break;
        }
        *started += 1;
    }
    // Where the system gives no more, those that there are do it.
    WANTED.store(n.min(*started + 1), Ordering::Relaxed);
    RUNNING.fetch_max(*started + 1, Ordering::Relaxed);
}

/// How many threads jobs may use.
pub fn threads() -> usize {
    WANTED.load(Ordering::Relaxed)
}

impl Pool {
    /// What a thread of the pool does, for ever.
    fn work(&self) {
        let mut seen = 0;
        let mut idle = 0;
        loop {
            let state = self.state.load(Ordering::Acquire);
            if state & OPEN == 0 || state / JOB == seen {
                idle += 1;
                if idle == SPIN {
                    self.sleep(seen);
                    idle = 0;
                } else {
                    pause(idle);
                }
                continue;
            }
            let joined = self.state.compare_exchange(
                state,
                state + JOINED,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if joined.is_err() {
                continue;
            }
            seen = state / JOB;
            idle = 0;
            let job = *self.job.lock().unwrap_or_else(|e| e.into_inner());
            self.take_parts(job);
            self.state.fetch_sub(JOINED, Ordering::Release);
        }
    }

    /// Sleeps until there is work, or has been: a job may be over when a thread that it woke is there, and the next one is near.
    fn sleep(&self, seen: u64) {
        let guard = self.asleep.lock().unwrap_or_else(|e| e.into_inner());
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let state = self.state.load(Ordering::SeqCst);
        if state & OPEN == 0 || state / JOB == seen {
            drop(self.wake.wait(guard).unwrap_or_else(|e| e.into_inner()));
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// A thread's own parts, which are the same in every job of as many: what they read and write may still be in its cache. Then
    /// those that others have not begun.
    fn take_parts(&self, job: Job) {
        let me = THREAD.get();
        for i in 0..job.threads {
            let range = &self.ranges[(me + i) % job.threads];
            while let Some(part) = range.take(i == 0) {
                // SAFETY: the job is open or not yet ended: its context lives.
                unsafe { (job.run)(job.context, part) };
            }
        }
    }

    fn run(&self, job: Job) {
        *self.job.lock().unwrap_or_else(|e| e.into_inner()) = job;
        for (i, range) in self.ranges[..job.threads].iter().enumerate() {
            let [first, end] = [i, i + 1].map(|i| i * job.parts / job.threads);
            range.set(first, end);
        }
        let number = self.state.load(Ordering::Relaxed) / JOB + 1;
        self.state.store((number * JOB) | OPEN, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            let _guard = self.asleep.lock().unwrap_or_else(|e| e.into_inner());
            self.wake.notify_all();
        }
        self.take_parts(job);
        self.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut waited = EAGER;
        while !self.state.load(Ordering::Acquire).is_multiple_of(JOB) {
            waited += 1;
            pause(waited);
        }
    }
}

thread_local! {
    /// The number of this thread of the pool; 0 of others.
    static THREAD: Cell<usize> = const { Cell::new(0) };
}

/// A part of a job that several threads shared: who ran it, and when, in ticks of the clock.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub thread: usize,
    pub part: usize,
    pub start: u64,
    pub end: u64,
}

/// Are parts noted? Asked once a job, so that those which are not pay nothing.
static WATCHED: AtomicBool = AtomicBool::new(false);
static SEEN: Mutex<Vec<Part>> = Mutex::new(Vec::new());

/// Has the parts of jobs noted, or no longer; gives those that were.
pub fn watch(on: bool) -> Vec<Part> {
    WATCHED.store(on, Ordering::Relaxed);
    std::mem::take(&mut *SEEN.lock().unwrap_or_else(|e| e.into_inner()))
}

/// Runs a part and notes it.
fn noted(part: usize, f: impl FnOnce()) {
    let start = ticks();
    f();
    let seen = Part {
        thread: THREAD.get(),
        part,
        start,
        end: ticks(),
    };
    SEEN.lock().unwrap_or_else(|e| e.into_inner()).push(seen);
}

/// Only one job at a time uses the threads; another one, from another thread, runs where it is.
static BUSY: Mutex<()> = Mutex::new(());

/// Runs `f` for each part below `parts`, on any threads, in any order.
pub fn run<F: Fn(usize) + Sync>(parts: usize, f: F) {
    unsafe fn call<F: Fn(usize)>(context: *const (), part: usize) {
        // SAFETY: the context is the function given to `run`, which waits until all parts are done.
        unsafe { (*context.cast::<F>())(part) }
    }
    unsafe fn call_noted<F: Fn(usize)>(context: *const (), part: usize) {
        // SAFETY: as above.
        noted(part, || unsafe { (*context.cast::<F>())(part) });
    }
    let wanted = WANTED.load(Ordering::Relaxed);
    if parts >= 2 && wanted > RUNNING.load(Ordering::Relaxed) {
        start(wanted);
    }
    let alone = parts < 2 || wanted < 2;
    let free = if alone { None } else { BUSY.try_lock().ok() };
    if free.is_none() {
        return (0..parts).for_each(f);
    }
    let watched = WATCHED.load(Ordering::Relaxed);
    pool().run(Job {
        run: if watched { call_noted::<F> } else { call::<F> },
        context: std::ptr::from_ref(&f).cast(),
        parts,
        threads: wanted.min(MOST),
    });
}

/// A compiled part: inputs, outputs, arena, number of the part.
type Compiled = unsafe extern "C" fn(usize, usize, usize, usize);

/// Runs a compiled function for each part.
unsafe extern "C" fn parallel(
    part: Compiled,
    inputs: usize,
    outputs: usize,
    arena: usize,
    parts: usize,
) {
    // SAFETY: the code generator gives a function whose parts write to different places.
    run(parts, |i| unsafe { part(inputs, outputs, arena, i) });
}

/// Puts where this thread has so many bytes, from a cache line on, into `found`: the same at every call, or others if it has fewer.
unsafe extern "C" fn room(bytes: usize, found: *mut *mut u8) {
    thread_local! {
        static ROOM: Cell<Vec<[u64; 8]>> = const { Cell::new(vec![]) };
    }
    let mut room = ROOM.take();
    let lines = bytes.div_ceil(64) + 1;
    if room.len() < lines {
        room.resize(lines, [0; 8]);
    }
    let at = room.as_mut_ptr().cast::<u8>();
    // SAFETY: there is one line more than is asked for; the code generator gives a place for the address.
    unsafe { *found = at.add(at.align_offset(64)) };
    ROOM.set(room);
}

pub fn table() -> Vec<Entry> {
    vec![
        ("mlc_parallel", parallel as *const u8),
        ("mlc_room", room as *const u8),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_runs_once() {
        set_threads(3);
        for parts in [0, 1, 2, 7, 100] {
            let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
            for _ in 0..200 {
                run(parts, |i| {
                    counts[i].fetch_add(1, Ordering::Relaxed);
                });
            }
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 200));
        }
    }
}
