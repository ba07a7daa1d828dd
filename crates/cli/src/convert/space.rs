//! The requests that a policy distinguishes, by path, host, source address and method.
//!
//! In each dimension, the conditions of all clauses divide the requests into cells. The cells are ordered so that the
//! first cell that contains a request determines, for every condition, whether the request meets it. Rules made from
//! cells in this order make the same decisions as the clauses, whatever the order and negations of the clauses.

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

/// The number of dimensions. They are divided in the order path, host, source address, method.
pub const DIMENSIONS: usize = 4;

/// Requirements on a request in one dimension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraint {
    /// Atoms of which the request must meet at least one; if empty, any request qualifies.
    pub any: Vec<Atom>,
    /// Atoms of which the request must meet none.
    pub none: Vec<Atom>,
}

/// Requirements on a request: one constraint for each dimension.
pub type Region = [Constraint; DIMENSIONS];

/// Requests that meet the same conditions in one dimension.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The members of a `match` that select the cell; empty for the last cell.
    pub matched: Value,
    /// The conditions that the requests of the cell meet, by index.
    pub meets: BTreeSet<usize>,
    shape: Option<Shape>,
}

/// Two path conditions whose overlap cannot be written as a `match`.
#[derive(Debug)]
pub struct Entangled(pub Atom);

/// Maximum number of cells; a user would not review more.
const MAX_CELLS: usize = 512;

impl Constraint {
    /// True if the requests of a cell meet the constraint.
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

/// Divides a dimension by these conditions, which must differ from each other.
///
/// # Errors
/// Fails with one of two conditions if their overlap cannot be written as a `match`, or if there are too many cells.
pub fn cells(atoms: &[Atom]) -> Result<Vec<Cell>, Entangled> {
    let mut cells = Vec::new();
    let paths: Vec<&Shape> = atoms
        .iter()
        .filter_map(|atom| if let Atom::Path(shape) = atom { Some(shape) } else { None })
        .collect();
    if paths.is_empty() {
        for atom in atoms {
            let meets =
                (0..).zip(atoms).filter(|(_, other)| subsumes(other, atom)).map(|(at, _)| at).collect();
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
    // A cell that meets more conditions is part of one that meets fewer.
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.meets.len()));
    cells.push(Cell { matched: json!({}), meets: BTreeSet::new(), shape: None });
    Ok(cells)
}

/// All shapes, and all their overlaps.
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

/// True if every request that meets `inner` also meets `outer`.
pub fn subsumes(outer: &Atom, inner: &Atom) -> bool {
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

/// Drops the cells whose requests get the same result from the cells after them. `values` are the results of the cells.
pub fn prune<T: PartialEq>(cells: Vec<Cell>, values: Vec<T>) -> Vec<(Cell, T)> {
    let mut kept: Vec<(Cell, T)> = Vec::new();
    for (cell, value) in cells.into_iter().zip(values).rev() {
        // `kept` is in reverse order: the cell that a request would reach next is last.
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
    /// True if a request may be in both cells.
    fn meets_with(&self, other: &Cell) -> bool {
        match (&self.shape, &other.shape) {
            (Some(a), Some(b)) => a.overlap(b) != Overlap::Disjoint,
            // In other dimensions, two cells are nested or disjoint.
            _ => self.meets.is_subset(&other.meets) || other.meets.is_subset(&self.meets),
        }
    }
}

/// Condition for a host, if a `match` can express it: a name, or `*.name`.
pub fn host(text: &str) -> Option<Atom> {
    let host = text.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    match HostPattern::parse(host) {
        Ok(HostPattern::Exact(_) | HostPattern::Below(_)) => Some(Atom::Host(host.to_owned())),
        // Elsewhere, braces are not a variable.
        Ok(HostPattern::Label { .. }) | Err(_) => None,
    }
}

/// Condition for an address or a block. Bits after the prefix are cleared, as in Envoy.
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
