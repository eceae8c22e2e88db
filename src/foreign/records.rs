//! Graphs whose nodes lie in records of one size, as hnswlib and NMSLIB write them.
//!
//! A record holds a node's links in the lowest level and its vector. After the last record come,
//! row by row, the bytes of the upper lists as a u32 and the lists, lowest level first; the file
//! ends with them. A list is a number of links and room for as many as there can be. Everything
//! lies at multiples of 4 and is used where it is.

use super::Measure;
use super::library::Groups;
use crate::distance;
use crate::index::hnsw::{Distances, Goal, Layers, Links, WalkScratch, walk};
use crate::words::bytes::{Number, as_bytes, cast};
use crate::words::{Cursor, Error, Result};

/// More levels than any graph has; they are drawn from an exponential distribution.
const MAX_LEVELS: usize = 64;

/// Where everything is. The records fit the file; offsets are within a record, at multiples of 4.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Whose file it is.
    pub(super) library: &'static str,
    /// The first byte of the first record.
    pub(super) start: usize,
    pub(super) count: usize,
    /// Bytes of a record.
    pub(super) record: usize,
    /// Where in a record its links are, and its vector.
    pub(super) links: usize,
    pub(super) vector: usize,
    /// Most links of a node above the lowest level, and in it.
    pub(super) most_links: usize,
    pub(super) most_links_below: usize,
    /// The bits of a list's first number that count its links.
    pub(super) mask: u32,
    pub(super) top: i32,
    pub(super) entry: u32,
}

impl Shape {
    /// Bytes of a list of links above the lowest level.
    fn list(&self) -> usize {
        4 + 4 * self.most_links
    }

    fn end(&self) -> usize {
        self.start + self.count * self.record
    }
}

/// Where the lists of a node that reaches above the lowest level are.
#[derive(Debug, Clone, Copy)]
struct Tower {
    row: u32,
    levels: u32,
    start: usize,
}

/// A graph in its file.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) shape: Shape,
    /// The nodes above the lowest level, by row.
    towers: Vec<Tower>,
}

impl Records {
    /// Finds the upper lists and follows every link.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub(super) fn read(file: &[u8], shape: Shape) -> Result<Self> {
        let records = Records { shape, towers: towers(file, &shape)? };
        records.check(file)?;
        Ok(records)
    }

    /// The records as numbers.
    pub(super) fn numbers<'a, T: Number>(&self, file: &'a [u8]) -> &'a [T] {
        cast(&file[self.shape.start..self.shape.end()]).unwrap_or_default()
    }

    /// The vector of a row.
    pub(super) fn vector<'a>(&self, file: &'a [u8], row: u32, dimension: usize) -> &'a [f32] {
        let at = (row as usize * self.shape.record + self.shape.vector) / 4;
        &self.numbers(file)[at..at + dimension]
    }

    /// Where a record is.
    pub(super) fn at(&self, row: u32) -> usize {
        self.shape.start + row as usize * self.shape.record
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
        let stride = self.shape.record / 4;
        let rows = Rows { floats: self.numbers(file), stride, first: self.shape.vector / 4, query, measure };
        let words: &[u32] = self.numbers(file);
        let graph = Graph { records: self, file, words, stride, first: self.shape.links / 4 };
        walk(&graph, self.shape.count, goal, &rows, scratch);
    }

    /// The links, apart from the file.
    pub(super) fn layers(&self, file: &[u8]) -> Result<Layers> {
        let stride = self.shape.record / 4;
        let graph = Graph { records: self, file, words: self.numbers(file), stride, first: self.shape.links / 4 };
        Layers::of(&graph, self.shape.count)
    }

    /// How many rows each level has.
    pub(super) fn groups(&self) -> Groups {
        let top = usize::try_from(self.shape.top).unwrap_or(0).min(MAX_LEVELS);
        Groups::of_levels(self.shape.count, top, self.towers.iter().map(|tower| tower.levels as usize))
    }

    fn check(&self, file: &[u8]) -> Result<()> {
        let Shape { library, count, entry, top, mask, .. } = self.shape;
        let corrupt = |what: String| Err(Error::corrupt(format!("the {library} file has {what}; it is damaged")));
        let mut levels = vec![0u8; count];
        self.towers.iter().for_each(|tower| levels[tower.row as usize] = tower.levels as u8);
        match (count, usize::try_from(top)) {
            (0, _) => {}
            (_, Ok(top)) if levels.get(entry as usize).is_some_and(|&level| usize::from(level) == top) => {}
            _ => return corrupt(format!("{count} rows, entered at row {entry} in level {top}")),
        }
        let list = |row: u32, level: u8, words: &[u32]| {
            let (number, links) = ((words[0] & mask) as usize, &words[1..]);
            match links.get(..number) {
                None => corrupt(format!("{number} links at row {row} where {} fit", links.len())),
                Some(links) => match links.iter().find(|&&to| levels.get(to as usize).is_none_or(|&l| l < level)) {
                    Some(to) => corrupt(format!("a link from row {row} to row {to}, which isn't in level {level}")),
                    None => Ok(()),
                },
            }
        };
        let first = self.shape.links / 4;
        let words: &[u32] = self.numbers(file);
        for (row, record) in words.chunks_exact(self.shape.record / 4).enumerate() {
            list(row as u32, 0, &record[first..=first + self.shape.most_links_below])?;
        }
        for tower in &self.towers {
            let end = tower.start + tower.levels as usize * self.shape.list();
            let words: &[u32] = cast(&file[tower.start..end])?;
            for (level, words) in (1..).zip(words.chunks_exact(self.shape.list() / 4)) {
                list(tower.row, level, words)?;
            }
        }
        Ok(())
    }
}

/// Finds the nodes above the lowest level; the file must end with the last of them.
fn towers(file: &[u8], shape: &Shape) -> Result<Vec<Tower>> {
    let library = shape.library;
    let each = |found: &mut dyn FnMut(Tower)| {
        let mut cursor = Cursor::new(&file[shape.end()..], "the end of the file");
        for row in 0..shape.count as u32 {
            let bytes = cursor.u32()? as usize;
            let start = shape.end() + cursor.position();
            cursor.take(bytes)?;
            let levels = bytes / shape.list();
            if !bytes.is_multiple_of(shape.list()) || levels > MAX_LEVELS {
                return Err(Error::corrupt(format!(
                    "node {row} of the {library} file has {bytes} bytes of upper links, where lists of {} were \
                     expected; the file is damaged",
                    shape.list()
                )));
            }
            if levels > 0 {
                found(Tower { row, levels: levels as u32, start });
            }
        }
        match cursor.remaining() {
            0 => Ok(()),
            more => Err(Error::corrupt(format!(
                "the {library} file goes on for {more} bytes after its last node; it is damaged"
            ))),
        }
    };
    let mut count = 0;
    each(&mut |_| count += 1)?;
    let mut towers = Vec::with_capacity(count);
    each(&mut |tower| towers.push(tower))?;
    Ok(towers)
}

/// The vectors in their records, compared with a query.
struct Rows<'a> {
    floats: &'a [f32],
    stride: usize,
    first: usize,
    query: &'a [f32],
    measure: Measure,
}

impl Rows<'_> {
    #[inline]
    fn row(&self, row: u32) -> &[f32] {
        let at = row as usize * self.stride + self.first;
        &self.floats[at..at + self.query.len()]
    }
}

impl Distances for Rows<'_> {
    #[inline]
    fn touch(&self, row: u32) {
        distance::touch(as_bytes(self.row(row)));
    }

    #[inline]
    fn one(&self, row: u32) -> f32 {
        let row = self.row(row);
        match self.measure {
            // The vectors have length 1.
            Measure::CosineDistance => 1.0 - distance::dot(self.query, row),
            measure => measure.between(self.query, row),
        }
    }

    fn all(&self, rows: &[u32], out: &mut Vec<f32>) {
        let (fours, rest) = rows.as_chunks::<4>();
        for four in fours {
            let vectors = four.map(|row| self.row(row));
            out.extend(match self.measure {
                Measure::L2 => distance::l2_4(self.query, vectors),
                Measure::IpDistance | Measure::CosineDistance => {
                    distance::dot_4(self.query, vectors).map(|product| 1.0 - product)
                }
                _ => four.map(|row| self.one(row)),
            });
        }
        out.extend(rest.iter().map(|&row| self.one(row)));
    }
}

/// The links, for the walk.
struct Graph<'a> {
    records: &'a Records,
    file: &'a [u8],
    words: &'a [u32],
    stride: usize,
    first: usize,
}

impl Graph<'_> {
    /// A node's list in the lowest level.
    #[inline]
    fn below(&self, row: u32) -> &[u32] {
        let at = row as usize * self.stride + self.first;
        &self.words[at..=at + self.records.shape.most_links_below]
    }
}

impl Links for Graph<'_> {
    fn entry(&self) -> Option<(u32, usize)> {
        let Shape { count, entry, top, .. } = self.records.shape;
        (count > 0).then_some((entry, usize::try_from(top).unwrap_or(0)))
    }

    #[inline]
    fn touch(&self, row: u32) {
        distance::touch(as_bytes(self.below(row)));
    }

    #[inline]
    fn each(&self, layer: usize, row: u32, visit: impl FnMut(u32)) {
        let Records { shape, towers } = self.records;
        let list = if layer == 0 {
            self.below(row)
        } else {
            let tower = towers.binary_search_by_key(&row, |tower| tower.row).ok().map(|at| towers[at]);
            let Some(tower) = tower.filter(|tower| layer <= tower.levels as usize) else { return };
            let start = tower.start + (layer - 1) * shape.list();
            cast(&self.file[start..start + shape.list()]).unwrap_or_default()
        };
        let Some((&number, links)) = list.split_first() else { return };
        links.iter().take((number & shape.mask) as usize).copied().for_each(visit);
    }
}
