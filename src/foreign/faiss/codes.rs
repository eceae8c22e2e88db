//! Indexes that hold one code a row, in order: `IndexFlat` (the head, an array of f32),
//! `IndexScalarQuantizer` (the head, the quantizer, an array of bytes), and `IndexPQ` (the same,
//! then the kind of search as i32, whether signs are encoded as u8, and a threshold as i32).

use super::bits::Bits;
use super::codec::{Codec, Scanner};
use super::flat::Flat;
use super::head::Head;
use super::node::{Computer, Context, Node, compare_all};
use super::pq::ProductQuantizer;
use super::sq::ScalarQuantizer;
use crate::foreign::Measure;
use crate::foreign::library::not_kept;
use crate::foreign::reader::{Reader, Span};
use crate::index::Structure;
use crate::words::{Code, Error, Hit, Result, TopK};

/// Rows that are compared before the nearest of them are looked for.
const AT_ONCE: usize = 128;

/// A code a row.
#[derive(Debug)]
pub(super) struct Codes {
    head: Head,
    codec: Box<dyn Codec>,
    codes: Span,
}

impl Codes {
    pub(super) fn read_flat(reader: &mut Reader<'_>) -> Result<Self> {
        let head = Head::read(reader)?;
        let codes = reader.numbers::<f32>()?;
        Self::new(reader, head, Box::new(Flat { dimension: head.dimension }), codes)
    }

    pub(super) fn read_scalar(reader: &mut Reader<'_>) -> Result<Self> {
        let head = Head::read(reader)?;
        head.only_l2_and_ip(reader)?;
        let codec = ScalarQuantizer::read(reader, head.dimension)?;
        let codes = reader.numbers::<u8>()?;
        Self::new(reader, head, Box::new(codec), codes)
    }

    pub(super) fn read_product(reader: &mut Reader<'_>, tag: &[u8; 4]) -> Result<Self> {
        let mut head = Head::read(reader)?;
        let codec = ProductQuantizer::read(reader, head.dimension)?;
        let codes = reader.numbers::<u8>()?;
        if tag != b"IxPQ" {
            let (search_type, signs, _threshold) = (reader.i32()?, reader.bool()?, reader.i32()?);
            if search_type != 0 || signs {
                return Err(Error::new(
                    Code::UnsupportedFormat,
                    format!(
                        "the Faiss file holds an IndexPQ that is searched by polysemous or symmetric codes \
                         (search_type {search_type}), which isn't read; set search_type to ST_PQ and save it again"
                    ),
                ));
            }
        }
        // Indexes of that time said inner product and meant L2.
        if tag != b"IxPq" {
            head.measure = Measure::L2;
        }
        head.only_l2_and_ip(reader)?;
        Self::new(reader, head, Box::new(codec), codes)
    }

    pub(super) fn read_binary(reader: &mut Reader<'_>) -> Result<Self> {
        let head = Head::read_binary(reader)?;
        let codes = reader.numbers::<u8>()?;
        Self::new(reader, head, Box::new(Bits { dimension: head.dimension }), codes)
    }

    pub(super) fn new(reader: &Reader<'_>, head: Head, codec: Box<dyn Codec>, codes: Span) -> Result<Self> {
        if head.count.checked_mul(codec.code_bytes()) != Some(codes.len) {
            return Err(reader.corrupt(format!(
                "{} bytes for {} codes of {} bytes",
                codes.len,
                head.count,
                codec.code_bytes()
            )));
        }
        Ok(Codes { head, codec, codes })
    }
}

struct Compared<'a> {
    codes: &'a [u8],
    code_bytes: usize,
    scanner: Box<dyn Scanner + 'a>,
}

impl Computer for Compared<'_> {
    #[inline]
    fn distance(&mut self, row: u32) -> f32 {
        let at = row as usize * self.code_bytes;
        self.scanner.distance(&self.codes[at..at + self.code_bytes])
    }
}

impl Node for Codes {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        self.codec.describe()
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let size = self.codec.code_bytes();
        if context.allow.is_some() || size == 0 {
            return compare_all(self, context, query, limit);
        }
        let mut scanner = self.codec.scanner(context.file, self.head.measure);
        scanner.set_query(query);
        let mut top = TopK::new(limit, self.head.count);
        let mut distances = Vec::new();
        for (first, codes) in (0..).step_by(AT_ONCE).zip(self.codes.bytes(context.file).chunks(AT_ONCE * size)) {
            distances.clear();
            scanner.distances(codes, size, &mut distances);
            for (row, &distance) in (first..).zip(&distances) {
                // As in Faiss, what has no distance is never found: NaN isn't below anything.
                if distance <= top.threshold() {
                    top.push(Hit { row, distance });
                }
            }
        }
        Ok(top.into_sorted())
    }

    fn computer<'a>(&'a self, file: &'a [u8], query: &[f32]) -> Option<Box<dyn Computer + 'a>> {
        let mut scanner = self.codec.scanner(file, self.head.measure);
        scanner.set_query(query);
        Some(Box::new(Compared { codes: self.codes.bytes(file), code_bytes: self.codec.code_bytes(), scanner }))
    }

    fn structure(&self, _file: &[u8]) -> Result<Structure> {
        match self.codec.is_compared_decoded() {
            true => Ok(Structure::Flat),
            false => Err(not_kept(format!("queries are rounded, as its {} rows are", self.describe()))),
        }
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        let code = self.codes.part(row as usize, self.codec.code_bytes());
        self.codec.decode(file, code.bytes(file), out);
        true
    }
}
