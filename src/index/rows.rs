//! The rows that distances are computed from, in each precision that a file has.
//!
//! Section 7 is [`sq8`]'s, sections 8, 16 and 17 are [`FloatRows`]', section 15 [`BitRows`]'.

use super::Scratch;
use super::bit_rows::{BitRows, BitsQuery};
use super::float_rows::{self, FloatRows};
use super::params::BuildParams;
use super::sections::{Built, Sections, Shape, required};
use crate::distance;
use crate::quantize::{rabitq, sq8};
use crate::words::bytes::cast;
use crate::words::{Bitmap, Blob, Code, Error, Hit, IndexType, MatrixView, Metric, Precision, Result, TopK};
use std::borrow::Cow;

/// Standard deviations of its rounding by which an 8-bit distance may be too large before the row of
/// floats isn't looked at any more.
const ROUNDING_ALLOWED: f32 = 4.0;

/// Rows that are compared with every query of a batch before the next are read.
const ROWS_AT_ONCE: usize = 16;

/// Candidates that are asked for at once before the first is compared.
const AT_ONCE: usize = 16;

/// The rows of a file, in place.
#[derive(Debug, Clone)]
pub struct Rows {
    shape: Shape,
    floats: Option<FloatRows>,
    bytes: Option<sq8::Rows>,
    bits: Option<BitRows>,
    order: Option<Blob>,
}

/// A query as the rows want it. Reused from one search to the next.
#[derive(Debug, Clone, Default)]
pub struct RowsQuery {
    floats: Vec<f32>,
    bytes: sq8::Query,
    bits: BitsQuery,
}

impl RowsQuery {
    pub(super) fn floats_mut(&mut self) -> &mut Vec<f32> {
        &mut self.floats
    }
}

impl Rows {
    /// The rows of these sections.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if a length doesn't fit the shape.
    pub fn open(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        shape.check()?;
        let is_binary = shape.index_type.is_binary();
        let is_other = if is_binary { sections.has_float_rows() } else { sections.rows_bits.is_some() };
        if is_other {
            return Err(Error::corrupt(format!(
                "a {} file has {} rows, but this one has others; it was written wrongly",
                shape.index_type,
                if is_binary { "binary" } else { "no binary" }
            )));
        }
        let order = match shape.index_type.has_lists() {
            true => Some(required(&sections.order, "the order of its rows", shape.index_type)?.clone()),
            false => None,
        };
        let open = |section| sq8::Rows::open(section, shape.count, shape.dimension, shape.metric);
        let rows = Rows {
            shape: *shape,
            floats: FloatRows::open(shape, sections)?,
            bytes: sections.rows_i8.as_ref().map(open).transpose()?,
            bits: sections.rows_bits.as_ref().map(|section| BitRows::open(section, shape)).transpose()?,
            order: None,
        };
        rows.numbered(order)
    }

    /// Rows that aren't there in any precision.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if no file has such a shape.
    pub(super) fn nowhere(shape: &Shape) -> Result<Self> {
        shape.check()?;
        Ok(Rows { shape: *shape, floats: None, bytes: None, bits: None, order: None })
    }

    /// The same rows, which were given by these numbers.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if there are more or fewer.
    pub(super) fn numbered(self, order: Option<Blob>) -> Result<Self> {
        if let Some(order) = &order
            && order.as_numbers::<u32>()?.len() != self.shape.count
        {
            return Err(Error::corrupt(format!(
                "the order of {} rows can't take {} bytes; the file is damaged",
                self.shape.count,
                order.len()
            )));
        }
        Ok(Rows { order, ..self })
    }

    /// Some rows out of a file, with the numbers that they were given by whether or not the file has lists.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub(super) fn some(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        let order = sections.order.clone();
        let listless = Shape { index_type: IndexType::ScanRabitq, ..*shape };
        Rows { shape: *shape, ..Rows::open(&listless, sections)? }.numbered(order)
    }

    /// The rows, for an index that can't do without them.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if there are none of the precision that it needs.
    pub fn needed(self) -> Result<Self> {
        let index_type = self.shape.index_type;
        let is_there = match index_type.needed_precisions() {
            [] => !self.is_absent(),
            [Precision::Int8] => self.bytes.is_some(),
            _ => self.floats.is_some(),
        };
        if !is_there {
            return Err(Error::corrupt(format!(
                "a {index_type} index needs rows, but the file has none; it is damaged or incomplete"
            )));
        }
        Ok(self)
    }

    /// The rows, for a file that may have none.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if there are some.
    pub fn unneeded(self) -> Result<Self> {
        if !self.is_absent() {
            return Err(Error::corrupt(format!(
                "a {} file has no dense vectors, but this one has rows of some; it was written wrongly",
                self.shape.index_type
            )));
        }
        Ok(self)
    }

    /// What the header says.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if one isn't finite.
    pub fn verify(&self) -> Result<()> {
        self.floats.as_ref().map_or(Ok(()), FloatRows::verify)?;
        self.bytes.as_ref().map_or(Ok(()), sq8::Rows::verify)
    }

    /// Whether there are none in any precision.
    pub fn is_absent(&self) -> bool {
        self.floats.is_none() && self.bytes.is_none() && self.bits.is_none()
    }

    /// The precision of the distances that a search of floats ends with.
    pub fn precision(&self) -> Option<Precision> {
        self.floats.as_ref().map(FloatRows::precision).or(self.bytes.as_ref().map(|_| Precision::Int8))
    }

    /// Which number each row was given to the build by, where rows lie in lists.
    pub fn order(&self) -> Option<&Blob> {
        self.order.as_ref()
    }

    /// [`Self::order`] as numbers.
    #[inline]
    pub fn numbers(&self) -> Option<&[u32]> {
        // The alignment was checked when it was opened.
        self.order.as_ref().and_then(|order| cast(order).ok())
    }

    /// The number by which a row was given. Panics if there is no such row.
    #[inline]
    pub fn given(&self, row: u32) -> u32 {
        self.numbers().map_or(row, |numbers| numbers[row as usize])
    }

    /// Offers a row; equally near ones go by the number that they were given by.
    #[inline]
    pub fn offer(&self, top: &mut TopK, hit: Hit) {
        let hopeless = hit.distance > top.threshold();
        if !hopeless {
            top.push_ranked(hit, self.given(hit.row));
        }
    }

    /// The rows of floats, if there.
    pub fn floats(&self) -> Option<&FloatRows> {
        self.floats.as_ref()
    }

    /// The rows in 8 bits, if there.
    pub fn bytes(&self) -> Option<&sq8::Rows> {
        self.bytes.as_ref()
    }

    /// The rows of bits, of an index of such.
    pub fn bits(&self) -> Option<&BitRows> {
        self.bits.as_ref()
    }

    /// Takes on a query of bits.
    ///
    /// # Errors
    /// `INVALID_VECTOR` if the rows are of floats, `DIMENSION_MISMATCH`.
    pub fn prepare_bits(&self, query: &[u8], prepared: &mut RowsQuery) -> Result<()> {
        let Some(bits) = &self.bits else {
            return Err(Error::new(
                Code::InvalidVector,
                format!(
                    "the query is a vector of bits, but the rows of a {} index are of floats; ask with {} of them",
                    self.shape.index_type, self.shape.dimension
                ),
            ));
        };
        bits.prepare(query, &mut prepared.bits)
    }

    /// Takes on a query: checks it, and brings it to the form that is compared.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR`, also if the rows are of bits.
    pub fn prepare(&self, query: &[f32], prepared: &mut RowsQuery) -> Result<()> {
        if let Some(bits) = &self.bits {
            return Err(Error::new(
                Code::InvalidVector,
                format!(
                    "the query is a vector of floats, but the rows of a {} index are of bits; ask with {} bytes of them",
                    self.shape.index_type,
                    bits.row_bytes()
                ),
            ));
        }
        super::query::prepare(query, self.shape.dimension, self.shape.metric, &mut prepared.floats)?;
        if let Some(bytes) = &self.bytes {
            prepared.bytes.prepare(&prepared.floats, bytes);
        }
        Ok(())
    }

    /// Compares candidates in the best precision there is; the nearest go to `top`. A candidate
    /// whose 8-bit row already shows that it is none of them isn't looked at any further.
    pub fn rerank(&self, query: &RowsQuery, candidates: &[Hit], top: &mut TopK) {
        for some in candidates.chunks(AT_ONCE) {
            let (mut left, mut count) = ([0u32; AT_ONCE], 0);
            if let Some(bytes) = &self.bytes {
                some.iter().for_each(|candidate| bytes.touch(candidate.row as usize));
                for &Hit { row, .. } in some {
                    let distance = bytes.distance(&query.bytes, row as usize);
                    if self.floats.is_none() {
                        self.offer(top, Hit { row, distance });
                        continue;
                    }
                    let rounding = bytes.rounding(&query.bytes, row as usize, distance);
                    if distance - ROUNDING_ALLOWED * rounding <= top.threshold() {
                        left[count] = row;
                        count += 1;
                    }
                }
            } else {
                count = some.len();
                left.iter_mut().zip(some).for_each(|(left, candidate)| *left = candidate.row);
            }
            if let Some(floats) = &self.floats {
                left[..count].iter().for_each(|&row| floats.touch(row as usize));
                for &row in &left[..count] {
                    self.offer(top, Hit { row, distance: floats.distance(&query.floats, row as usize) });
                }
            }
        }
    }

    /// Internal distance of a row in the best precision there is, `None` if there are no rows.
    #[inline]
    pub fn distance(&self, query: &RowsQuery, row: usize) -> Option<f32> {
        match &self.floats {
            Some(floats) => Some(floats.distance(&query.floats, row)),
            None => match &self.bytes {
                Some(bytes) => Some(bytes.distance(&query.bytes, row)),
                None => self.bits.as_ref().map(|bits| bits.distance(&query.bits, row)),
            },
        }
    }

    /// Writes the vector of a row, in the best precision there is, to `out` of `dimension` floats:
    /// normalised for COSINE. False if there are no rows of floats. Panics if there is no such row.
    pub fn vector(&self, row: usize, out: &mut [f32]) -> bool {
        match (&self.floats, &self.bytes) {
            (Some(floats), _) => floats.decode(row, out),
            (None, Some(bytes)) => bytes.decode(row, out),
            (None, None) => return false,
        }
        true
    }

    /// Compares every allowed row with each query; the nearest go to its `top`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there are no rows.
    pub fn search(&self, allow: Option<&Bitmap>, asked: &mut [Scratch]) -> Result<()> {
        if self.is_absent() {
            return Err(Error::argument(
                "an exact search needs rows, but the file holds codes only; build it with int8, f16 or f32 rows",
            ));
        }
        // A few rows at a time, so that they are in the cache for all queries but the first.
        let (mut some, mut count) = ([0u32; ROWS_AT_ONCE], 0);
        let mut compare = |rows: &[u32]| {
            for Scratch { query, top, .. } in &mut *asked {
                for &row in rows {
                    if let Some(distance) = self.distance(query, row as usize) {
                        self.offer(top, Hit { row, distance });
                    }
                }
            }
        };
        let mut offer = |row: usize| {
            some[count] = row as u32;
            count += 1;
            if count == ROWS_AT_ONCE {
                compare(&some);
                count = 0;
            }
        };
        match allow {
            None => (0..self.shape.count).for_each(&mut offer),
            Some(allow) => allow.iter().take_while(|&row| row < self.shape.count).for_each(&mut offer),
        }
        compare(&some[..count]);
        Ok(())
    }
}

impl RowsQuery {
    /// The query, normalised for COSINE.
    pub fn floats(&self) -> &[f32] {
        &self.floats
    }

    /// The query of bits, if the rows are.
    pub fn bits(&self) -> &BitsQuery {
        &self.bits
    }

    /// The query in 16 bits, if the rows are there in 8.
    pub fn bytes(&self) -> &sq8::Query {
        &self.bytes
    }
}

/// Internal distance of two vectors in stored form.
#[inline]
pub fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    match metric {
        Metric::L2 => distance::l2(a, b),
        _ => -distance::dot(a, b),
    }
}

/// Adds the sections of rows in stored form, in the order given, or else their own. `done` is told of
/// rows as they are finished.
pub fn build<'a>(
    stored: Cow<'a, [f32]>,
    dimension: usize,
    order: Option<&[u32]>,
    params: &BuildParams,
    sections: &mut Built<'a>,
    done: &(dyn Fn(usize) + Sync),
) -> Result<()> {
    let rows = MatrixView::new(&stored, dimension)?;
    if params.precisions.contains(&Precision::Int8) {
        let mean = rabitq::centroid(rows);
        sections.rows_i8 = Some(sq8::encode(rows, order, &mean, params.metric, done).into());
    }
    if let Some(&precision) = params.precisions.iter().find(|precision| Precision::FLOATS.contains(precision)) {
        done(rows.rows());
        *sections.floats_mut(precision) = Some(float_rows::encode(stored, dimension, order, precision)?);
    }
    Ok(())
}

/// Refuses a build that would leave out the rows that an index of this type lives on, or have rows of floats twice.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn check_precisions(index_type: IndexType, precisions: &[Precision]) -> Result<()> {
    let needed = index_type.needed_precisions();
    let has = |some: &[Precision]| some.iter().any(|precision| precisions.contains(precision));
    if !has(if needed.is_empty() { Precision::ALL } else { needed }) {
        let missing = match needed {
            [] => "int8 or f32, or both".to_owned(),
            _ => needed.iter().map(|precision| precision.name()).collect::<Vec<_>>().join(" or "),
        };
        return Err(Error::argument(format!(
            "an index of type {index_type} can't do without its rows: ask for {missing}"
        )));
    }
    check_floats(precisions)
}

/// Refuses a build with rows of floats in two precisions.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn check_floats(precisions: &[Precision]) -> Result<()> {
    let floats: Vec<_> = precisions.iter().filter(|precision| Precision::FLOATS.contains(precision)).collect();
    match floats[..] {
        [first, second, ..] if first != second => Err(Error::argument(format!(
            "rows of floats are kept in one precision, not in {first} and {second}: the better of them does all that the other would"
        ))),
        _ => Ok(()),
    }
}
