//! `IndexRaBitQ` and `IndexIVFRaBitQ`: 1-bit codes of the vectors less a centroid (Gao and Long
//! 2024), and codes of several bits (Gao et al. 2024), as Faiss keeps and compares them
//! (`faiss/impl/RaBitQuantizer.cpp`). Faiss rotates nothing itself.
//!
//! | tag | after the head (and what inverted files start with) |
//! |---|---|
//! | `Ixrq` | quantizer, codes (array of bytes), centroid (array of f32, or none), query bits (u8) |
//! | `Ixrr` | the same, of several bits |
//! | `Iwrq` `Iwrr` | quantizer, code size (u64), by residual (u8), query bits (u8), lists |
//!
//! The quantizer is its dimension (u64), code size (u64), metric (i32), and, of several bits, how
//! many (u64). A code is
//!
//! ```text
//! signs       dimension bits, lowest first
//! offset      f32: squared distance from the centroid, less the squared length for inner products
//! factor      f32
//! error       f32, only of several bits
//! more bits   (bits − 1) × dimension, lowest first, only of several bits
//! offset, factor of the finer distance: f32 each, only of several bits
//! ```

mod estimate;
mod packed;

use super::head::Head;
use super::ivf::{Coarse, same_code_bytes};
use super::lists::Lists;
use super::node::{Context, Node};
use crate::foreign::library::Groups;
use crate::foreign::reader::{Reader, Span};
use crate::words::{Hit, Result, TopK};
use estimate::{Prepared, Quantizer, Rounding, decode};
pub(super) use packed::{IvfRabitqFastScan, RabitqFastScan};

/// Offers the codes of the rows from `first` on.
fn scan(prepared: &Prepared, codes: &[u8], first: u32, context: &Context<'_>, top: &mut TopK) {
    for (row, code) in (first..).zip(codes.chunks_exact(prepared.quantizer.code_bytes())) {
        if context.allows(row)
            && let Some(distance) = prepared.distance(code, top.threshold())
            && !distance.is_nan()
        {
            top.push(Hit { row, distance });
        }
    }
}

/// To how many bits queries are rounded.
fn rounding(reader: &mut Reader<'_>) -> Result<Rounding> {
    match reader.u8()? {
        bits @ 0..=8 => Ok(Rounding { bits, centred: false, fused: false }),
        bits => Err(reader.corrupt(format!("queries of {bits} bits"))),
    }
}

/// The centroid of all rows, if there is one.
fn centroid(reader: &mut Reader<'_>, dimension: usize) -> Result<Span> {
    let centroid = reader.numbers::<f32>()?;
    match centroid.len {
        0 => Ok(centroid),
        bytes if bytes == 4 * dimension => Ok(centroid),
        bytes => Err(reader.corrupt(format!("{bytes} bytes of a centroid for {dimension} dimensions"))),
    }
}

/// The centroid's floats, which are zeros if there is none.
fn floats(centroid: Span, file: &[u8], dimension: usize) -> Vec<f32> {
    let mut floats = centroid.numbers::<f32>(file).to_vec();
    floats.resize(dimension, 0.0);
    floats
}

/// Every row, scanned.
#[derive(Debug)]
pub(super) struct Rabitq {
    head: Head,
    quantizer: Quantizer,
    codes: Span,
    centroid: Span,
    rounding: Rounding,
}

impl Rabitq {
    pub(super) fn read(reader: &mut Reader<'_>, tag: &[u8; 4]) -> Result<Self> {
        let head = Head::read(reader)?;
        head.only_l2_and_ip(reader)?;
        let (quantizer, stated) = Quantizer::read(reader, &head, tag == b"Ixrr")?;
        same_code_bytes(reader, stated, quantizer.code_bytes())?;
        let codes = reader.numbers::<u8>()?;
        let centroid = centroid(reader, head.dimension)?;
        let rounding = rounding(reader)?;
        if head.count.checked_mul(quantizer.code_bytes()) != Some(codes.len) {
            return Err(reader.corrupt(format!("{} bytes of codes for {} vectors", codes.len, head.count)));
        }
        Ok(Rabitq { head, quantizer, codes, centroid, rounding })
    }

    fn centroid(&self, file: &[u8]) -> Vec<f32> {
        floats(self.centroid, file, self.head.dimension)
    }
}

fn name(quantizer: &Quantizer) -> String {
    match quantizer.bits {
        1 => "RaBitQ".into(),
        bits => format!("RaBitQ{bits}"),
    }
}

impl Node for Rabitq {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        name(&self.quantizer)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let mut top = TopK::new(limit, self.head.count);
        let prepared = Prepared::new(self.quantizer, self.rounding, query, &self.centroid(context.file));
        scan(&prepared, self.codes.bytes(context.file), 0, context, &mut top);
        Ok(top.into_sorted())
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        let code = self.codes.part(row as usize, self.quantizer.code_bytes());
        let (signs, factors) = code.bytes(file).split_at(self.quantizer.sign_bytes());
        decode(self.quantizer, signs, factors, &self.centroid(file), out);
        true
    }
}

/// The rows of the nearest lists, scanned.
#[derive(Debug)]
pub(super) struct IvfRabitq {
    coarse: Coarse,
    quantizer: Quantizer,
    lists: Lists,
    rounding: Rounding,
}

impl IvfRabitq {
    pub(super) fn read(reader: &mut Reader<'_>, tag: &[u8; 4], depth: usize) -> Result<Self> {
        let head = Head::read(reader)?;
        head.only_l2_and_ip(reader)?;
        let coarse = Coarse::read(reader, head, depth)?;
        let (quantizer, stated) = Quantizer::read(reader, &head, tag == b"Iwrr")?;
        same_code_bytes(reader, stated, quantizer.code_bytes())?;
        let (again, _by_residual) = (reader.size()?, reader.bool()?);
        same_code_bytes(reader, again, quantizer.code_bytes())?;
        let rounding = rounding(reader)?;
        if !coarse.has_centroids(reader.file()) {
            return Err(reader.corrupt("residuals from lists that have no centroids"));
        }
        let lists = Lists::read(reader, coarse.lists, head.count, quantizer.code_bytes(), false)?;
        Ok(IvfRabitq { coarse, quantizer, lists, rounding })
    }
}

impl Node for IvfRabitq {
    fn head(&self) -> &Head {
        &self.coarse.head
    }

    fn describe(&self) -> String {
        format!("{},{}", self.coarse.describe(), name(&self.quantizer))
    }

    fn label(&self, file: &[u8], row: u32) -> i64 {
        self.lists.id(file, row)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let mut top = TopK::new(limit, self.coarse.head.count);
        let mut centroid = vec![0.0; query.len()];
        for (list, _) in self.coarse.probe(context, query)? {
            let Some(entries) = self.lists.get(context.file, list) else { continue };
            self.coarse.centroid(context.file, list, &mut centroid);
            let prepared = Prepared::new(self.quantizer, self.rounding, query, &centroid);
            scan(&prepared, entries.codes, entries.first, context, &mut top);
        }
        Ok(top.into_sorted())
    }

    fn groups(&self, _file: &[u8]) -> Option<Groups> {
        Some(self.lists.groups(self.coarse.lists))
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        let (list, code) = self.lists.code(file, row);
        let mut centroid = vec![0.0; out.len()];
        self.coarse.centroid(file, list, &mut centroid);
        let (signs, factors) = code.split_at(self.quantizer.sign_bytes());
        decode(self.quantizer, signs, factors, &centroid, out);
        true
    }
}
