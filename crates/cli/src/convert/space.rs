//! The requests that a policy tells apart: by path, host, source address and method.
//!
//! In each dimension the conditions of all clauses divide the requests into cells, ordered so that the first cell that
//! has a request tells for every condition whether the request meets it. Rules made from cells in this order decide as
//! the clauses do, whatever their own order and negations.

mod shape;

use std::collections::BTreeSet;

use authgate::http::cidr::Cidr;
use authgate::http::host::HostPattern;
use serde_json::{Value, json};

pub use shape::{Overlap, Shape};

/// A condition in one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Atom {
    Path(Shape),
    /// A host or `*.host`, in lower case.
    Host(String),
    /// A CIDR block.
    Source(String),
    Method(String),
}

/// The dimensions, in the order in which they are divided.
pub const DIMENSIONS: usize = 4;

/// What a request has to meet in one dimension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraint {
    /// At least one of these; empty: no matter which.
    pub any: Vec<Atom>,
    /// None of these.
    pub none: Vec<Atom>,
}

/// What a request has to meet: one constraint for each dimension.
pub type Region = [Constraint; DIMENSIONS];

/// Requests that meet the same conditions in one dimension.
#[derive(Debug, Clone)]
pub struct Cell {
    /// What a `match` says to select it; empty for the last cell.
    pub matched: Value,
    /// The conditions that it meets.
    pub meets: BTreeSet<usize>,
    shape: Option<Shape>,
}

/// Two path conditions whose overlap cannot be written as a `match`.
#[derive(Debug)]
pub struct Entangled(pub Atom);

/// More cells than anybody would read.
const MAX_CELLS: usize = 512;

impl Constraint {
    /// Whether the requests of a cell meet it.
    pub fn is_met(&self, atoms: &[Atom], cell: &Cell) -> bool {
        let meets = |wanted: &Atom| {
            atoms.iter().zip(0..).any(|(atom, at)| atom == wanted && cell.meets.contains(&at))
        };
        (self.any.is_empty() || self.any.iter().any(meets)) && !self.none.iter().any(meets)
    }

    pub fn atoms(&self) -> impl Iterator<Item = &Atom> {
        self.any.iter().chain(&self.none)
    }
}

/// Divides a dimension by these conditions, which differ from each other.
///
/// # Errors
/// If the overlap of two conditions cannot be written; names one of them.
pub fn cells(atoms: &[Atom]) -> Result<Vec<Cell>, Entangled> {
    let mut cells = Vec::new();
    let paths: Vec<&Shape> = atoms
        .iter()
        .filter_map(|atom| if let Atom::Path(shape) = atom { Some(shape) } else { None })
        .collect();
    if paths.is_empty() {
        for atom in atoms {
            let meets = (0..).zip(atoms).filter(|(_, other)| covers(other, atom)).map(|(at, _)| at).collect();
            let matched = match atom {
                Atom::Host(host) => json!({"hosts": [host]}),
                Atom::Source(block) => json!({"sources": [block]}),
                Atom::Method(method) => json!({"methods": [method]}),
                Atom::Path(shape) => shape.to_match(),
            };
            cells.push(Cell { matched, meets, shape: None });
        }
    } else {
        for shape in closure(&paths, atoms)? {
            let meets = (0..).zip(&paths).filter(|(_, other)| shape.overlap(other) == Overlap::Inside);
            let meets = meets.map(|(at, _)| at).collect();
            cells.push(Cell { matched: shape.to_match(), meets, shape: Some(shape) });
        }
    }
    // What meets more is part of what meets less.
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.meets.len()));
    cells.push(Cell { matched: json!({}), meets: BTreeSet::new(), shape: None });
    Ok(cells)
}

/// All shapes, and all that they share.
fn closure(paths: &[&Shape], atoms: &[Atom]) -> Result<Vec<Shape>, Entangled> {
    let mut shapes: Vec<Shape> = paths.iter().map(|shape| (*shape).clone()).collect();
    let mut at = 0;
    while at < shapes.len() {
        for other in 0..at {
            let (Some(a), Some(b)) = (shapes.get(at), shapes.get(other)) else { continue };
            let entangled =
                || Entangled(atoms.get(at).or(atoms.last()).cloned().unwrap_or(Atom::Method(String::new())));
            match a.overlap(b) {
                Overlap::Unknown => return Err(entangled()),
                Overlap::Shared(shared) if !shapes.contains(&shared) => shapes.push(shared),
                _ => {}
            }
            if shapes.len() > MAX_CELLS {
                return Err(entangled());
            }
        }
        at += 1;
    }
    Ok(shapes)
}

/// Whether every request that meets `inner` meets `outer`.
pub fn covers(outer: &Atom, inner: &Atom) -> bool {
    match (outer, inner) {
        (Atom::Host(outer), Atom::Host(inner)) => {
            outer == inner
                || outer.strip_prefix('*').is_some_and(|below| {
                    inner
                        .strip_prefix('*')
                        .unwrap_or(inner)
                        .strip_suffix(below)
                        .is_some_and(|rest| !rest.is_empty())
                })
        }
        (Atom::Source(outer), Atom::Source(inner)) => match (Cidr::parse(outer), Cidr::parse(inner)) {
            (Ok(outer), Ok(inner)) => outer.subsumes(&inner),
            _ => false,
        },
        (outer, inner) => outer == inner,
    }
}

/// Drops the cells that decide as what comes after them does. `values` are what the cells lead to.
pub fn prune<T: PartialEq>(cells: Vec<Cell>, values: Vec<T>) -> Vec<(Cell, T)> {
    let mut kept: Vec<(Cell, T)> = Vec::new();
    for (cell, value) in cells.into_iter().zip(values).rev() {
        // `kept` is in reverse: what a request would reach next is last.
        let mut is_needed = kept.is_empty();
        for (later, other) in kept.iter().rev() {
            if !later.meets_with(&cell) {
                continue;
            }
            if *other != value {
                is_needed = true;
                break;
            }
            if later.meets.is_subset(&cell.meets) {
                break;
            }
        }
        if is_needed {
            kept.push((cell, value));
        }
    }
    kept.reverse();
    kept
}

impl Cell {
    /// Whether some request may be in both.
    fn meets_with(&self, other: &Cell) -> bool {
        match (&self.shape, &other.shape) {
            (Some(a), Some(b)) => a.overlap(b) != Overlap::Disjoint,
            // Other dimensions nest.
            _ => self.meets.is_subset(&other.meets) || other.meets.is_subset(&self.meets),
        }
    }
}

/// A host as a condition, if `match` can express it: a name, or `*.name`.
pub fn host(text: &str) -> Option<Atom> {
    let host = text.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    HostPattern::parse(host).ok().map(|_| Atom::Host(host.to_owned()))
}

/// An address or a block as a condition. Bits behind the prefix are cleared, as Envoy does.
pub fn source(text: &str) -> Option<Atom> {
    if Cidr::parse(text).is_ok() {
        return Some(Atom::Source(text.to_owned()));
    }
    let (address, length) = text.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    let cleared = match address.parse().ok()? {
        std::net::IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32u32.checked_sub(length)?).unwrap_or(0);
            std::net::IpAddr::V4((u32::from(address) & mask).into())
        }
        std::net::IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128u32.checked_sub(length)?).unwrap_or(0);
            std::net::IpAddr::V6((u128::from(address) & mask).into())
        }
    };
    let text = format!("{cleared}/{length}");
    Cidr::parse(&text).ok().map(|_| Atom::Source(text))
}
