//! The graph's section: for each layer, who its nodes are and where their links lead.
//!
//! **Section 11**, all numbers u32:
//!
//! ```text
//! layers        0 if there are no rows
//! entry         the row where a walk enters; a node of the last layer
//! most links    of any node
//! 0
//! per layer, lowest first:
//!   nodes       the first layer has every row, a later one some of the one before
//!   links
//! then per layer, lowest first:
//!   × nodes     the nodes' rows, ascending; left out for the first layer
//!   × nodes     where each node's links end, counted from the layer's first link
//!   × links     rows of the same layer, never the node itself and none twice
//! ```

use super::walk::Links;
use crate::distance;
use crate::words::bytes::as_bytes;
use crate::words::{Blob, Cursor, Error, Result};

/// More layers than any graph has: each is smaller than the one below.
pub(super) const MAX_LAYERS: u32 = 32;

/// The most links that a node may have. A walk reads no more of them than this, so it also bounds
/// what a forged graph can cost.
pub(super) const MAX_LINKS: u32 = 4096;

/// Bytes before the layers' sizes, and of one layer's sizes.
const HEAD: usize = 16;
const SIZES: usize = 8;

/// A layer outside of its section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    rows: Vec<u32>,
    ends: Vec<u32>,
    links: Vec<u32>,
}

impl Layer {
    /// Adds a node. Rows must come in ascending order.
    pub(super) fn push(&mut self, row: u32, links: impl Iterator<Item = u32>) {
        self.rows.push(row);
        self.links.extend(links);
        self.ends.push(self.links.len() as u32);
    }

    /// Its nodes by row, ascending, with the rows that each links to.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (u32, &[u32])> {
        let node = |i: usize| {
            let start = if i == 0 { 0 } else { self.ends[i - 1] };
            (self.rows[i], &self.links[start as usize..self.ends[i] as usize])
        };
        (0..self.rows.len()).map(node)
    }

    /// The most links that one of its nodes has.
    pub fn most_links(&self) -> u32 {
        let starts = std::iter::once(&0).chain(&self.ends);
        self.ends.iter().zip(starts).map(|(end, start)| end - start).max().unwrap_or(0)
    }
}

/// The section of these layers.
///
/// # Errors
/// `INVALID_INPUT` if a layer has more links than can be counted.
pub(super) fn write(entry: u32, layers: &[Layer]) -> Result<Vec<u8>> {
    if layers.iter().any(|layer| u32::try_from(layer.links.len()).is_err()) {
        return Err(Error::new(
            crate::words::Code::InvalidInput,
            "the graph has more links than 32 bits can count; split the rows, or build another index type",
        ));
    }
    let most = layers.iter().map(Layer::most_links).max().unwrap_or(0);
    let mut numbers = vec![layers.len() as u32, entry, most, 0];
    numbers.extend(layers.iter().flat_map(|layer| [layer.rows.len() as u32, layer.links.len() as u32]));
    for (i, layer) in layers.iter().enumerate() {
        if i > 0 {
            numbers.extend_from_slice(&layer.rows);
        }
        numbers.extend_from_slice(&layer.ends);
        numbers.extend_from_slice(&layer.links);
    }
    Ok(as_bytes(&numbers).to_vec())
}

/// A graph in place.
#[derive(Debug, Clone)]
pub(super) struct Graph {
    count: usize,
    entry: u32,
    most_links: usize,
    layers: Vec<Parts>,
}

#[derive(Debug, Clone)]
struct Parts {
    /// None for the lowest layer.
    rows: Option<Blob>,
    ends: Blob,
    links: Blob,
}

impl Graph {
    /// The graph of a section over `count` rows. Looks at sizes only; a walk survives whatever the
    /// rest holds.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub(super) fn open(section: &Blob, count: usize) -> Result<Self> {
        let mut cursor = Cursor::new(section, "the graph");
        let (layers, entry, most_links, reserved) = (cursor.u32()?, cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let shape_fits = (layers == 0) == (count == 0) && layers <= MAX_LAYERS && most_links <= MAX_LINKS;
        if !shape_fits || reserved != 0 || (count > 0 && entry as usize >= count) {
            return Err(Error::corrupt(format!(
                "the graph claims {layers} layers, entry {entry} and up to {most_links} links a node for {count} \
                 rows; the file is damaged"
            )));
        }
        let mut at = HEAD + SIZES * layers as usize;
        let mut part = |numbers: usize| {
            let end = numbers.checked_mul(4).and_then(|bytes| at.checked_add(bytes));
            let end =
                end.ok_or_else(|| Error::corrupt("a layer of the graph is impossibly large; the file is damaged"))?;
            let part = section.slice(at..end)?;
            part.as_numbers::<u32>()?;
            at = end;
            Ok::<Blob, Error>(part)
        };
        let mut parts: Vec<Parts> = Vec::new();
        let mut below = count;
        for layer in 0..layers {
            let (nodes, links) = (cursor.u32()? as usize, cursor.u32()? as usize);
            if nodes == 0 || nodes > below || (layer == 0 && nodes != count) {
                return Err(Error::corrupt(format!(
                    "layer {layer} of the graph claims {nodes} nodes where {below} are below; the file is damaged"
                )));
            }
            below = nodes;
            let rows = if layer > 0 { Some(part(nodes)?) } else { None };
            parts.push(Parts { rows, ends: part(nodes)?, links: part(links)? });
        }
        if at != section.len() {
            return Err(Error::corrupt(format!(
                "the graph takes {at} bytes, but its section has {}; the file is damaged",
                section.len()
            )));
        }
        Ok(Graph { count, entry, most_links: most_links as usize, layers: parts })
    }

    /// Follows every link.
    ///
    /// # Errors
    /// `CORRUPT_FILE`, with the layer and the row.
    pub(super) fn verify(&self) -> Result<()> {
        let mut most_links = 0;
        for (l, layer) in self.layers.iter().enumerate() {
            let damaged = |what: String| Err(Error::corrupt(format!("graph, layer {l}: {what}; the file is damaged")));
            let ends = numbers(&layer.ends);
            if !ends.is_sorted() || ends.last().copied() != Some(numbers(&layer.links).len() as u32) {
                return damaged("the ends of the links aren't ascending up to their number".to_owned());
            }
            let mut last = None;
            // A node's position plus 1, so that 0 is nobody.
            let mut linked_by = vec![0; self.count];
            for position in 0..ends.len() {
                let row = layer.row(position);
                if last.is_some_and(|last| last >= row) || row as usize >= self.count {
                    return damaged(format!("row {row} is out of order"));
                }
                if l > 0 && self.layers[l - 1].position(row).is_none() {
                    return damaged(format!("row {row} isn't in the layer below"));
                }
                last = Some(row);
                let links = layer.links(position);
                most_links = most_links.max(links.len());
                for &link in links {
                    if link == row || layer.position(link).is_none_or(|_| link as usize >= self.count) {
                        return damaged(format!("row {row} links to row {link}, which is itself or not there"));
                    }
                    if std::mem::replace(&mut linked_by[link as usize], position + 1) == position + 1 {
                        return damaged(format!("row {row} links to row {link} twice"));
                    }
                }
            }
        }
        if most_links != self.most_links {
            return Err(Error::corrupt(format!(
                "the graph claims up to {} links a node and has {most_links}; the file is damaged",
                self.most_links
            )));
        }
        match self.layers.last() {
            Some(top) if top.position(self.entry).is_none() => {
                Err(Error::corrupt(format!("row {} isn't in the graph's last layer; the file is damaged", self.entry)))
            }
            _ => Ok(()),
        }
    }

    /// Rows that a node links to, at most as many as the graph claims. Empty for a row that is no
    /// node of the layer. In a damaged graph they may be any numbers.
    #[inline]
    pub(super) fn links(&self, layer: usize, row: u32) -> &[u32] {
        let layer = &self.layers[layer];
        let links = layer.position(row).map_or(&[][..], |position| layer.links(position));
        &links[..links.len().min(self.most_links)]
    }
}

impl Links for Graph {
    fn entry(&self) -> Option<(u32, usize)> {
        self.layers.len().checked_sub(1).map(|top| (self.entry, top))
    }

    #[inline]
    fn each(&self, layer: usize, row: u32, visit: impl FnMut(u32)) {
        self.links(layer, row).iter().copied().for_each(visit);
    }

    #[inline]
    fn touch(&self, row: u32) {
        distance::touch(as_bytes(self.links(0, row)));
    }
}

impl Parts {
    fn row(&self, position: usize) -> u32 {
        self.rows.as_ref().map_or(position as u32, |rows| numbers(rows)[position])
    }

    /// Upper layers are small and walked for a few steps, so that a search by halves does.
    #[inline]
    fn position(&self, row: u32) -> Option<usize> {
        match &self.rows {
            None => Some(row as usize),
            Some(rows) => numbers(rows).binary_search(&row).ok(),
        }
    }

    #[inline]
    fn links(&self, position: usize) -> &[u32] {
        let ends = numbers(&self.ends);
        let Some(&end) = ends.get(position) else { return &[] };
        let start = if position == 0 { 0 } else { ends[position - 1] };
        numbers(&self.links).get(start as usize..end as usize).unwrap_or(&[])
    }
}

/// The numbers of a part. Its alignment was checked when it was opened.
#[inline]
fn numbers(part: &Blob) -> &[u32] {
    part.as_numbers().unwrap_or_default()
}
