//! `IndexNSG` (Fu, Xiang, Wang and Cai 2019): one layer of links, as Faiss stores and walks it
//! (`faiss/impl/NSG.cpp`).
//!
//! ```text
//! head
//! GK            i32, and how it was built: u8, then four i32
//! nodes         i32
//! R             i32: most links of a node
//! L, C          i32
//! search_L      i32: candidates that a walk keeps
//! entry         i32
//! built         u8
//! per node: up to R links as i32, then −1
//! storage       the index that holds the vectors
//! ```

use super::head::Head;
use super::kinds::unsupported;
use super::node::{Computer, Context, Node};
use super::pool::Pool;
use super::read;
use super::twister::Twister;
use crate::foreign::reader::{Reader, Span};
use crate::words::{Bitmap, Error, Hit, Result, TopK};

/// What Faiss seeds the walk's random starts with.
const SEED: u32 = 0x1234;

/// A graph over the vectors of another index.
#[derive(Debug)]
pub(super) struct Nsg {
    head: Head,
    /// Where each node's links end, in numbers from the first link, with the −1 behind them.
    ends: Vec<u32>,
    links: Span,
    entry: u32,
    search_l: usize,
    storage: Box<dyn Node>,
}

impl Nsg {
    pub(super) fn read(reader: &mut Reader<'_>, depth: usize) -> Result<Self> {
        let head = Head::read(reader)?;
        reader.span(4 + 1 + 4 * 4)?;
        let (nodes, most, _l, _c) = (reader.size32()?, reader.size32()?, reader.i32()?, reader.i32()?);
        let (search_l, entry, built) = (reader.i32()?, reader.i32()?, reader.bool()?);
        if !built {
            return Err(unsupported("an IndexNSG whose graph wasn't built"));
        }
        if nodes != head.count || (nodes > 0 && !(0..nodes as i32).contains(&entry)) {
            return Err(reader.corrupt(format!("a graph of {nodes} nodes entered at {entry} for {}", head.count)));
        }
        // Each node has at least the number that ends its links.
        if nodes.checked_mul(4).is_none_or(|bytes| bytes > reader.remaining()) {
            return Err(reader.corrupt(format!("a graph of {nodes} nodes, which aren't there")));
        }
        let mut links = Span { start: reader.position(), len: 0 };
        let mut ends = Vec::with_capacity(nodes);
        let (mut end, mut of_this) = (0u32, 0);
        while ends.len() < nodes {
            let link = reader.i32()?;
            end = end.checked_add(1).ok_or_else(|| reader.corrupt("more links than can be counted"))?;
            match link {
                -1 => {
                    ends.push(end);
                    of_this = 0;
                }
                link if (0..nodes as i32).contains(&link) && of_this < most => of_this += 1,
                link => return Err(reader.corrupt(format!("a graph of {nodes} nodes with a link to {link}"))),
            }
        }
        links.len = 4 * end as usize;
        let storage = read(reader, depth + 1)?;
        let inner = storage.head();
        if (inner.dimension, inner.count, inner.measure) != (head.dimension, head.count, head.measure)
            || storage.computer(reader.file(), &vec![0.0; head.dimension]).is_none()
        {
            return Err(reader.corrupt(format!("a graph of {nodes} nodes over {} vectors", inner.count)));
        }
        Ok(Nsg { head, ends, links, entry: entry.max(0) as u32, search_l: search_l.max(1) as usize, storage })
    }

    fn links<'a>(&self, file: &'a [u8], node: u32) -> impl Iterator<Item = u32> + use<'a> {
        let start = if node == 0 { 0 } else { self.ends[node as usize - 1] as usize };
        let bytes = &self.links.bytes(file)[4 * start..4 * (self.ends[node as usize] as usize - 1)];
        bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }
}

impl Node for Nsg {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        format!("NSG,{}", self.storage.describe())
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let (file, count) = (context.file, self.head.count);
        let Some(mut computer) = self.storage.computer(file, query) else { return Ok(Vec::new()) };
        let search_l = match context.params.ef {
            Some(0) => return Err(Error::argument("ef is 0; keep at least one candidate")),
            ef => ef.unwrap_or(self.search_l),
        };
        // With fewer nodes than that Faiss would look for more starts for ever.
        let most = search_l.max(limit).min(count);
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut starts: Vec<u32> = Vec::with_capacity(most);
        let mut seen = Bitmap::none(count);
        for node in self.links(file, self.entry).take(most) {
            starts.push(node);
            seen.insert(node as usize);
        }
        let mut random = Twister::new(SEED);
        while starts.len() < most {
            // A link that stands twice leaves less to choose from than are wanted.
            if seen.count() == count {
                break;
            }
            let node = random.next_u32() % count as u32;
            if !seen.contains(node as usize) {
                seen.insert(node as usize);
                starts.push(node);
            }
        }
        let mut pool = Pool::new(most);
        let mut top = TopK::new(limit, count);
        for node in starts {
            pool.insert(node, computer.distance(node));
        }
        while let Some((node, _)) = pool.next() {
            for node in self.links(file, node) {
                if !seen.contains(node as usize) {
                    seen.insert(node as usize);
                    pool.insert(node, computer.distance(node));
                }
            }
        }
        for (row, distance) in pool.entries().filter(|&(row, _)| context.allows(row)) {
            top.push(Hit { row, distance });
        }
        Ok(top.into_sorted())
    }

    fn computer<'a>(&'a self, file: &'a [u8], query: &[f32]) -> Option<Box<dyn Computer + 'a>> {
        self.storage.computer(file, query)
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        self.storage.decode(file, row, out)
    }
}
