//! Tensors in host memory: what data sources fill, compiled steps read and write, checkpoints hold.
//!
//! Keeps: the buffer starts on a 64-byte boundary (a cache line, and the widest vector register);
//! elements are in row-major order and in the byte order of the machine; the length of the buffer is
//! exactly `product(shape) * dtype.size()`. A boolean takes one byte, zero or one.
//! Does not: do arithmetic, broadcast, or hold views.

use std::alloc::{self, Layout};
use std::fmt;
use std::ptr::NonNull;
use std::sync::OnceLock;

pub use mlc_compiler::ir::DType;

/// The number of elements of a shape, or `None` if it does not fit a `usize`.
pub fn count_elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim))
}

/// The unit of allocation: a cache line.
const LINE: usize = 64;

/// Buffers of so many bytes are mapped: the system's zeros then cost nothing until they are written to. Smaller ones are taken
/// from what was given back before.
const LARGE: usize = 32 << 20;

/// An owned buffer of bytes that starts on a 64-byte boundary and can grow at its end. Up to its capacity, whole lines, it
/// is zeros behind its end.
pub struct AlignedBytes {
    start: NonNull<u8>,
    /// Where what was allocated begins: up to a line before `start`.
    base: NonNull<u8>,
    capacity: usize,
    len: usize,
}

// SAFETY: the buffer is owned, and written to through exclusive borrows only.
unsafe impl Send for AlignedBytes {}
// SAFETY: as above.
unsafe impl Sync for AlignedBytes {}

impl AlignedBytes {
    /// A buffer of `len` zero bytes.
    pub fn zeros(len: usize) -> Self {
        let capacity = len.next_multiple_of(LINE);
        let (start, base) = allocate(capacity);
        AlignedBytes {
            start,
            base,
            capacity,
            len,
        }
    }

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut buffer = AlignedBytes::zeros(bytes.len());
        buffer.as_mut_slice().copy_from_slice(bytes);
        buffer
    }

    /// Appends `bytes`; the cost is amortised, as for a `Vec`.
    pub fn extend(&mut self, bytes: &[u8]) {
        let (start, end) = (self.len, self.len + bytes.len());
        if end > self.capacity {
            let mut larger = AlignedBytes::zeros(end.max(2 * self.capacity));
            larger.as_mut_slice()[..start].copy_from_slice(self.as_slice());
            *self = larger;
        }
        self.len = end;
        self.as_mut_slice()[start..].copy_from_slice(bytes);
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the buffer has at least `len` initialised bytes, borrowed for as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The bytes, to write to.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Default for AlignedBytes {
    fn default() -> Self {
        Self::zeros(0)
    }
}

impl Clone for AlignedBytes {
    fn clone(&self) -> Self {
        Self::copy_of(self.as_slice())
    }
}

impl Drop for AlignedBytes {
    fn drop(&mut self) {
        // SAFETY: allocated with this capacity, and not used any more.
        unsafe { release(self.base, self.capacity) };
    }
}

/// What is asked of the allocator: a line more, in which the first of ours begins. Asked for aligned memory, it would cut it from a
/// larger piece, and what is given back would be too small for the next buffer of the same size.
fn layout(capacity: usize) -> Layout {
    let size = capacity.checked_add(LINE);
    let layout = size.and_then(|size| Layout::from_size_align(size, ALIGN).ok());
    layout.expect("the size of a buffer fits an isize")
}

/// What every allocator aligns to.
const ALIGN: usize = 16;

/// What ends the process where the machine has no memory left; else, it is aborted.
static ENDS: OnceLock<fn(usize) -> !> = OnceLock::new();

/// Sets what ends the process where the machine has no memory for a buffer: it is told how many bytes were asked for.
pub fn when_exhausted(end: fn(usize) -> !) {
    ENDS.get_or_init(|| end);
}

fn exhausted(capacity: usize) -> ! {
    match ENDS.get() {
        Some(end) => end(capacity),
        None => alloc::handle_alloc_error(layout(capacity)),
    }
}

/// Whole lines of zeros, and where what was allocated for them begins.
fn allocate(capacity: usize) -> (NonNull<u8>, NonNull<u8>) {
    if capacity == 0 {
        let nowhere = NonNull::<Line>::dangling().cast();
        return (nowhere, nowhere);
    }
    if let Some(start) = map(capacity) {
        return (start, start);
    }
    // SAFETY: the size is not zero.
    let base = unsafe { alloc::alloc_zeroed(layout(capacity)) };
    let base = NonNull::new(base).unwrap_or_else(|| exhausted(capacity));
    // SAFETY: a line more was asked for than there will be behind the start.
    let start = unsafe { base.add(base.align_offset(LINE)) };
    (start, base)
}

/// # Safety
/// It is the base that `allocate` gave for this capacity, and nothing refers to it any more.
unsafe fn release(base: NonNull<u8>, capacity: usize) {
    // SAFETY: as promised.
    unsafe {
        if !unmap(base, capacity) && capacity > 0 {
            alloc::dealloc(base.as_ptr(), layout(capacity));
        }
    }
}

/// Carries the alignment of a buffer.
#[repr(align(64))]
struct Line;

/// A large buffer, mapped from the system; nothing if it is small. Where the system has no more, the program ends as it does
/// with any other allocation.
#[cfg(target_os = "linux")]
fn map(capacity: usize) -> Option<NonNull<u8>> {
    if capacity < LARGE {
        return None;
    }
    let (read_write, private) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    );
    // SAFETY: a new mapping, which starts on a page and so on a line.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), capacity, read_write, private, -1, 0) };
    if start == libc::MAP_FAILED {
        exhausted(capacity);
    }
    NonNull::new(start.cast())
}

/// Gives back what `map` gave. Did it give it?
///
/// # Safety
/// As `release`.
#[cfg(target_os = "linux")]
unsafe fn unmap(start: NonNull<u8>, capacity: usize) -> bool {
    if capacity < LARGE {
        return false;
    }
    // SAFETY: a mapping of ours.
    unsafe { libc::munmap(start.as_ptr().cast(), capacity) };
    true
}

#[cfg(not(target_os = "linux"))]
fn map(_: usize) -> Option<NonNull<u8>> {
    None
}

#[cfg(not(target_os = "linux"))]
unsafe fn unmap(_: NonNull<u8>, _: usize) -> bool {
    false
}

impl PartialEq for AlignedBytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for AlignedBytes {}

impl fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBytes({} bytes)", self.len)
    }
}

/// A tensor in host memory. Equality is of bits: two NaNs may be equal, `0.0` and `-0.0` are not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostTensor {
    dtype: DType,
    shape: Vec<usize>,
    bytes: AlignedBytes,
}

/// Implements construction from a slice and access as a slice for one plain element type.
macro_rules! plain_elements {
    ($ty:ty, $dtype:expr, $from:ident, $get:ident, $get_mut:ident) => {
        #[doc = concat!("A tensor of `", stringify!($ty), "` values in row-major order.")]
        ///
        /// # Panics
        /// If the number of values is not the product of the shape.
        pub fn $from(shape: &[usize], values: &[$ty]) -> Self {
            assert_eq!(
                count_elements(shape),
                Some(values.len()),
                "values do not fill the shape"
            );
            let mut tensor = HostTensor::zeros($dtype, shape);
            tensor.$get_mut().copy_from_slice(values);
            tensor
        }

        #[doc = concat!("The elements of a tensor of `", stringify!($ty), "`.")]
        ///
        /// # Panics
        /// If the tensor has another dtype.
        pub fn $get(&self) -> &[$ty] {
            assert_eq!(self.dtype, $dtype, "the tensor has another dtype");
            let bytes = self.bytes.as_slice();
            // SAFETY: the buffer is aligned to 64 bytes, its length is a multiple of the element
            // size, and every pattern of bits is a value of this type.
            unsafe {
                std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<$ty>())
            }
        }

        #[doc = concat!("The elements of a tensor of `", stringify!($ty), "`, to write to.")]
        ///
        /// # Panics
        /// If the tensor has another dtype.
        pub fn $get_mut(&mut self) -> &mut [$ty] {
            assert_eq!(self.dtype, $dtype, "the tensor has another dtype");
            let bytes = self.bytes.as_mut_slice();
            let n = bytes.len() / size_of::<$ty>();
            // SAFETY: as in the shared accessor; the borrow of `self` is exclusive.
            unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), n) }
        }
    };
}

impl HostTensor {
    plain_elements!(f32, DType::F32, from_f32, as_f32, as_f32_mut);
    plain_elements!(f64, DType::F64, from_f64, as_f64, as_f64_mut);
    plain_elements!(i32, DType::I32, from_i32, as_i32, as_i32_mut);

    /// A tensor of zeros (or of `false`).
    ///
    /// # Panics
    /// If the size in bytes does not fit a `usize`; check untrusted shapes first.
    pub fn zeros(dtype: DType, shape: &[usize]) -> Self {
        let n_bytes = count_elements(shape).and_then(|n| n.checked_mul(dtype.size()));
        let n_bytes = n_bytes.expect("the size of a tensor fits a usize");
        HostTensor {
            dtype,
            shape: shape.to_vec(),
            bytes: AlignedBytes::zeros(n_bytes),
        }
    }

    /// A tensor over a buffer that already holds its elements, or `None` if the buffer does not have
    /// the length that the dtype and the shape ask for.
    pub fn from_bytes(dtype: DType, shape: Vec<usize>, bytes: AlignedBytes) -> Option<Self> {
        let n_bytes = count_elements(&shape)?.checked_mul(dtype.size())?;
        (n_bytes == bytes.len()).then_some(HostTensor {
            dtype,
            shape,
            bytes,
        })
    }

    /// A tensor of booleans in row-major order.
    ///
    /// # Panics
    /// If the number of values is not the product of the shape.
    pub fn from_bool(shape: &[usize], values: &[bool]) -> Self {
        assert_eq!(
            count_elements(shape),
            Some(values.len()),
            "values do not fill the shape"
        );
        let mut tensor = HostTensor::zeros(DType::Bool, shape);
        for (byte, &value) in tensor.bytes.as_mut_slice().iter_mut().zip(values) {
            *byte = u8::from(value);
        }
        tensor
    }

    /// The elements of a tensor of booleans, as bytes: zero is false, everything else is true.
    ///
    /// # Panics
    /// If the tensor has another dtype.
    pub fn as_bool(&self) -> &[u8] {
        assert_eq!(self.dtype, DType::Bool, "the tensor has another dtype");
        self.bytes.as_slice()
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The length of each axis, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The elements as bytes, in the byte order of the machine.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// The elements as bytes, to write to. The address is a multiple of 64.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.as_mut_slice()
    }

    /// Every element as an `f64` (exact for all dtypes; booleans become 0 and 1).
    pub fn to_f64_vec(&self) -> Vec<f64> {
        match self.dtype {
            DType::F32 => self.as_f32().iter().map(|&x| f64::from(x)).collect(),
            DType::F64 => self.as_f64().to_vec(),
            DType::I32 => self.as_i32().iter().map(|&x| f64::from(x)).collect(),
            DType::Bool => self
                .as_bool()
                .iter()
                .map(|&x| f64::from(u8::from(x != 0)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_round_trips_and_is_aligned() {
        let tensors = [
            HostTensor::from_f32(&[2, 2], &[1.0, -2.5, 0.0, 4.0]),
            HostTensor::from_f64(&[2, 2], &[1.0, -2.5, 0.0, 4.0]),
            HostTensor::from_i32(&[2, 2], &[1, -2, 0, 4]),
            HostTensor::from_bool(&[2, 2], &[true, false, false, true]),
        ];
        assert_eq!(tensors[0].to_f64_vec(), [1.0, -2.5, 0.0, 4.0]);
        assert_eq!(tensors[1].to_f64_vec(), [1.0, -2.5, 0.0, 4.0]);
        assert_eq!(tensors[2].to_f64_vec(), [1.0, -2.0, 0.0, 4.0]);
        assert_eq!(tensors[3].to_f64_vec(), [1.0, 0.0, 0.0, 1.0]);
        for tensor in &tensors {
            assert_eq!(tensor.bytes().as_ptr().align_offset(64), 0);
            assert_eq!(tensor.len(), 4);
            assert_eq!(tensor.bytes().len(), 4 * tensor.dtype().size());
        }
    }

    #[test]
    fn scalars_have_one_element_and_empty_tensors_none() {
        assert_eq!(HostTensor::from_f32(&[], &[3.0]).as_f32(), [3.0]);
        let empty = HostTensor::from_i32(&[0, 5], &[]);
        assert!(empty.is_empty() && empty.as_i32().is_empty());
    }

    #[test]
    fn large_buffers_are_zeros_and_grow() {
        for len in [LARGE - 65, LARGE - 1, LARGE, LARGE + 70_001] {
            let mut buffer = AlignedBytes::zeros(len);
            assert_eq!(buffer.as_slice().as_ptr().align_offset(LINE), 0);
            assert!(buffer.as_slice().iter().all(|&b| b == 0));
            buffer.as_mut_slice().fill(7);
            let copy = buffer.clone();
            buffer.extend(&[8, 9]);
            assert_eq!(buffer.as_slice()[..len], *copy.as_slice());
            assert_eq!(buffer.as_slice()[len..], [8, 9]);
        }
    }

    #[test]
    fn a_buffer_grows_across_lines() {
        let mut buffer = AlignedBytes::default();
        let expected: Vec<u8> = (0..200).collect();
        for part in expected.chunks(33) {
            buffer.extend(part);
        }
        assert_eq!(buffer.as_slice(), expected);
        assert_eq!(buffer, AlignedBytes::copy_of(&expected));
    }

    #[test]
    fn from_bytes_checks_the_length() {
        let bytes = || AlignedBytes::zeros(12);
        assert!(HostTensor::from_bytes(DType::F32, vec![3], bytes()).is_some());
        assert!(HostTensor::from_bytes(DType::F32, vec![4], bytes()).is_none());
        assert!(HostTensor::from_bytes(DType::F64, vec![usize::MAX, 2], bytes()).is_none());
    }

    #[test]
    #[should_panic(expected = "another dtype")]
    fn the_wrong_accessor_panics() {
        HostTensor::from_i32(&[1], &[1]).as_f32();
    }
}
