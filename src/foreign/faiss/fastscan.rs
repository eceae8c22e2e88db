//! `IndexPQFastScan` and `IndexIVFPQFastScan`: product quantization with 4 bits a part, compared by
//! look-up tables of 8 bits (André, Kermarrec and Le Scouarnec 2015).
//!
//! | tag | after the head (and what inverted files start with) |
//! |---|---|
//! | `IPfs` | quantizer, implementation (i32), block rows (i32), query block (i32), rows with padding (u64), parts with padding (u64), blocks (array of bytes) |
//! | `IwPf` | by residual (u8), code size (u64), block rows (i32), parts with padding (u64), implementation (i32), query block (u64), quantizer, lists |

use super::blocks::{BlockLists, GROUP, Shape};
use super::codec::Codec;
use super::head::Head;
use super::ivf::{Coarse, same_code_bytes};
use super::node::{Context, Node};
use super::pq::ProductQuantizer;
use super::tables::{CENTROIDS, Scale, Tables};
use crate::distance::PartTables;
use crate::foreign::Measure;
use crate::foreign::library::Groups;
use crate::foreign::reader::{Reader, Span};
use crate::words::{Hit, Result, TopK};

/// Faiss has no tables for all lists at once if they would be larger than this.
const MAX_PRECOMPUTED: usize = 2 << 30;

fn quantizer(reader: &mut Reader<'_>, dimension: usize) -> Result<ProductQuantizer> {
    let pq = ProductQuantizer::read(reader, dimension)?;
    match pq.bits {
        4 => Ok(pq),
        bits => Err(reader.corrupt(format!("codes of {bits} bits to be scanned by tables of 16"))),
    }
}

/// The tables of a query as Faiss has them: larger is nearer for inner products.
fn tables(pq: &ProductQuantizer, file: &[u8], measure: Measure, query: &[f32], out: &mut Vec<f32>) {
    pq.table(file, measure, query, out);
    if measure == Measure::Ip {
        out.iter_mut().for_each(|x| *x = -*x);
    }
}

/// Larger is nearer for inner products, outside.
fn internal(public: f32, measure: Measure) -> f32 {
    if measure == Measure::Ip { -public } else { public }
}

/// Offers the vectors of these blocks to `top`.
fn scan(
    shape: &Shape,
    blocks: &[u8],
    rows: std::ops::Range<u32>,
    (tables, bias): (&PartTables, u16),
    distances: (Scale, Measure),
    context: &Context<'_>,
    top: &mut TopK,
) {
    let (scale, measure) = distances;
    let distance = |sum: u16| internal(scale.value(sum), measure);
    let mut codes = Vec::new();
    for (start, first) in rows.clone().step_by(GROUP).enumerate() {
        let sums = shape.sums(blocks, start * GROUP, tables, &mut codes).map(|sum| sum.wrapping_add(bias));
        // Distances go with the sums: mostly none of a group is near enough.
        let nearest = match measure {
            Measure::Ip => sums.iter().copied().fold(0, u16::max),
            _ => sums.iter().copied().fold(u16::MAX, u16::min),
        };
        if distance(nearest) > top.threshold() {
            continue;
        }
        for (row, sum) in (first..rows.end).zip(sums) {
            let distance = distance(sum);
            if distance <= top.threshold() && context.allows(row) {
                top.push(Hit { row, distance });
            }
        }
    }
}

fn decode(pq: &ProductQuantizer, file: &[u8], shape: &Shape, blocks: &[u8], row: usize, out: &mut [f32]) {
    let mut code = vec![0u8; pq.code_bytes()];
    for part in 0..pq.parts {
        code[part / 2] |= shape.number(blocks, row, part) << (4 * (part % 2));
    }
    pq.decode(file, &code, out);
}

/// Every row, scanned.
#[derive(Debug)]
pub(super) struct PqFastScan {
    head: Head,
    pq: ProductQuantizer,
    shape: Shape,
    blocks: Span,
}

impl PqFastScan {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let head = Head::read(reader)?;
        head.only_l2_and_ip(reader)?;
        let pq = quantizer(reader, head.dimension)?;
        let (_implementation, rows, _queries) = (reader.i32()?, reader.i32()?, reader.i32()?);
        let (padded, parts) = (reader.size()?, reader.size()?);
        let shape = Shape::new(reader, rows, parts, pq.parts, 0)?;
        let blocks = reader.numbers::<u8>()?;
        if padded != head.count.next_multiple_of(shape.rows) || Some(blocks.len) != shape.bytes_of(head.count) {
            return Err(reader.corrupt(format!("{} bytes for {padded} codes of {}", blocks.len, head.count)));
        }
        Ok(PqFastScan { head, pq, shape, blocks })
    }
}

impl Node for PqFastScan {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        format!("{}fs", self.pq.describe())
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let Head { measure, count, .. } = self.head;
        let mut floats = Vec::new();
        tables(&self.pq, context.file, measure, query, &mut floats);
        let tables = Tables::alone(&floats, &self.shape);
        let mut top = TopK::new(limit, count);
        let blocks = self.blocks.bytes(context.file);
        let distances = (tables.scale, measure);
        scan(&self.shape, blocks, 0..count as u32, tables.of(0), distances, context, &mut top);
        Ok(top.into_sorted())
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        decode(&self.pq, file, &self.shape, self.blocks.bytes(file), row as usize, out);
        true
    }
}

/// The rows of the nearest lists, scanned.
#[derive(Debug)]
pub(super) struct IvfPqFastScan {
    coarse: Coarse,
    pq: ProductQuantizer,
    shape: Shape,
    lists: BlockLists,
    by_residual: bool,
}

impl IvfPqFastScan {
    pub(super) fn read(reader: &mut Reader<'_>, depth: usize) -> Result<Self> {
        let head = Head::read(reader)?;
        head.only_l2_and_ip(reader)?;
        let coarse = Coarse::read(reader, head, depth)?;
        let (by_residual, code_bytes) = (reader.bool()?, reader.size()?);
        let (rows, parts) = (reader.i32()?, reader.size()?);
        let (_implementation, _queries) = (reader.i32()?, reader.size()?);
        let pq = quantizer(reader, head.dimension)?;
        same_code_bytes(reader, code_bytes, pq.code_bytes())?;
        if by_residual && !coarse.has_centroids(reader.file()) {
            return Err(reader.corrupt("residuals from lists that have no centroids"));
        }
        let shape = Shape::new(reader, rows, parts, pq.parts, 0)?;
        let lists = BlockLists::read(reader, coarse.lists, head.count, &shape)?;
        Ok(IvfPqFastScan { coarse, pq, shape, lists, by_residual })
    }

    /// Tables of 8 bits, one for all probed lists or one each.
    fn rounded(&self, file: &[u8], query: &[f32], probes: &[(u32, f32)]) -> Tables {
        let Head { measure, dimension, .. } = self.coarse.head;
        let each = self.by_residual && measure == Measure::L2;
        // A list's distance is what Faiss adds to tables that it has for all lists.
        let precomputed = self.coarse.measure() == Measure::L2
            && self.coarse.lists.saturating_mul(self.pq.parts * CENTROIDS * 4) <= MAX_PRECOMPUTED;
        let bias = |&(list, found): &(u32, f32)| match measure {
            Measure::Ip if self.by_residual => -self.coarse.common(file, query, list, found),
            _ if each && precomputed => found,
            _ => 0.0,
        };
        let biases: Vec<f32> = probes.iter().map(bias).collect();
        let mut floats = Vec::new();
        if !each {
            tables(&self.pq, file, measure, query, &mut floats);
            return Tables::shared(&floats, &biases, &self.shape);
        }
        let (mut residual, mut all) = (vec![0.0; dimension], Vec::new());
        for &(list, _) in probes {
            self.coarse.residual(file, query, list, &mut residual);
            tables(&self.pq, file, measure, &residual, &mut floats);
            all.extend_from_slice(&floats);
        }
        Tables::several(&all, &biases, &self.shape, false)
    }
}

impl Node for IvfPqFastScan {
    fn head(&self) -> &Head {
        &self.coarse.head
    }

    fn describe(&self) -> String {
        format!("{},{}fs", self.coarse.describe(), self.pq.describe())
    }

    fn label(&self, file: &[u8], row: u32) -> i64 {
        self.lists.id(file, row)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let Head { measure, count, .. } = self.coarse.head;
        let probes = self.coarse.probe(context, query)?;
        let tables = self.rounded(context.file, query, &probes);
        let mut top = TopK::new(limit, count);
        for (i, &(list, _)) in probes.iter().enumerate() {
            let Some(entries) = self.lists.get(context.file, list) else { continue };
            let rows = entries.first..entries.first + entries.len as u32;
            let distances = (tables.scale, measure);
            scan(&self.shape, entries.blocks, rows, tables.of(i), distances, context, &mut top);
        }
        Ok(top.into_sorted())
    }

    fn groups(&self, _file: &[u8]) -> Option<Groups> {
        Some(self.lists.groups(self.coarse.lists))
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        let (list, blocks, at) = self.lists.place(file, row);
        decode(&self.pq, file, &self.shape, blocks, at, out);
        if self.by_residual {
            let mut centroid = vec![0.0; out.len()];
            self.coarse.centroid(file, list, &mut centroid);
            out.iter_mut().zip(&centroid).for_each(|(out, c)| *out += c);
        }
        true
    }
}
