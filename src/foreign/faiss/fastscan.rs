//! `IndexPQFastScan` and `IndexIVFPQFastScan`: product quantization with 4 bits a part, compared by
//! look-up tables of 8 bits (André, Kermarrec and Le Scouarnec 2015). Tables are rounded as Faiss
//! rounds them (`faiss/utils/quantize_lut.cpp`), so that the sums are the same whole numbers.
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
use crate::foreign::Measure;
use crate::foreign::reader::{Reader, Span};
use crate::words::{Hit, Result, TopK};

/// Numbers that a part can have.
const CENTROIDS: usize = 16;

/// Faiss has no tables for all lists at once if they would be larger than this.
const MAX_PRECOMPUTED: usize = 2 << 30;

/// How floats became whole numbers: `sum · step + base`.
#[derive(Debug, Clone, Copy)]
struct Scale {
    step: f32,
    base: f32,
}

impl Scale {
    fn new(scale: f32, base: f32) -> Self {
        Scale { step: if scale > 0.0 { 1.0 / scale } else { 0.0 }, base }
    }

    /// Internal distance of a sum.
    fn distance(self, sum: u16, measure: Measure) -> f32 {
        let public = f32::from(sum) * self.step + self.base;
        if measure == Measure::Ip { -public } else { public }
    }
}

/// Lowest and width of a part's table, NaN passed over.
fn range(table: &[f32]) -> (f32, f32) {
    let lowest = table.iter().fold(f32::INFINITY, |least, &x| if x < least { x } else { least });
    let highest = table.iter().fold(f32::NEG_INFINITY, |most, &x| if x > most { x } else { most });
    (lowest, highest - lowest)
}

/// Half is added in double precision, as in Faiss.
fn round(x: f32, lowest: f32, scale: f32) -> f32 {
    (f64::from((x - lowest) * scale) + 0.5) as f32
}

/// Rounds the tables of `parts`, and pads them with zeros for the parts that blocks have more.
fn round_tables(tables: &[f32], scale: f32, shape: &Shape, out: &mut Vec<u8>) {
    let start = out.len();
    for table in tables.chunks_exact(CENTROIDS) {
        let (lowest, _) = range(table);
        out.extend(table.iter().map(|&x| round(x, lowest, scale).floor() as u8));
    }
    out.resize(start + shape.parts * CENTROIDS, 0);
}

/// 255 steps for the widest table, 65,535 for the farthest distance.
fn scale_of(widest: f32, farthest: f32) -> f32 {
    let steps = |most: f32, span: f32| if span > 0.0 { most / span } else { f32::INFINITY };
    let scale = steps(255.0, widest).min(steps(65535.0, farthest));
    if scale.is_finite() { scale } else { 0.0 }
}

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

/// Offers the vectors of these blocks to `top`.
fn scan(
    shape: &Shape,
    blocks: &[u8],
    rows: std::ops::Range<u32>,
    tables: &[u8],
    context: &Context<'_>,
    distance: impl Fn(u16) -> f32,
    top: &mut TopK,
) {
    for (start, first) in rows.clone().step_by(GROUP).enumerate() {
        let sums = shape.sums(blocks, start * GROUP, tables);
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
        let ranges = floats.chunks_exact(CENTROIDS).map(range);
        let (base, widest) = ranges.fold((0.0, 0f32), |(base, widest), (low, span)| (base + low, widest.max(span)));
        // Here, unlike for lists, sums aren't kept below 65,536.
        let scale = if widest > 0.0 { 255.0 / widest } else { 0.0 };
        let mut rounded = Vec::new();
        round_tables(&floats, scale, &self.shape, &mut rounded);
        let scale = Scale::new(scale, base);
        let mut top = TopK::new(limit, count);
        let blocks = self.blocks.bytes(context.file);
        let distance = |sum| scale.distance(sum, measure);
        scan(&self.shape, blocks, 0..count as u32, &rounded, context, distance, &mut top);
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

    /// Tables of 8 bits, one for all probed lists or one each, what to add for each list, and the
    /// scale of the sums.
    fn rounded(&self, file: &[u8], query: &[f32], probes: &[(u32, f32)]) -> (Vec<u8>, Vec<u16>, Scale) {
        let Head { measure, dimension, .. } = self.coarse.head;
        let (mut floats, mut rounded) = (Vec::new(), Vec::new());
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
        let (least, span) = range(&biases);
        let part_ranges = |floats: &[f32]| {
            floats
                .chunks_exact(CENTROIDS)
                .map(range)
                .fold((0.0, 0f32, 0f32), |(base, widest, all), (low, span)| (base + low, widest.max(span), all + span))
        };
        if !each {
            tables(&self.pq, file, measure, query, &mut floats);
            let (base, widest, all) = part_ranges(&floats);
            let scale = scale_of(widest, span.max(0.0) + all);
            round_tables(&floats, scale, &self.shape, &mut rounded);
            let biases = biases.iter().map(|&bias| round(bias, least, scale).floor() as u16).collect();
            return (rounded, biases, Scale::new(scale, base + if least.is_finite() { least } else { 0.0 }));
        }
        let mut residual = vec![0.0; dimension];
        let (mut all_tables, mut lowest) = (Vec::new(), Vec::new());
        let (mut widest, mut farthest) = (0f32, f32::NEG_INFINITY);
        for (&(list, _), bias) in probes.iter().zip(&biases) {
            self.coarse.residual(file, query, list, &mut residual);
            tables(&self.pq, file, measure, &residual, &mut floats);
            let (base, widest_of_list, all) = part_ranges(&floats);
            widest = widest.max(widest_of_list);
            farthest = farthest.max(bias - least + all);
            lowest.push(base);
            all_tables.extend_from_slice(&floats);
        }
        let scale = scale_of(widest, farthest);
        let base = lowest.iter().copied().fold(f32::INFINITY, f32::min);
        for tables in all_tables.chunks_exact(self.pq.parts * CENTROIDS) {
            round_tables(tables, scale, &self.shape, &mut rounded);
        }
        let biases = lowest.iter().map(|&low| round(low, base, scale).floor() as u16).collect();
        (rounded, biases, Scale::new(scale, base))
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
        let (tables, biases, scale) = self.rounded(context.file, query, &probes);
        let table_bytes = self.shape.parts * CENTROIDS;
        let mut top = TopK::new(limit, count);
        for (i, (&(list, _), bias)) in probes.iter().zip(biases).enumerate() {
            let Some(entries) = self.lists.get(context.file, list) else { continue };
            let table = tables.chunks_exact(table_bytes).nth(i).unwrap_or(&tables);
            let distance = |sum: u16| scale.distance(sum.wrapping_add(bias), measure);
            let rows = entries.first..entries.first + entries.len as u32;
            scan(&self.shape, entries.blocks, rows, table, context, distance, &mut top);
        }
        Ok(top.into_sorted())
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
