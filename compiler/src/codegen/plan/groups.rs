//! Groups of nodes that are computed together, as they form: who belongs where, and an order in which they can run.

use super::super::wide::MOST_FOLDS;
use super::{
    CONE, Folding, LARGEST, SEARCH, access, folding, is_alias, is_broadcast, is_draw, is_map,
    row_read, split_of,
};
use crate::ir::{Graph, Shape, Value};
use std::collections::HashMap;

/// Nodes that are computed together.
pub struct Group {
    members: Vec<Value>,
    /// A value of the shape of its loop nest; `None` if it is a native call.
    pub model: Option<Value>,
    /// How many leading axes its rows are, once an operand or a reduction has decided it.
    pub split: Option<usize>,
    /// How many of its members are reductions that its loops hold in registers.
    folds: usize,
    level: usize,
    /// The groups that need it directly.
    users: Vec<usize>,
    /// Those of them that read it as no fellow of its nest could.
    apart: Vec<usize>,
    /// Itself, or the group that it has become a part of.
    merged: usize,
}

impl Group {
    fn part_of(group: usize) -> Self {
        Self {
            members: vec![],
            model: None,
            split: None,
            folds: 0,
            level: 0,
            users: vec![],
            apart: vec![],
            merged: group,
        }
    }
}

/// The groups being formed, in an order in which they can run.
///
/// A group runs after all those it needs: its level is above theirs. A join that asks for another need raises the level of
/// the group, and of those above it as far as that is called for (Pearce and Kelly 2006); if one of these is the need
/// itself, the groups would form a circle.
#[derive(Default)]
pub struct Groups {
    pub all: Vec<Group>,
    of: HashMap<Value, usize>,
}

/// Whether a reduction is one that loops hold in a register.
fn is_held(g: &Graph, v: Value) -> bool {
    matches!(folding(g, v), Some((Folding::Row | Folding::Whole, _)))
}

/// What a node would join to be computed with one of its operands.
#[derive(Clone, Copy)]
enum Target {
    /// The group of a whole node.
    Whole(Value),
    /// The groups whose reductions of rows a value comes from that is read along the rows, which are so many leading axes.
    Rows(Value, usize),
}

/// Where a value of one element a row comes from.
struct Origin {
    groups: Vec<usize>,
    /// The nodes between the reductions of rows in these groups and the value.
    cone: Vec<Value>,
}

impl Groups {
    fn current(&self, mut group: usize) -> usize {
        while self.all[group].merged != group {
            group = self.all[group].merged;
        }
        group
    }

    /// Whether the group has not become a part of another.
    pub fn is_separate(&self, group: usize) -> bool {
        self.all[group].merged == group
    }

    pub fn of(&self, v: Value) -> Option<usize> {
        self.of.get(&v).map(|&group| self.current(group))
    }

    /// The group that makes what an operand is: through aliases and repeated broadcasts.
    pub fn maker(&self, g: &Graph, mut v: Value) -> Option<usize> {
        while is_alias(g, v) || is_broadcast(g, v) {
            v = g.operands(v)[0];
        }
        self.of(v)
    }

    /// The groups that make the operands of a node.
    fn needs(&self, g: &Graph, v: Value) -> Vec<usize> {
        let mut needs = Vec::new();
        for o in g.operands(v) {
            needs.extend(self.maker(g, o).filter(|m| !needs.contains(m)));
        }
        needs
    }

    pub fn shape<'g>(&self, g: &'g Graph, group: usize) -> Option<&'g Shape> {
        self.all[group].model.map(|m| &g.ty(m).shape)
    }

    /// Whether an element-wise node, or random words, have the shape of the group's nest.
    pub fn is_whole(&self, g: &Graph, v: Value, group: usize) -> bool {
        (is_map(g, v) || is_draw(g, v)) && self.shape(g, group) == Some(&g.ty(v).shape)
    }

    /// Whether a member leaves one element for each row, if the rows are `split` leading axes.
    fn leaves_rows(&self, g: &Graph, v: Value, group: usize, split: usize) -> bool {
        let decided = self.all[group].split;
        if self.of(v) != Some(group) || self.all[group].model.is_none() {
            return false;
        }
        match folding(g, v) {
            Some((Folding::Row, _)) => decided == Some(split),
            Some((Folding::Whole, _)) => split == 0 && decided.is_none_or(|s| s == 0),
            Some((Folding::Column, _)) => false,
            None => is_map(g, v) && !self.is_whole(g, v, group) && decided == Some(split),
        }
    }

    /// Whether a whole node that reads the operand can be in one nest with what makes it.
    fn can_share(&self, g: &Graph, v: Value, o: Value, maker: usize) -> bool {
        let shape = &g.ty(v).shape;
        if self.shape(g, maker) != Some(shape) || !is_map(g, v) {
            return false;
        }
        let by_row = |(source, split)| {
            self.all[maker].split == Some(split) && self.leaves_rows(g, source, maker, split)
        };
        self.of(o) == Some(maker) && self.is_whole(g, o, maker)
            || row_read(g, o).is_some_and(by_row)
    }

    /// Whether a member of `group` may read the operand, as far as that is of the same group.
    fn can_read(&self, g: &Graph, v: Value, group: usize) -> bool {
        g.operands(v)
            .into_iter()
            .all(|o| self.maker(g, o) != Some(group) || self.can_share(g, v, o, group))
    }

    pub fn add(&mut self, g: &Graph, v: Value, model: Option<Value>) -> usize {
        let group = self.all.len();
        let needs = self.needs(g, v);
        let level = needs.iter().map(|&n| self.all[n].level + 1).max();
        self.all.push(Group {
            members: vec![],
            model,
            split: None,
            folds: 0,
            level: level.unwrap_or(0),
            users: vec![],
            apart: vec![],
            merged: group,
        });
        self.join(g, group, v);
        group
    }

    /// The members of a group, oldest first.
    pub fn members(&self, group: usize) -> Vec<Value> {
        let mut members = self.all[group].members.clone();
        members.retain(|&m| self.of(m) == Some(group));
        members.sort();
        members.dedup();
        members
    }

    /// Makes the node a member, for whose needs there is room.
    pub fn join(&mut self, g: &Graph, group: usize, v: Value) {
        for o in g.operands(v) {
            if let Some(maker) = self.maker(g, o).filter(|&m| m != group) {
                // Fellows of a nest that is divided otherwise are told by that.
                let whole = self.is_whole(g, v, group);
                let shared = whole && self.can_share(g, v, o, maker)
                    || !is_map(g, v) && self.of(o) == Some(maker) && self.is_whole(g, o, maker);
                self.need(group, maker, !shared);
            }
        }
        self.decide(g, group, v);
        self.all[group].folds += usize::from(is_held(g, v));
        self.all[group].members.push(v);
        self.of.insert(v, group);
    }

    fn need(&mut self, group: usize, needed: usize, apart: bool) {
        let n = &mut self.all[needed];
        if n.users.last() != Some(&group) {
            n.users.push(group);
        }
        if apart && n.apart.last() != Some(&group) {
            n.apart.push(group);
        }
    }

    /// Lets the operands of a new member, or what a new reduction leaves, decide what rows are.
    fn decide(&mut self, g: &Graph, group: usize, v: Value) {
        if self.all[group].model.is_none() || self.all[group].split.is_some() {
            return;
        }
        let wish = match folding(g, v) {
            Some((_, wish)) => wish,
            None if !is_map(g, v) || !self.is_whole(g, v, group) => None,
            None => g
                .operands(v)
                .into_iter()
                .filter(|o| self.of(*o) != Some(group))
                .find_map(|o| split_of(&g.ty(v).shape, &access(g, o).axes).ok().flatten()),
        };
        self.all[group].split = wish;
    }

    /// Makes room for the group to need others: raises levels. False, and nothing changed, if that would be a circle or take
    /// too long.
    fn make_room(&mut self, group: usize, needs: &[usize]) -> bool {
        let wanted = needs.iter().map(|&n| self.all[n].level + 1).max();
        self.raise(group, wanted.unwrap_or(0), needs, false)
    }

    /// Raises the level of a group, and of those above it as far as that is called for. False, and nothing changed, if one of
    /// those `before` is among them, or if it takes too long. `direct`: one step from the group they may be.
    fn raise(&mut self, group: usize, wanted: usize, before: &[usize], direct: bool) -> bool {
        let mut changed: Vec<(usize, usize)> = Vec::new();
        let mut next = vec![(group, wanted)];
        let mut fits = true;
        let mut looked = 0;
        while let Some((at, level)) = next.pop() {
            looked += 1;
            if (before.contains(&at) && at != group) || looked > SEARCH || next.len() > SEARCH {
                fits = false;
                break;
            }
            if self.all[at].level >= level {
                continue;
            }
            changed.push((at, self.all[at].level));
            self.all[at].level = level;
            for &u in &self.all[at].users {
                if next.len() > SEARCH {
                    break;
                }
                let u = self.current(u);
                let skipped = u == at || (direct && at == group && before.contains(&u));
                if !skipped {
                    next.push((u, level + 1));
                }
            }
        }
        if !fits {
            for (at, level) in changed.into_iter().rev() {
                self.all[at].level = level;
            }
        }
        fits
    }

    /// Makes one group of two. False, and nothing changed, if they are no nest, differ in what rows are, or would form a
    /// circle.
    pub fn merge(&mut self, g: &Graph, a: usize, b: usize) -> bool {
        let (a, b) = (self.current(a), self.current(b));
        if a == b {
            return true;
        }
        let [x, y] = [&self.all[a], &self.all[b]];
        let same_rows = x.split.is_none() || y.split.is_none() || x.split == y.split;
        let apart = |x: &Group, y: usize| {
            x.apart.len() > SEARCH || x.apart.iter().any(|&u| self.current(u) == y)
        };
        let fits = self.shape(g, a).is_some()
            && self.shape(g, a) == self.shape(g, b)
            && same_rows
            && x.folds + y.folds <= MOST_FOLDS
            && x.members.len() + y.members.len() <= LARGEST
            && !apart(x, b)
            && !apart(y, a);
        let (low, high) = if x.level <= y.level { (a, b) } else { (b, a) };
        let level = self.all[high].level;
        if !fits || !self.raise(low, level, &[high], true) {
            return false;
        }
        let (small, large) = if self.all[a].members.len() < self.all[b].members.len() {
            (a, b)
        } else {
            (b, a)
        };
        let Group {
            members,
            split,
            folds,
            users,
            apart,
            ..
        } = std::mem::replace(&mut self.all[small], Group::part_of(large));
        let whole = &mut self.all[large];
        whole.members.extend(members);
        whole.folds += folds;
        whole.users.extend(users);
        whole.apart.extend(apart);
        whole.level = level;
        whole.split = whole.split.or(split);
        true
    }

    /// Whether there is a register for a reduction.
    pub fn can_fold(&self, g: &Graph, group: usize, v: Value) -> bool {
        !is_held(g, v) || self.all[group].folds < MOST_FOLDS
    }

    /// What an element-wise node can join, for each operand.
    fn targets(&self, g: &Graph, v: Value) -> Vec<Target> {
        let of = |o: Value| {
            if self.of(o).is_some_and(|m| self.is_whole(g, o, m)) {
                return Some(Target::Whole(o));
            }
            let (source, split) = row_read(g, o)?;
            self.origin(g, v, source, split)?;
            Some(Target::Rows(source, split))
        };
        g.operands(v).into_iter().rev().filter_map(of).collect()
    }

    /// Where a value comes from that a whole node reads along its rows.
    fn origin(&self, g: &Graph, reader: Value, source: Value, split: usize) -> Option<Origin> {
        let shape = &g.ty(reader).shape;
        let rows_of = |v: Value| {
            let group = self.of(v)?;
            let fits = self.shape(g, group) == Some(shape) && self.leaves_rows(g, v, group, split);
            fits.then_some(group)
        };
        if let Some(group) = rows_of(source) {
            return Some(Origin {
                groups: vec![group],
                cone: vec![],
            });
        }
        let home = self.of(source).filter(|&h| self.is_whole(g, source, h))?;
        let mut cone = vec![source];
        let mut groups = Vec::new();
        let mut next = 0;
        while next < cone.len() {
            for o in g.operands(cone[next]) {
                let between = is_map(g, o) && self.of(o) == Some(home);
                if let Some(group) = rows_of(o) {
                    groups.push(group);
                } else if between && self.is_whole(g, o, home) && !cone.contains(&o) {
                    cone.push(o);
                }
            }
            next += 1;
            if cone.len() > CONE {
                return None;
            }
        }
        (!groups.is_empty()).then_some(Origin { groups, cone })
    }

    /// Makes an element-wise node a member of a group, if there is one that it can join: of one that it makes of those of its
    /// operands, as far as they can be one.
    pub fn find_place(&mut self, g: &Graph, v: Value) -> bool {
        let targets = self.targets(g, v);
        (0..targets.len()).any(|first| {
            let start = match targets[first] {
                Target::Whole(o) => self.of(o),
                Target::Rows(source, split) => {
                    let origin = self.origin(g, v, source, split);
                    origin.and_then(|o| o.groups.first().copied())
                }
            };
            let Some(mut group) = start else {
                return false;
            };
            let others = (0..targets.len()).filter(|&i| i != first);
            for i in std::iter::once(first).chain(others) {
                self.gather(g, group, v, targets[i]);
                group = self.current(group);
            }
            let mut needs = self.needs(g, v);
            needs.retain(|&n| n != group);
            let fits = self.all[group].members.len() < LARGEST
                && self.can_read(g, v, group)
                && self.make_room(group, &needs);
            if fits {
                self.join(g, group, v);
            }
            fits
        })
    }

    /// Brings what a target is made of into a group, if that can be.
    fn gather(&mut self, g: &Graph, group: usize, v: Value, target: Target) {
        let (source, split) = match target {
            Target::Whole(o) => {
                if let Some(other) = self.of(o) {
                    self.merge(g, group, other);
                }
                return;
            }
            Target::Rows(source, split) => (source, split),
        };
        let Some(Origin { groups, cone }) = self.origin(g, v, source, split) else {
            return;
        };
        let agree = self.settle(group, split) && groups.iter().all(|&x| self.settle(x, split));
        if agree && groups.iter().all(|&x| self.merge(g, group, x)) {
            let group = self.current(group);
            self.pull(g, group, split, &cone);
        }
    }

    /// Says that the group's rows are so many leading axes. False if they are others.
    fn settle(&mut self, group: usize, split: usize) -> bool {
        let group = self.current(group);
        let decided = &mut self.all[group].split;
        *decided = decided.or(Some(split));
        *decided == Some(split)
    }

    /// Random words that nodes of a group read become a group of their own, so that these can leave. False if there is no
    /// place for it.
    fn leave_draws(&mut self, g: &Graph, home: usize, cone: &[Value]) -> bool {
        for o in cone.iter().flat_map(|&v| g.operands(v)) {
            if is_draw(g, o) && self.of(o) == Some(home) {
                let own = self.add(g, o, Some(o));
                self.need(home, own, false);
                if !self.make_room(home, &[own]) {
                    return false;
                }
            }
        }
        true
    }

    /// Moves nodes of one element a row, all of one group, into the group whose reductions they come from. If that would be a
    /// circle they stay.
    fn pull(&mut self, g: &Graph, group: usize, split: usize, cone: &[Value]) {
        let home = cone.first().and_then(|&v| self.of(v));
        let Some(home) = home.filter(|&h| h != group) else {
            return;
        };
        if !self.leave_draws(g, home, cone) {
            return;
        }
        let mut needs = Vec::new();
        for &v in cone {
            for o in g.operands(v).into_iter().filter(|o| !cone.contains(o)) {
                match self.maker(g, o) {
                    Some(maker) if maker == group && self.leaves_rows(g, o, group, split) => {}
                    Some(maker) if maker == group => return,
                    Some(maker) if !needs.contains(&maker) => needs.push(maker),
                    _ => {}
                }
            }
        }
        if needs.contains(&home) || !self.make_room(group, &needs) {
            return;
        }
        for &v in cone {
            // The old group's list keeps them, which `members` passes over.
            self.of.insert(v, group);
            self.all[group].members.push(v);
        }
        for n in needs {
            self.need(group, n, true);
        }
        self.need(home, group, true);
    }
}
