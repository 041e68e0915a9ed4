//! Bytes of x86-64 instructions: AVX-512 on vectors and masks, and the few others that loops need.
//!
//! Encodings: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, sections 2.3 (VEX) and 2.7 (EVEX).

use super::super::formulas::Table;

/// A general register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct General(pub u8);

pub const RAX: General = General(0);
pub const RCX: General = General(1);
pub const RDX: General = General(2);
pub const RBX: General = General(3);
pub const RSP: General = General(4);
pub const RBP: General = General(5);
pub const RSI: General = General(6);
pub const RDI: General = General(7);
pub const R8: General = General(8);
pub const R9: General = General(9);
pub const R10: General = General(10);
pub const R11: General = General(11);
pub const R15: General = General(15);

/// A place in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    At {
        base: General,
        /// And the power of two that it is multiplied by.
        index: Option<(General, u8)>,
        offset: i32,
    },
    /// A word of the table of constants behind the code.
    Constant(u32),
    /// Sixteen words behind the code.
    Table(&'static Table),
}

/// The last operand of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Last {
    /// A vector or mask register.
    Register(u8),
    Memory(Memory),
    /// One word of memory, for all lanes.
    Repeated(Memory),
}

/// Which instruction: its table of opcodes, and its prefix. All are on elements of at most 32 bits.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    table: u8,
    prefix: u8,
    byte: u8,
}

const fn code(table: u8, prefix: u8, byte: u8) -> Code {
    Code {
        table,
        prefix,
        byte,
    }
}

/// Prefixes of opcodes.
const NONE: u8 = 0;
const P66: u8 = 1;
const PF3: u8 = 2;
const PF2: u8 = 3;

pub const ADDPS: Code = code(1, NONE, 0x58);
pub const MULPS: Code = code(1, NONE, 0x59);
pub const SUBPS: Code = code(1, NONE, 0x5c);
pub const MINPS: Code = code(1, NONE, 0x5d);
pub const DIVPS: Code = code(1, NONE, 0x5e);
pub const MAXPS: Code = code(1, NONE, 0x5f);
pub const SQRTPS: Code = code(1, NONE, 0x51);
pub const LOADPS: Code = code(1, NONE, 0x10);
pub const STOREPS: Code = code(1, NONE, 0x11);
/// Past the caches.
pub const STREAMPS: Code = code(1, NONE, 0x2b);
pub const CMPPS: Code = code(1, NONE, 0xc2);
pub const CVTDQ2PS: Code = code(1, NONE, 0x5b);
pub const CVTTPS2DQ: Code = code(1, PF3, 0x5b);
pub const PADDD: Code = code(1, P66, 0xfe);
pub const PSUBD: Code = code(1, P66, 0xfa);
pub const PANDD: Code = code(1, P66, 0xdb);
pub const PORD: Code = code(1, P66, 0xeb);
pub const PXORD: Code = code(1, P66, 0xef);
/// Shifts by a constant: the instruction is in the register field.
pub const SHIFTD: Code = code(1, P66, 0x72);
pub const MOVSHDUP: Code = code(1, PF3, 0x16);
pub const STORESS: Code = code(1, PF3, 0x11);
pub const LOADB: Code = code(1, PF2, 0x6f);
pub const STOREB: Code = code(1, PF2, 0x7f);
pub const BROADCASTSS: Code = code(2, P66, 0x18);
/// Fused: the first register becomes itself by the last, plus the second; itself by the second, plus the last; the second by
/// the last, plus itself.
pub const FMADD132PS: Code = code(2, P66, 0x98);
pub const FMADD213PS: Code = code(2, P66, 0xa8);
pub const FMADD231PS: Code = code(2, P66, 0xb8);
pub const SCALEFPS: Code = code(2, P66, 0x2c);
pub const PMULLD: Code = code(2, P66, 0x40);
pub const PMAXSD: Code = code(2, P66, 0x3d);
pub const PMINSD: Code = code(2, P66, 0x39);
pub const PABSD: Code = code(2, P66, 0x1e);
pub const PABSB: Code = code(2, P66, 0x1c);
pub const PSLLVD: Code = code(2, P66, 0x47);
pub const PSRAVD: Code = code(2, P66, 0x46);
/// The lanes of the last operand that the first names.
pub const PERMPS: Code = code(2, P66, 0x16);
pub const BLENDMPS: Code = code(2, P66, 0x65);
pub const PTESTMB: Code = code(2, P66, 0x26);
pub const PMOVM2B: Code = code(2, PF3, 0x28);
pub const RNDSCALEPS: Code = code(3, P66, 0x08);
pub const FIXUPIMMPS: Code = code(3, P66, 0x54);
pub const PCMPD: Code = code(3, P66, 0x1f);
pub const EXTRACT256: Code = code(3, P66, 0x1b);
pub const EXTRACT128: Code = code(3, P66, 0x19);
pub const PEXTRB: Code = code(3, P66, 0x14);
pub const PERMILPS: Code = code(3, P66, 0x04);
pub const INSERT128: Code = code(3, P66, 0x18);
pub const INSERT256: Code = code(3, P66, 0x1a);
pub const SHUFFLE128: Code = code(3, P66, 0x23);
pub const SHUFPS: Code = code(1, NONE, 0xc6);

/// How wide vectors are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    W128 = 0,
    W256 = 1,
    W512 = 2,
}

/// Which lanes an instruction writes: those of a mask register. The others are left, or set to zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lanes {
    pub mask: u8,
    pub zero: bool,
}

/// A place in the code that jumps lead to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(usize);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    Less = 0xc,
    GreaterOrEqual = 0xd,
}

#[derive(Default)]
pub struct Assembler {
    code: Vec<u8>,
    constants: Vec<u32>,
    /// Offsets to constants: where, the end of the instruction, which.
    to_constants: Vec<(usize, usize, usize)>,
    tables: Vec<&'static Table>,
    to_tables: Vec<(usize, usize, usize)>,
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
}

/// Where a thing stands among those known; a new one comes last.
fn number_of<T: PartialEq>(known: &mut Vec<T>, x: T) -> usize {
    known.iter().position(|k| *k == x).unwrap_or_else(|| {
        known.push(x);
        known.len() - 1
    })
}

impl Assembler {
    /// The code, with its constants behind it.
    pub fn finish(mut self) -> Vec<u8> {
        for (at, label) in std::mem::take(&mut self.jumps) {
            let target = self.labels[label.0].unwrap_or(self.code.len());
            self.patch(at, target as i64 - (at as i64 + 4));
        }
        // Tables first, each in a line of the cache.
        let line = if self.tables.is_empty() { 4 } else { 64 };
        while !self.code.len().is_multiple_of(line) {
            self.code.push(0xcc);
        }
        for (at, end, which) in std::mem::take(&mut self.to_tables) {
            self.patch(at, (self.code.len() + 64 * which) as i64 - end as i64);
        }
        for word in self.tables.iter().flat_map(|t| t.iter()) {
            self.code.extend(word.to_le_bytes());
        }
        let table = self.code.len();
        for (at, end, which) in std::mem::take(&mut self.to_constants) {
            self.patch(at, (table + 4 * which) as i64 - end as i64);
        }
        for c in &self.constants {
            self.code.extend(c.to_le_bytes());
        }
        self.code
    }

    /// Puts instructions, which have no jumps and no constants, before all others.
    pub fn put_first(&mut self, first: Self) {
        debug_assert!(
            first.jumps.is_empty() && first.to_constants.is_empty() && first.to_tables.is_empty(),
            "distances would be wrong"
        );
        let n = first.code.len();
        self.code.splice(0..0, first.code);
        self.labels.iter_mut().flatten().for_each(|at| *at += n);
        self.jumps.iter_mut().for_each(|jump| jump.0 += n);
        let distances = self.to_constants.iter_mut().chain(&mut self.to_tables);
        distances.for_each(|(at, end, _)| (*at, *end) = (*at + n, *end + n));
    }

    fn patch(&mut self, at: usize, distance: i64) {
        self.code[at..at + 4].copy_from_slice(&(distance as i32).to_le_bytes());
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    pub fn bind(&mut self, label: Label) {
        self.labels[label.0] = Some(self.code.len());
    }

    pub fn jump_if(&mut self, c: Condition, to: Label) {
        self.code.extend([0x0f, 0x80 | c as u8]);
        self.jumps.push((self.code.len(), to));
        self.code.extend([0; 4]);
    }

    /// The bytes that name the operands, and a constant behind them.
    fn operands(&mut self, register: u8, last: Last, immediate: Option<u8>) {
        let register = (register & 7) << 3;
        match last {
            Last::Register(r) => self.code.push(0xc0 | register | (r & 7)),
            Last::Memory(m) | Last::Repeated(m) => match m {
                Memory::Table(table) => {
                    let which = number_of(&mut self.tables, table);
                    let (at, end) = self.distance(register, immediate);
                    self.to_tables.push((at, end, which));
                }
                Memory::Constant(word) => {
                    let which = number_of(&mut self.constants, word);
                    let (at, end) = self.distance(register, immediate);
                    self.to_constants.push((at, end, which));
                }
                Memory::At {
                    base,
                    index,
                    offset,
                } => {
                    // Without an offset, two of the registers would mean something else.
                    let far = offset != 0 || base.0 & 7 == 5;
                    let mode = if far { 0x80 } else { 0 };
                    if index.is_none() && base.0 & 7 != 4 {
                        self.code.push(mode | register | (base.0 & 7));
                    } else {
                        let (i, scale) = index.map_or((4, 0), |(i, scale)| (i.0 & 7, scale));
                        self.code.push(mode | register | 4);
                        self.code.push(scale << 6 | i << 3 | (base.0 & 7));
                    }
                    if far {
                        self.code.extend(offset.to_le_bytes());
                    }
                }
            },
        }
        self.code.extend(immediate);
    }

    /// The bytes of a place that is told by its distance, which is not known yet: where that stands, and the instruction's end, from
    /// which it counts.
    fn distance(&mut self, register: u8, immediate: Option<u8>) -> (usize, usize) {
        self.code.push(register | 5);
        let at = self.code.len();
        self.code.extend([0; 4]);
        (at, at + 4 + usize::from(immediate.is_some()))
    }

    /// The bits that registers beyond the first eight add, of the base and of the index.
    fn extensions(last: Last) -> (bool, bool) {
        match last {
            Last::Register(r) => (r & 8 != 0, r & 16 != 0),
            Last::Memory(Memory::At { base, index, .. })
            | Last::Repeated(Memory::At { base, index, .. }) => {
                (base.0 & 8 != 0, index.is_some_and(|(i, _)| i.0 & 8 != 0))
            }
            _ => (false, false),
        }
    }

    /// An instruction on vectors: `to = f(first, last)`.
    #[expect(
        clippy::too_many_arguments,
        reason = "an instruction has so many parts"
    )]
    pub fn vector(
        &mut self,
        code: Code,
        width: Width,
        to: u8,
        first: u8,
        last: Last,
        lanes: Lanes,
        immediate: Option<u8>,
    ) {
        let not = |bit: bool, at: u8| u8::from(!bit) << at;
        let (b, x) = Self::extensions(last);
        let repeated = u8::from(matches!(last, Last::Repeated(_)));
        self.code.extend([
            0x62,
            not(to & 8 != 0, 7) | not(x, 6) | not(b, 5) | not(to & 16 != 0, 4) | code.table,
            (!first & 0xf) << 3 | 4 | code.prefix,
            u8::from(lanes.zero) << 7
                | (width as u8) << 5
                | repeated << 4
                | not(first & 16 != 0, 3)
                | lanes.mask,
            code.byte,
        ]);
        self.operands(to, last, immediate);
    }

    /// The same on all lanes, without a constant.
    pub fn all(&mut self, code: Code, width: Width, to: u8, first: u8, last: Last) {
        self.vector(code, width, to, first, last, Lanes::default(), None);
    }

    /// An instruction on masks: `to = f(first, second)`.
    pub fn logic(&mut self, byte: u8, to: u8, first: u8, second: u8) {
        self.code
            .extend([0xc4, 0xe1, (!first & 0xf) << 3 | 4, byte]);
        self.operands(to, Last::Register(second), None);
    }

    /// A mask from or to sixteen bits of memory at a low register.
    pub fn load_mask(&mut self, to: u8, from: Memory) {
        self.code.extend([0xc5, 0xf8, 0x90]);
        self.operands(to, Last::Memory(from), None);
    }

    pub fn store_mask(&mut self, from: u8, to: Memory) {
        self.code.extend([0xc5, 0xf8, 0x91]);
        self.operands(from, Last::Memory(to), None);
    }

    /// A mask from a low register.
    pub fn mask_from(&mut self, to: u8, from: General) {
        self.code.extend([0xc5, 0xf8, 0x92]);
        self.operands(to, Last::Register(from.0), None);
    }

    /// All bits of the first register of the eight if the byte of memory is 1, none if it is 0.
    pub fn spread_byte(&mut self, to: General, from: Memory) {
        let (b, x) = Self::extensions(Last::Memory(from));
        self.code
            .extend([0x40 | u8::from(x) << 1 | u8::from(b), 0x0f, 0xb6]);
        self.operands(to.0, Last::Memory(from), None);
        self.code.extend([0xf7, 0xd8 | to.0]);
    }

    /// An instruction on 64-bit registers.
    fn general(&mut self, byte: u8, register: u8, last: Last) {
        let (b, x) = Self::extensions(last);
        let prefix = 0x48 | u8::from(register & 8 != 0) << 2 | u8::from(x) << 1 | u8::from(b);
        self.code.extend([prefix, byte]);
        self.operands(register, last, None);
    }

    pub fn load(&mut self, to: General, from: Memory) {
        self.general(0x8b, to.0, Last::Memory(from));
    }

    pub fn copy(&mut self, to: General, from: General) {
        self.general(0x89, from.0, Last::Register(to.0));
    }

    pub fn add(&mut self, to: General, n: i32) {
        self.general(0x81, 0, Last::Register(to.0));
        self.code.extend(n.to_le_bytes());
    }

    pub fn add_register(&mut self, to: General, x: General) {
        self.general(0x01, x.0, Last::Register(to.0));
    }

    pub fn and(&mut self, to: General, n: i32) {
        self.general(0x81, 4, Last::Register(to.0));
        self.code.extend(n.to_le_bytes());
    }

    pub fn multiply(&mut self, to: General, from: General, n: i32) {
        self.general(0x69, to.0, Last::Register(from.0));
        self.code.extend(n.to_le_bytes());
    }

    pub fn subtract(&mut self, to: General, x: General) {
        self.general(0x29, x.0, Last::Register(to.0));
    }

    pub fn compare_constant(&mut self, x: General, n: i32) {
        self.general(0x81, 7, Last::Register(x.0));
        self.code.extend(n.to_le_bytes());
    }

    pub fn compare(&mut self, x: General, y: General) {
        self.general(0x39, y.0, Last::Register(x.0));
    }

    /// A small constant, to one of the first eight registers.
    pub fn constant(&mut self, to: General, n: u32) {
        self.code.push(0xb8 | (to.0 & 7));
        self.code.extend(n.to_le_bytes());
    }

    pub fn push(&mut self, r: General) {
        if r.0 & 8 != 0 {
            self.code.push(0x41);
        }
        self.code.push(0x50 | (r.0 & 7));
    }

    pub fn pop(&mut self, r: General) {
        if r.0 & 8 != 0 {
            self.code.push(0x41);
        }
        self.code.push(0x58 | (r.0 & 7));
    }

    /// Waits until streaming stores are done.
    pub fn store_fence(&mut self) {
        self.code.extend([0x0f, 0xae, 0xf8]);
    }

    /// Leaves vectors as other code wants to find them, and returns.
    pub fn finish_function(&mut self) {
        self.code.extend([0xc5, 0xf8, 0x77, 0xc3]);
    }
}
