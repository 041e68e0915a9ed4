//! A graph as text: one node a line, in a stable order, numbered densely.

use super::{Attr, Graph, Literal, Value};
use std::collections::HashMap;
use std::fmt::Write;

/// Nodes that an output needs, and all inputs, oldest first.
pub fn live(g: &Graph) -> Vec<Value> {
    needed(g, g.inputs.iter().map(|i| i.value))
}

/// Nodes that an output or one of `besides` needs, oldest first.
fn needed(g: &Graph, besides: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut used = vec![false; g.len()];
    g.outputs.iter().for_each(|o| used[o.1.0 as usize] = true);
    besides.for_each(|v| used[v.0 as usize] = true);
    for v in g.values().rev() {
        if used[v.0 as usize] {
            for o in g.operands(v).iter().chain(&g.node(v).guard) {
                used[o.0 as usize] = true;
            }
        }
    }
    g.values().filter(|v| used[v.0 as usize]).collect()
}

/// `%3 = mul %1, %2 : real[4]`
pub fn print(g: &Graph) -> String {
    print_nodes(g, &live(g))
}

/// [`print`], without inputs that no output needs.
pub fn print_needed(g: &Graph) -> String {
    print_nodes(g, &needed(g, std::iter::empty()))
}

fn print_nodes(g: &Graph, nodes: &[Value]) -> String {
    let number: HashMap<Value, usize> = nodes.iter().enumerate().map(|(i, &v)| (v, i)).collect();
    let mut out = String::new();
    for &v in nodes {
        let node = g.node(v);
        let operands: Vec<String> = g
            .operands(v)
            .iter()
            .map(|o| format!("%{}", number[o]))
            .collect();
        let _ = write!(out, "%{} = {}", number[&v], node.def.name);
        let attr = match &node.attr {
            Attr::Input(i, _) => g
                .inputs
                .get(*i as usize)
                .map_or(String::new(), |i| format!(" \"{}\"", i.name)),
            attr => attr_text(attr),
        };
        out += &attr;
        if !operands.is_empty() {
            let _ = write!(out, " {}", operands.join(", "));
        }
        let _ = write!(out, " : {}", node.ty);
        if let Some(c) = node.guard {
            let _ = write!(out, " if %{}", number[&c]);
        }
        if node.in_order() {
            out += " in order";
        }
        out.push('\n');
        if let Attr::Loop(l) = &node.attr {
            for line in print(&l.body).lines() {
                let _ = writeln!(out, "    {line}");
            }
        }
    }
    for (name, v) in &g.outputs {
        let _ = writeln!(out, "{name} <- %{}", number[v]);
    }
    out
}

/// An attribute, with a leading space, or nothing.
pub fn attr_text(attr: &Attr) -> String {
    match attr {
        Attr::None | Attr::Id(_) | Attr::Shape(_) | Attr::DType(_) | Attr::Placeholder(..) => {
            String::new()
        }
        Attr::Input(i, _) => format!(" {i}"),
        Attr::Fill(Literal::Real(x), _) => format!(" {x:?}"),
        Attr::Fill(Literal::Int(i), _) => format!(" {i}"),
        Attr::Fill(Literal::Bool(b), _) => format!(" {b}"),
        Attr::Table(bits, _) => format!(" {} values", bits.len()),
        Attr::Iota { axis, .. } | Attr::Axis(axis) => format!("[axis {axis}]"),
        Attr::Axes(a) | Attr::Perm(a) => format!("{a:?}"),
        Attr::Broadcast { axes, .. } => format!("{axes:?}"),
        Attr::Slice { start, stop, step } => {
            let parts: Vec<String> = (0..start.len())
                .map(|i| match step[i] {
                    1 => format!("{}..{}", start[i], stop[i]),
                    k => format!("{}..{}:{k}", start[i], stop[i]),
                })
                .collect();
            format!("[{}]", parts.join(", "))
        }
        Attr::Pad { low, high, between } => format!("[{low:?} {high:?} {between:?}]"),
        Attr::Scatter { axis, extent } => format!("[axis {axis} of {extent}]"),
        Attr::Triangle {
            lower,
            transpose,
            unit,
        } => {
            let side = if *lower { "lower" } else { "upper" };
            let transpose = if *transpose { ", transpose" } else { "" };
            let unit = if *unit { ", unit" } else { "" };
            format!("[{side}{transpose}{unit}]")
        }
        Attr::Contract(c) => {
            let pairs = |p: &[(usize, usize)]| {
                p.iter()
                    .map(|(i, j)| format!("{i}-{j}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            if c.batch.is_empty() {
                format!("[{}]", pairs(&c.sum))
            } else {
                format!("[{}; batch {}]", pairs(&c.sum), pairs(&c.batch))
            }
        }
        Attr::Draw { .. } => String::new(),
        Attr::Loop(l) => {
            let ends = if l.bounded { "at most " } else { "" };
            let back = if l.reverse { ", backward" } else { "" };
            format!("[{ends}{} times{back}]", l.count)
        }
        Attr::Call(c) => format!(" {}", c.name),
        Attr::Part(k, _) => format!("[{k}]"),
        Attr::Site(i, _) => format!(" #{i}"),
        Attr::Continue(i, leaf, _) => format!(" #{i}.{leaf}"),
        Attr::Order(n) => format!(" {n}"),
    }
}

/// The graph in Graphviz's language.
pub fn dot(g: &Graph) -> String {
    let nodes = live(g);
    let mut out = String::from(
        "digraph step {\n  rankdir=TB;\n  node [shape=box, fontname=\"monospace\"];\n",
    );
    for &v in &nodes {
        let node = g.node(v);
        let name = match &node.attr {
            Attr::Input(i, _) => g
                .inputs
                .get(*i as usize)
                .map_or("input".into(), |i| i.name.clone()),
            attr => format!("{}{}", node.def.name, attr_text(attr)),
        };
        let label = format!("{name}\\n{}", node.ty).replace('"', "'");
        let _ = writeln!(out, "  n{} [label=\"{label}\"];", v.0);
        for o in g.operands(v) {
            let _ = writeln!(out, "  n{} -> n{};", o.0, v.0);
        }
    }
    for (i, (name, v)) in g.outputs.iter().enumerate() {
        let name = name.replace('"', "'");
        let _ = writeln!(
            out,
            "  o{i} [label=\"{name}\", shape=ellipse];\n  n{} -> o{i};",
            v.0
        );
    }
    out += "}\n";
    out
}
