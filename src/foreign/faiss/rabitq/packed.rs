//! `IndexRaBitQFastScan` and `IndexIVFRaBitQFastScan`: the codes of [`super`] with their signs in
//! blocks, four dimensions a part, summed by look-up tables
//! (`faiss/IndexRaBitQFastScan.cpp`, `faiss/IndexIVFRaBitQFastScan.cpp`).
//!
//! | tag | after the head (and what inverted files start with) |
//! |---|---|
//! | `Irfn` | quantizer, centroid (array of f32), query bits (u8), block rows (i32), rows with padding (u64), parts with padding (u64), code size (u64), blocks (array of bytes) |
//! | `Iwrn` | quantizer, by residual (u8), code size (u64), block rows (i32), query block (u64), parts with padding (u64), implementation (i32), query bits (u8), rounded around 0 (u8), lists |
//! | `Irfs` `Iwrf` | as before 1.14: the same, with what follows a row's signs not in its block but in an array of bytes before the block rows (behind the last byte before the lists), in the order of ids |

use super::super::blocks::{BlockLists, GROUP, Shape};
use super::super::head::Head;
use super::super::ivf::{Coarse, same_code_bytes};
use super::super::node::{Context, Node, check_labels};
use super::super::tables::Tables;
use super::estimate::{Prepared, Quantizer, Rounding, decode};
use super::{centroid, floats, rounding};
use crate::foreign::library::Groups;
use crate::foreign::reader::{Reader, Span};
use crate::words::{Hit, Result, TopK};
use std::ops::Range;

/// Dimensions of a part.
const PART: usize = 4;

/// Codes in blocks.
#[derive(Debug, Clone, Copy)]
struct Packed {
    quantizer: Quantizer,
    rounding: Rounding,
    shape: Shape,
    /// Where what follows the signs is, if not in the blocks.
    apart: Option<Span>,
}

impl Packed {
    /// The blocks' shape, of as many rows and parts as the file says; `apart` if they hold signs only.
    fn new(
        reader: &Reader<'_>,
        quantizer: Quantizer,
        rounding: Rounding,
        [rows, parts]: [usize; 2],
        apart: Option<Span>,
    ) -> Result<Self> {
        if rounding.bits == 0 {
            return Err(reader.corrupt("queries of 0 bits"));
        }
        let rows = i32::try_from(rows).unwrap_or(0);
        let more = if apart.is_some() { 0 } else { quantizer.factor_bytes() };
        let shape = Shape::new(reader, rows, parts, quantizer.dimension.div_ceil(PART), more)?;
        Ok(Packed { quantizer, rounding, shape, apart })
    }

    /// Refuses an array apart that isn't of `count` rows.
    fn check(&self, reader: &Reader<'_>, count: usize) -> Result<()> {
        match self.apart {
            Some(apart) if count.checked_mul(self.quantizer.factor_bytes()) != Some(apart.len) => {
                Err(reader.corrupt(format!("{} bytes of factors for {count} codes", apart.len)))
            }
            _ => Ok(()),
        }
    }

    /// What follows the signs of the row that is number `at` of `blocks` and `id` of all.
    fn factors<'a>(&self, file: &'a [u8], blocks: &'a [u8], at: usize, id: impl FnOnce() -> i64) -> &'a [u8] {
        match self.apart {
            None => self.shape.behind(blocks, at),
            Some(apart) => apart.part(id() as usize, self.quantizer.factor_bytes()).bytes(file),
        }
    }

    /// The signs by which a row is compared with all bits. As in Faiss, they are looked for among the first 32
    /// rows of a block, however many it has: those of later rows are those of others.
    fn signs(&self, blocks: &[u8], at: usize) -> Vec<u8> {
        let within = at % self.shape.rows;
        let at = at - within + within % 16 + if within >= 16 { 16 } else { 0 };
        let part = |part| self.shape.number(blocks, at, part);
        (0..self.quantizer.sign_bytes()).map(|byte| part(2 * byte) | part(2 * byte + 1) << 4).collect()
    }

    fn prepared(&self, query: &[f32], centroid: &[f32]) -> Prepared {
        Prepared::new(self.quantizer, self.rounding, query, centroid)
    }
}

/// Blocks to be scanned, with what a query has for them.
struct Scan<'a> {
    packed: &'a Packed,
    context: &'a Context<'a>,
    blocks: &'a [u8],
    rows: Range<u32>,
    prepared: &'a Prepared,
    tables: &'a Tables,
    /// Which of the tables.
    which: usize,
}

impl Scan<'_> {
    /// Offers the blocks' rows. `id` gives a row's number among all.
    fn run(&self, id: impl Fn(u32) -> i64, top: &mut TopK) {
        let Scan { packed, context, blocks, prepared, .. } = *self;
        let (table, bias) = self.tables.of(self.which);
        let mut codes = Vec::new();
        for (start, first) in self.rows.clone().step_by(GROUP).enumerate() {
            let sums = packed.shape.sums(blocks, start * GROUP, table, &mut codes);
            for (i, (row, sum)) in (first..self.rows.end).zip(sums).enumerate() {
                if !context.allows(row) {
                    continue;
                }
                let at = start * GROUP + i;
                let factors = packed.factors(context.file, blocks, at, || id(row));
                let product = prepared.product_of(self.tables.scale.exact(sum.wrapping_add(bias)));
                let settled = prepared.settle(product, factors, top.threshold(), || packed.signs(blocks, at));
                if let Some(distance) = settled.filter(|distance| !distance.is_nan()) {
                    top.push(Hit { row, distance });
                }
            }
        }
    }
}

fn name(packed: &Packed) -> String {
    match packed.quantizer.bits {
        1 => "RaBitQfs".into(),
        bits => format!("RaBitQfs{bits}"),
    }
}

/// Every row, scanned.
#[derive(Debug)]
pub(in super::super) struct RabitqFastScan {
    head: Head,
    packed: Packed,
    centroid: Span,
    blocks: Span,
}

impl RabitqFastScan {
    pub(in super::super) fn read(reader: &mut Reader<'_>, tag: &[u8; 4]) -> Result<Self> {
        let head = Head::read(reader)?;
        head.only_l2_and_ip(reader)?;
        let (quantizer, _) = Quantizer::read(reader, &head, true)?;
        let centroid = centroid(reader, head.dimension)?;
        let rounding = Rounding { fused: tag == b"Irfn", ..rounding(reader)? };
        let apart = if tag == b"Irfs" { Some(reader.numbers::<u8>()?) } else { None };
        let (rows, padded, parts) = (reader.size32()?, reader.size()?, reader.size()?);
        let packed = Packed::new(reader, quantizer, rounding, [rows, parts], apart)?;
        packed.check(reader, head.count)?;
        let code_bytes = reader.size()?;
        if apart.is_none() {
            same_code_bytes(reader, code_bytes, quantizer.code_bytes())?;
        }
        let blocks = reader.numbers::<u8>()?;
        let fits = Some(blocks.len) == packed.shape.bytes_of(head.count);
        if padded != head.count.next_multiple_of(rows) || !fits {
            return Err(reader.corrupt(format!("{} bytes for {padded} codes of {}", blocks.len, head.count)));
        }
        Ok(RabitqFastScan { head, packed, centroid, blocks })
    }

    fn centroid(&self, file: &[u8]) -> Vec<f32> {
        floats(self.centroid, file, self.head.dimension)
    }
}

impl Node for RabitqFastScan {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        name(&self.packed)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let prepared = self.packed.prepared(query, &self.centroid(context.file));
        let mut floats = Vec::new();
        prepared.tables(false, &mut floats);
        let scan = Scan {
            packed: &self.packed,
            context,
            blocks: self.blocks.bytes(context.file),
            rows: 0..self.head.count as u32,
            prepared: &prepared,
            tables: &Tables::alone(&floats, &self.packed.shape),
            which: 0,
        };
        let mut top = TopK::new(limit, self.head.count);
        scan.run(i64::from, &mut top);
        Ok(top.into_sorted())
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        let (blocks, at) = (self.blocks.bytes(file), row as usize);
        let factors = self.packed.factors(file, blocks, at, || i64::from(row));
        decode(self.packed.quantizer, &self.packed.signs(blocks, at), factors, &self.centroid(file), out);
        true
    }
}

/// The rows of the nearest lists, scanned.
#[derive(Debug)]
pub(in super::super) struct IvfRabitqFastScan {
    coarse: Coarse,
    packed: Packed,
    lists: BlockLists,
}

impl IvfRabitqFastScan {
    pub(in super::super) fn read(reader: &mut Reader<'_>, tag: &[u8; 4], depth: usize) -> Result<Self> {
        let head = Head::read(reader)?;
        head.only_l2_and_ip(reader)?;
        let coarse = Coarse::read(reader, head, depth)?;
        let (quantizer, _) = Quantizer::read(reader, &head, true)?;
        let (_by_residual, code_bytes) = (reader.bool()?, reader.size()?);
        let (rows, _queries, parts) = (reader.size32()?, reader.size()?, reader.size()?);
        let _implementation = reader.i32()?;
        let mut rounding = Rounding { fused: tag == b"Iwrn", ..rounding(reader)? };
        rounding.centred = reader.bool()?;
        let apart = if tag == b"Iwrf" { Some(reader.numbers::<u8>()?) } else { None };
        if apart.is_none() {
            same_code_bytes(reader, code_bytes, quantizer.code_bytes())?;
        }
        if !coarse.has_centroids(reader.file()) {
            return Err(reader.corrupt("residuals from lists that have no centroids"));
        }
        let packed = Packed::new(reader, quantizer, rounding, [rows, parts], apart)?;
        packed.check(reader, head.count)?;
        let lists = BlockLists::read(reader, coarse.lists, head.count, &packed.shape)?;
        let index = IvfRabitqFastScan { coarse, packed, lists };
        if apart.is_some() {
            check_labels(&index, reader, head.count)?;
        }
        Ok(index)
    }
}

impl Node for IvfRabitqFastScan {
    fn head(&self) -> &Head {
        &self.coarse.head
    }

    fn describe(&self) -> String {
        format!("{},{}", self.coarse.describe(), name(&self.packed))
    }

    fn label(&self, file: &[u8], row: u32) -> i64 {
        self.lists.id(file, row)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let Head { count, dimension, .. } = self.coarse.head;
        let file = context.file;
        let mut probes = self.coarse.probe(context, query)?;
        // What is near enough to be compared by all bits depends on what was found before: Faiss goes
        // through blocks of 32 list by list, and through others in the order of nearness.
        if self.packed.shape.rows == GROUP {
            probes.sort_by_key(|&(list, _)| list);
        }
        let mut centroid = vec![0.0; dimension];
        let mut floats = Vec::new();
        let prepared: Vec<Prepared> = probes
            .iter()
            .map(|&(list, _)| {
                self.coarse.centroid(file, list, &mut centroid);
                let prepared = self.packed.prepared(query, &centroid);
                prepared.tables(self.packed.rounding.fused, &mut floats);
                prepared
            })
            .collect();
        let biases = vec![0.0; probes.len()];
        let tables = Tables::several(&floats, &biases, &self.packed.shape, self.packed.rounding.fused);
        let mut top = TopK::new(limit, count);
        for (which, (&(list, _), prepared)) in probes.iter().zip(&prepared).enumerate() {
            let Some(entries) = self.lists.get(file, list) else { continue };
            let rows = entries.first..entries.first + entries.len as u32;
            let blocks = entries.blocks;
            let scan = Scan { packed: &self.packed, context, blocks, rows, prepared, tables: &tables, which };
            scan.run(|row| self.lists.id(file, row), &mut top);
        }
        Ok(top.into_sorted())
    }

    fn groups(&self, _file: &[u8]) -> Option<Groups> {
        Some(self.lists.groups(self.coarse.lists))
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        let (list, blocks, at) = self.lists.place(file, row);
        let mut centroid = vec![0.0; out.len()];
        self.coarse.centroid(file, list, &mut centroid);
        let factors = self.packed.factors(file, blocks, at, || self.lists.id(file, row));
        decode(self.packed.quantizer, &self.packed.signs(blocks, at), factors, &centroid, out);
        true
    }
}
