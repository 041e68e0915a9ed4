//! Narrow rows, several to a vector: their elements lie side by side in memory. What is one for each column is laid out once, as often
//! as there are rows in a vector; what is one for each row is spread over its lanes as it is read.

use super::super::super::formulas::Table;
use super::super::assemble::{LOADPS, Last, PERMPS, STOREPS};
use super::super::program::{At, Op, Section};
use super::{Condition, Lanes, Loops, Memory, REST, Width, Writer};
use super::{R9, RSI, RSP, SPILL, WIDTH, at};

/// By number of columns, for each lane: its column, and its row.
static COLUMN_OF: [Table; WIDTH / 2 + 1] = lanes(false);
static ROW_OF: [Table; WIDTH / 2 + 1] = lanes(true);

const fn lanes(of_row: bool) -> [Table; WIDTH / 2 + 1] {
    let mut tables = [[0; WIDTH]; WIDTH / 2 + 1];
    let mut columns = 1;
    while columns <= WIDTH / 2 {
        let mut lane = 0;
        while lane < WIDTH {
            let of = if of_row {
                lane / columns
            } else {
                lane % columns
            };
            tables[columns][lane] = of as u32;
            lane += 1;
        }
        columns += 1;
    }
    tables
}

/// The slots that are read by column, if there are several rows in a vector.
pub fn laid_out(sections: &[Section], loops: Loops) -> Vec<usize> {
    let mut slots = Vec::new();
    for op in sections.iter().flat_map(|s| &s.columns.ops) {
        if let Op::Load { slot, at, .. } = op
            && (*at == At::Column && loops.packed > 1 && !slots.contains(slot))
        {
            slots.push(*slot);
        }
    }
    slots
}

impl<'p> Writer<'p> {
    /// The rows, as long as there are enough for a vector.
    pub(super) fn rows_packed(&mut self) {
        let (columns, packed) = (self.loops.columns, self.loops.packed);
        let sections = self.sections;
        let width = std::mem::replace(&mut self.width, Width::W512);
        self.many_rows = true;
        self.lay_out_columns();
        let which = Last::Memory(Memory::Table(&ROW_OF[columns]));
        self.a
            .all(LOADPS, Width::W512, self.values.beside(), 0, which);
        // Nothing behind the last row is read.
        let needed = self.rows_read().1;
        let lanes = packed * columns;
        let rest = lanes < WIDTH;
        if rest {
            self.rest_mask(lanes);
        }
        self.a.multiply(R9, RSI, columns as i32);
        let (again, over) = (self.a.label(), self.a.label());
        self.rows_left(needed, over, Condition::Less);
        self.a.bind(again);
        for section in sections {
            self.body(&section.columns, rest);
        }
        self.a.add(R9, lanes as i32);
        self.a.add(RSI, packed as i32);
        self.rows_left(needed, again, Condition::GreaterOrEqual);
        self.a.bind(over);
        if rest {
            self.rest_mask(columns);
        }
        self.many_rows = false;
        self.width = width;
    }

    /// How much is read of what is one for each row, at least as many as there are in a vector.
    fn rows_read(&self) -> (Width, usize) {
        match self.loops.packed {
            ..=4 => (Width::W128, 4),
            5..=8 => (Width::W256, 8),
            _ => (Width::W512, WIDTH),
        }
    }

    /// Writes the vectors of what is one for each column to the stack.
    fn lay_out_columns(&mut self) {
        let which = Last::Memory(Memory::Table(&COLUMN_OF[self.loops.columns]));
        let w = Width::W512;
        let lanes = Lanes {
            mask: REST,
            zero: true,
        };
        for slot in self.laid_out.clone() {
            let from = Last::Memory(self.slot(slot, At::Whole, 4));
            self.a.vector(LOADPS, w, 0, 0, from, lanes, None);
            self.a.all(LOADPS, w, 1, 0, which);
            self.a.all(PERMPS, w, 0, 1, Last::Register(0));
            let to = Last::Memory(self.layout(slot));
            self.a.all(STOREPS, w, 0, 0, to);
        }
    }

    /// Where the vector of such a slot is.
    fn layout(&self, slot: usize) -> Memory {
        let n = self.laid_out.iter().position(|s| *s == slot);
        at(RSP, None, (n.unwrap_or(0) as u32 * SPILL) as i32)
    }

    /// Reads what is one for each column or for each row. Which row a lane belongs to is in a register beside those of values.
    pub(super) fn make_packed(&mut self, slot: usize, place: At, to: u8) {
        if place == At::Column {
            let from = Last::Memory(self.layout(slot));
            return self.a.all(LOADPS, Width::W512, to, 0, from);
        }
        let from = Last::Memory(self.slot(slot, place, 4));
        self.a.all(LOADPS, self.rows_read().0, to, 0, from);
        let w = Width::W512;
        self.a
            .all(PERMPS, w, to, self.values.beside(), Last::Register(to));
    }
}
