//! A graph that NMSLIB hasn't optimised, with the data file behind it.

use super::{OBJECT, object_bytes, of_other_length};
use crate::distance;
use crate::foreign::Measure;
use crate::foreign::library::Groups;
use crate::foreign::reader::i64_at;
use crate::index::hnsw::{Goal, Layers, Links, WalkScratch, walk};
use crate::words::bytes::{as_bytes, cast};
use crate::words::{Code, Cursor, Error, Result};

/// Bytes before the first node.
const HEAD: usize = 40;

/// More levels than any graph has.
const MAX_LEVELS: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Head {
    count: usize,
    top: i32,
    entry: u32,
    m: usize,
}

impl Head {
    fn read(start: &[u8], length: u64) -> Option<Self> {
        let mut cursor = Cursor::new(start, "the NMSLIB file");
        let (optimised, count) = (cursor.u32().ok()?, cursor.u32().ok()? as usize);
        let (top, entry) = (cursor.u32().ok()? as i32, cursor.u32().ok()?);
        let mut size = || cursor.size().ok();
        let (m, most, most_below) = (size()?, size()?, size()?);
        let fits = optimised == 0
            && count > 0
            && (entry as usize) < count
            && (0..MAX_LEVELS as i32).contains(&top)
            && [m, most, most_below].iter().all(|n| (1..=usize::from(u16::MAX)).contains(n))
            // A node takes at least the number of its level and that of its links.
            && count.checked_mul(8)?.checked_add(HEAD)? as u64 <= length;
        fits.then_some(Head { count, top, entry, m })
    }
}

pub(super) fn may_be(start: &[u8], length: u64) -> bool {
    Head::read(start, length).is_some()
}

/// A graph without records: where its nodes are, and where the objects.
#[derive(Debug)]
pub(super) struct Plain {
    head: Head,
    /// Where each node is, in numbers of 4 bytes.
    nodes: Vec<u32>,
    /// How many of them each level has.
    pub(super) groups: Groups,
    /// Where the first object is, and the bytes from one to the next.
    objects: usize,
    stride: usize,
}

impl Plain {
    /// Reads and checks a graph and its data.
    pub(super) fn read(file: &[u8]) -> Result<Self> {
        let corrupt = |what: String| Err(Error::corrupt(format!("the NMSLIB file {what}; it is damaged")));
        let Some(head) = Head::read(file, file.len() as u64) else {
            return corrupt("contradicts itself or its length in its head".into());
        };
        let mut cursor = Cursor::new(&file[HEAD..], "the graph of the NMSLIB file");
        let (mut nodes, mut levels) = (Vec::with_capacity(head.count), Vec::with_capacity(head.count));
        for row in 0..head.count {
            let Ok(at) = u32::try_from((HEAD + cursor.position()) / 4) else {
                return Err(Error::new(Code::UnsupportedFormat, "a graph of NMSLIB of more than 16 GiB isn't read"));
            };
            nodes.push(at);
            let level = cursor.u32()? as usize;
            if level >= MAX_LEVELS {
                return corrupt(format!("has node {row} in level {level}"));
            }
            levels.push(level as u8);
            for _ in 0..=level {
                let links = cursor.u32()? as usize;
                cursor.take(links.saturating_mul(4))?;
            }
        }
        let data = HEAD + cursor.position();
        if cursor.remaining() == 0 {
            return Err(Error::new(
                Code::UnsupportedFormat,
                "this graph of NMSLIB comes without its vectors; save it with save_data=True and open it with the bytes of \
                 the .dat file right behind its own",
            ));
        }
        let objects = data + 8;
        let stride = (file.get(data..data + 16))
            .and_then(|_| usize::try_from(i64_at(file, data + 8)).ok()?.checked_add(8))
            .filter(|stride| stride.is_multiple_of(4) && *stride > 8 + OBJECT);
        let Some(stride) = stride else { return corrupt("has no vectors of floats behind its graph".into()) };
        let rows = i64_at(file, data) as u64;
        if rows != head.count as u64 || head.count.checked_mul(stride) != Some(file.len() - objects) {
            return corrupt(format!("has {rows} objects in {} bytes for {} nodes", file.len() - objects, head.count));
        }
        let top = usize::try_from(head.top).unwrap_or(0);
        let groups = Groups::of_levels(head.count, top, levels.iter().map(|&level| level.into()));
        let plain = Plain { head, nodes, groups, objects, stride };
        if i32::from(levels[head.entry as usize]) != head.top {
            return corrupt(format!("is entered at node {} in level {}", head.entry, head.top));
        }
        let words: &[u32] = cast(file.get(..data).unwrap_or_default())?;
        for row in 0..head.count as u32 {
            for level in 0..=levels[row as usize] {
                let links = plain.links(words, row, level.into());
                if let Some(to) = links.iter().find(|&&to| levels.get(to as usize).is_none_or(|&l| l < level)) {
                    return corrupt(format!("has a link from node {row} to node {to} in level {level}"));
                }
            }
            let (object, bytes) = (plain.object(row), (stride - 8) as u64);
            let (all, vector) = (i64_at(file, object - 8) as u64, object_bytes(file, object));
            if all != bytes || vector != bytes - OBJECT as u64 {
                return Err(of_other_length(row, vector, plain.dimension()));
            }
        }
        Ok(plain)
    }

    pub(super) fn describe(&self) -> String {
        format!("HNSW (M {}, {} levels)", self.head.m, self.head.top + 1)
    }

    pub(super) fn count(&self) -> usize {
        self.head.count
    }

    pub(super) fn dimension(&self) -> usize {
        (self.stride - 8 - OBJECT) / 4
    }

    /// Where the object of a row is.
    pub(super) fn object(&self, row: u32) -> usize {
        self.objects + row as usize * self.stride + 8
    }

    pub(super) fn vector<'a>(&self, file: &'a [u8], row: u32) -> &'a [f32] {
        let start = self.object(row) + OBJECT;
        cast(&file[start..start + 4 * self.dimension()]).unwrap_or_default()
    }

    /// Leaves the nearest rows in `scratch.found`.
    pub(super) fn walk(
        &self,
        file: &[u8],
        query: &[f32],
        measure: Measure,
        goal: &Goal<'_>,
        scratch: &mut WalkScratch,
    ) {
        let words = cast(&file[..self.objects - 8]).unwrap_or_default();
        let distance = |row: u32| measure.between(query, self.vector(file, row));
        let touch = |row: u32| distance::touch(as_bytes(self.vector(file, row)));
        walk(&Graph { plain: self, words }, self.head.count, goal, &(distance, touch), scratch);
    }

    /// The links, apart from the file.
    pub(super) fn layers(&self, file: &[u8]) -> Result<Layers> {
        let words = cast(&file[..self.objects - 8]).unwrap_or_default();
        Layers::of(&Graph { plain: self, words }, self.head.count)
    }

    /// The links of a node in a level, none in one that it doesn't reach.
    #[inline]
    fn links<'a>(&self, words: &'a [u32], row: u32, level: usize) -> &'a [u32] {
        let mut at = self.nodes[row as usize] as usize;
        if level > words[at] as usize {
            return &[];
        }
        at += 1;
        for _ in 0..level {
            at += 1 + words[at] as usize;
        }
        &words[at + 1..at + 1 + words[at] as usize]
    }
}

struct Graph<'a> {
    plain: &'a Plain,
    words: &'a [u32],
}

impl Links for Graph<'_> {
    fn entry(&self) -> Option<(u32, usize)> {
        Some((self.plain.head.entry, self.plain.head.top as usize))
    }

    #[inline]
    fn each(&self, layer: usize, row: u32, visit: impl FnMut(u32)) {
        self.plain.links(self.words, row, layer).iter().copied().for_each(visit);
    }
}
