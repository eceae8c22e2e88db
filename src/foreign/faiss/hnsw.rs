//! `IndexHNSW` and its kin (Malkov and Yashunin 2018), as Faiss stores and walks them
//! (`faiss/impl/HNSW.cpp`).
//!
//! ```text
//! head
//! probabilities   array of f64, of no use to a search
//! cumulated       array of i32: how many link slots a node has below each level
//! levels          array of i32: how many levels each node has, at least 1
//! offsets         array of u64: where each node's slots start, and where the last ends
//! links           array of i32: slots, level by level; −1 ends a level
//! entry           i32, −1 if there are no nodes
//! top level       i32, from 0
//! efConstruction, efSearch, and one number of no meaning: i32 each
//! storage         the index that holds the vectors
//! ```

use super::head::Head;
use super::minimax::Minimax;
use super::node::{Computer, Context, Node};
use super::read;
use crate::foreign::library::{Groups, not_kept};
use crate::foreign::reader::{Reader, Span};
use crate::index::Structure;
use crate::index::hnsw::{Layers, Links};
use crate::words::{Bitmap, Error, Hit, Result, TopK};

/// The links.
#[derive(Debug)]
struct Graph {
    cumulated: Span,
    levels: Span,
    offsets: Span,
    links: Span,
    entry: Option<u32>,
    top: usize,
    ef: usize,
}

impl Graph {
    /// The next graph, over `count` nodes, checked as a whole.
    fn read(reader: &mut Reader<'_>, count: usize) -> Result<Self> {
        reader.numbers::<f64>()?;
        let cumulated = reader.numbers::<i32>()?;
        let levels = reader.numbers::<i32>()?;
        let offsets = reader.numbers::<u64>()?;
        let links = reader.numbers::<i32>()?;
        let (entry, top) = (reader.i32()?, reader.i32()?);
        let (_construction, ef, _unused) = (reader.i32()?, reader.i32()?, reader.i32()?);
        let graph = Graph {
            cumulated,
            levels,
            offsets,
            links,
            entry: u32::try_from(entry).ok(),
            top: usize::try_from(top).unwrap_or(0),
            ef: usize::try_from(ef).unwrap_or(0).max(1),
        };
        match graph.flaw(reader.file(), count) {
            Some(flaw) => Err(reader.corrupt(format!("a graph {flaw}"))),
            None if (count > 0) != (0..count as i64).contains(&i64::from(entry)) => {
                Err(reader.corrupt(format!("a graph of {count} nodes entered at {entry}")))
            }
            None => Ok(graph),
        }
    }

    /// What is wrong with the graph.
    fn flaw(&self, file: &[u8], count: usize) -> Option<String> {
        let cumulated: &[i32] = self.cumulated.numbers(file);
        let levels: &[i32] = self.levels.numbers(file);
        let offsets: &[u64] = self.offsets.numbers(file);
        let links: &[i32] = self.links.numbers(file);
        if levels.len() != count || offsets.len() != count + 1 {
            return Some(format!("of {} levels and {} offsets for {count} vectors", levels.len(), offsets.len()));
        }
        if cumulated.first() != Some(&0) && count > 0 || cumulated.windows(2).any(|pair| pair[0] > pair[1]) {
            return Some("whose numbers of links don't add up".into());
        }
        if let Some(node) = levels.iter().position(|&level| level < 1 || level as usize >= cumulated.len()) {
            return Some(format!("whose node {node} has {} levels of {}", levels[node], cumulated.len()));
        }
        if count > 0 && self.top + 1 >= cumulated.len() {
            return Some(format!("of {} levels entered at level {}", cumulated.len(), self.top));
        }
        let starts = offsets.windows(2).zip(levels);
        let ends = |pair: &[u64], level: i32| pair[0].checked_add(cumulated[level as usize] as u64) == Some(pair[1]);
        let whole = offsets.first() == Some(&0) && offsets.last() == Some(&(links.len() as u64));
        if !whole || starts.into_iter().any(|(pair, &level)| !ends(pair, level)) {
            return Some("whose links don't follow each other".into());
        }
        let link = links.iter().find(|&&link| link < -1 || link >= count as i32);
        link.map(|link| format!("of {count} nodes with a link to {link}"))
    }

    /// Where the links of a node in a level lead.
    #[inline]
    fn links<'a>(&self, file: &'a [u8], node: u32, level: usize) -> impl Iterator<Item = u32> + use<'a> {
        let cumulated: &[i32] = self.cumulated.numbers(file);
        let links: &[i32] = self.links.numbers(file);
        let offsets: &[u64] = self.offsets.numbers(file);
        let (start, end) = (offsets[node as usize] as usize, offsets[node as usize + 1] as usize);
        // A link may lead to a node that doesn't reach up to its level: that one has no links there.
        let from = (start + cumulated[level] as usize).min(end);
        let to = (start + cumulated[level + 1] as usize).min(end);
        links[from..to].iter().map_while(|&link| u32::try_from(link).ok())
    }

    /// The nearest node that walking downhill finds above the lowest level.
    fn descend(&self, file: &[u8], entry: u32, computer: &mut dyn Computer) -> (u32, f32) {
        let mut nearest = (entry, computer.distance(entry));
        for level in (1..=self.top).rev() {
            loop {
                let before = nearest.0;
                for node in self.links(file, before, level) {
                    let distance = computer.distance(node);
                    if distance < nearest.1 {
                        nearest = (node, distance);
                    }
                }
                if nearest.0 == before {
                    break;
                }
            }
        }
        nearest
    }
}

/// The links, for those who know of graphs only.
struct Walked<'a> {
    graph: &'a Graph,
    file: &'a [u8],
}

impl Links for Walked<'_> {
    fn entry(&self) -> Option<(u32, usize)> {
        self.graph.entry.map(|entry| (entry, self.graph.top))
    }

    fn each(&self, layer: usize, row: u32, visit: impl FnMut(u32)) {
        self.graph.links(self.file, row, layer).for_each(visit);
    }
}

/// A graph over the vectors of another index.
#[derive(Debug)]
pub(super) struct Hnsw {
    head: Head,
    graph: Graph,
    storage: Box<dyn Node>,
}

impl Hnsw {
    pub(super) fn read(reader: &mut Reader<'_>, head: Head, depth: usize) -> Result<Self> {
        let graph = Graph::read(reader, head.count)?;
        let storage = read(reader, depth + 1)?;
        let inner = storage.head();
        if (inner.dimension, inner.count, inner.measure) != (head.dimension, head.count, head.measure)
            || storage.computer(reader.file(), &vec![0.0; head.dimension]).is_none()
        {
            return Err(reader.corrupt(format!(
                "a graph of {} nodes over {} vectors in {}",
                head.count,
                inner.count,
                storage.describe()
            )));
        }
        Ok(Hnsw { head, graph, storage })
    }
}

impl Node for Hnsw {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        // Nodes have twice as many links in the lowest level.
        format!("HNSW,{}", self.storage.describe())
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let file = context.file;
        let (Some(entry), Some(mut computer)) = (self.graph.entry, self.storage.computer(file, query)) else {
            return Ok(Vec::new());
        };
        let ef = match context.params.ef {
            Some(0) => return Err(Error::argument("ef is 0; keep at least one candidate")),
            Some(ef) => ef,
            None => self.graph.ef,
        };
        let (entry, distance) = self.graph.descend(file, entry, &mut *computer);
        let count = self.head.count;
        let mut top = TopK::new(limit, count);
        let mut offer = |row: u32, distance: f32| {
            if context.allows(row) && distance < f32::INFINITY && distance <= top.threshold() {
                top.push(Hit { row, distance });
            }
        };
        let mut seen = Bitmap::none(count);
        let mut candidates = Minimax::new(ef.max(limit).min(count), self.head.measure.larger_is_nearer());
        seen.insert(entry as usize);
        offer(entry, distance);
        candidates.push(entry, distance);
        while let Some((node, distance)) = candidates.take_nearest() {
            // Only where more are wanted than `ef` can there be so many that are nearer.
            if limit > ef && candidates.nearer_than(distance) >= ef {
                break;
            }
            for node in self.graph.links(file, node, 0) {
                if seen.contains(node as usize) {
                    continue;
                }
                seen.insert(node as usize);
                let distance = computer.distance(node);
                offer(node, distance);
                candidates.push(node, distance);
            }
        }
        Ok(top.into_sorted())
    }

    fn computer<'a>(&'a self, file: &'a [u8], query: &[f32]) -> Option<Box<dyn Computer + 'a>> {
        self.storage.computer(file, query)
    }

    fn groups(&self, file: &[u8]) -> Option<Groups> {
        let levels: &[i32] = self.graph.levels.numbers(file);
        let above = levels.iter().map(|&levels| levels as usize - 1);
        Some(Groups::of_levels(self.head.count, self.graph.top, above))
    }

    fn structure(&self, file: &[u8]) -> Result<Structure> {
        match self.storage.structure(file)? {
            Structure::Flat => Layers::of(&Walked { graph: &self.graph, file }, self.head.count).map(Structure::Graph),
            _ => Err(not_kept(format!("its graph is over {}", self.storage.describe()))),
        }
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        self.storage.decode(file, row, out)
    }
}
