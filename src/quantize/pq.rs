//! Product quantization: a vector in parts, each the number of the centroid that is nearest to it
//! (Jégou, Douze, Schmid: *Product Quantization for Nearest Neighbor Search*, PAMI 2011).
//!
//! What is coded is the rotated residual *r* of [`rabitq`], brought to one length, in *m* parts: part
//! *j* has the coordinates from ⌊j · d / m⌋ to ⌊(j + 1) · d / m⌋, so any *m* up to *d* will do. With *v*
//! for the centroids put together the estimate is that of [`rabitq`] with *v* in place of the signs,
//!
//! ```text
//! ⟨r, p⟩ ≈ scale · ⟨v, p⟩,   scale = ‖r‖² / ⟨v, r⟩
//! ```
//!
//! and so are the factors. That brings what product quantization alone hasn't: the error has no part
//! along *r*; rows of one direction have one code, however long; a bound tells which rows are worth a
//! comparison; and since ⟨v, p⟩ is a sum over parts of what doesn't depend on the list, residuals cost
//! no tables of their own for each list. The rotation makes parts alike, so that they deserve as many
//! bits each and their tables fit one step.
//!
//! The error isn't spread over all directions as that of signs is, since centroids go where rows are:
//! it is larger along those in which rows, and with them queries, differ most. By how much is measured
//! when the centroids are trained, on pairs of rows that are near each other, and is in `f_error`.
//!
//! With 4 bits a part the numbers are what the scan looks up ([`crate::distance::LookupTables`]: a part
//! is a group). With 8 bits the scan reads the upper 4, and the lower 4 lie apart, to be read for rows
//! that the scan found worth it (André, Kermarrec, Le Scouarnec: *Derived Codebooks for High-Accuracy
//! Nearest Neighbor Search*, 2019): centroids are numbered so that those with the same upper bits lie
//! together, and have a common one, of which the scan's estimate is.
//!
//! **Section 14**, the codebooks:
//!
//! ```text
//! u32         m, 1 to d
//! u32         bits of a part, 4 or 8
//! u32 × 2     0
//! f32 × 16 d  for each coordinate, its value in the 16 centroids of its part
//! f32 × 256 d with 8 bits: in the 256 centroids
//! ```
//!
//! **Section 5** has blocks of [`rabitq`]'s form with *m* groups, and an empty one after them if *m* is odd:
//! the four bits of a row in group *j* are those of part *j*, the upper four of 8.
//!
//! **Section 13**, with 8 bits, has for each row in the order of the file's:
//!
//! ```text
//! f32         f_add
//! f32         f_scale
//! f32         f_error
//! u8 × ⌈m/2⌉  the lower four bits of part 2 i in the low half of byte i, those of part 2 i + 1 in the high one
//! ```

use super::kmeans::Centroids;
use super::map_range;
use super::rabitq::{self, Encoder, Residual};
use super::rotation::padded;
use crate::distance::{self, BLOCK_ROWS, FACTOR_BYTES, GROUP, LookupTables};
use crate::words::bytes::as_bytes;
use crate::words::say::decimal;
use crate::words::{Blob, Error, MatrixView, Result};
use std::ops::Range;

/// Bytes before the first centroid.
pub const HEAD_BYTES: usize = 16;

/// Bytes of a row's factors.
const ROW_FACTOR_BYTES: usize = 12;

/// Centroids that the scan tells apart, and all of 8 bits.
const UPPER: usize = 16;
const ALL: usize = 256;

/// Rows that centroids are trained with, at most.
const TRAINED_WITH: usize = 12_800;

/// Pairs of rows that errors are measured with, at most.
const PAIRS: usize = 2000;

/// Refuses numbers of parts and bits that no index has; the number of parts, by default so many that a
/// row takes a bit a dimension.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn parts(m: Option<usize>, nbits: u32, dimension: usize) -> Result<usize> {
    if nbits != 4 && nbits != 8 {
        return Err(Error::argument(format!("nbits is {nbits}; it must be 4 or 8")));
    }
    match m {
        None => Ok(padded(dimension) / nbits as usize),
        Some(m) if (1..=dimension).contains(&m) => Ok(m),
        Some(m) => Err(Error::argument(format!(
            "m is {m}, but vectors of {dimension} dimensions have 1 to {dimension} parts; it needn't divide them"
        ))),
    }
}

/// Rows that [`Coder::train`] goes over: for a progress bar.
pub fn training_steps(rows: usize, parts: usize) -> usize {
    rows.min(TRAINED_WITH) * parts
}

/// The rows that centroids are trained with: so many, evenly over all.
pub fn trained_with(rows: usize) -> impl ExactSizeIterator<Item = usize> {
    let count = rows.min(TRAINED_WITH);
    (0..count).map(move |i| (i as u64 * rows as u64 / count as u64) as usize)
}

/// The centroids of all parts, in place.
#[derive(Debug, Clone)]
pub struct Books {
    section: Blob,
    padded: usize,
    parts: usize,
    bits: u32,
}

/// Parts and their bits, as the head of a section has them.
pub fn head(section: &[u8]) -> Option<(usize, u32)> {
    let number = |at: usize| section.get(at..at + 4)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    Some((number(0)? as usize, number(4)?))
}

impl Books {
    /// The codebooks of a section.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(section: &Blob, dimension: usize) -> Result<Self> {
        let padded = padded(dimension);
        let (parts, bits) = head(section).unwrap_or((0, 0));
        let centroids = match bits {
            4 => UPPER,
            8 => UPPER + ALL,
            _ => 0,
        };
        if centroids == 0 || section.len() != HEAD_BYTES + 4 * padded * centroids || !(1..=padded).contains(&parts) {
            return Err(Error::corrupt(format!(
                "the codebooks of {parts} parts of {dimension} dimensions in {bits} bits don't fit a section of {} bytes; \
                 the file is damaged",
                section.len()
            )));
        }
        section.as_numbers::<f32>()?;
        Ok(Books { section: section.clone(), padded, parts, bits })
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        if self.section[8..HEAD_BYTES].iter().any(|&byte| byte != 0) || self.numbers().iter().any(|x| !x.is_finite()) {
            return Err(Error::corrupt("the codebooks hold something that no build writes; the file is damaged"));
        }
        Ok(())
    }

    /// Bytes of a block of 32 rows.
    pub fn block_bytes(&self) -> usize {
        FACTOR_BYTES + self.parts.next_multiple_of(2) * GROUP
    }

    /// Bytes of what a row has in section 13; 0 if there is none.
    fn row_bytes(&self) -> usize {
        if self.bits == 8 { ROW_FACTOR_BYTES + self.parts.div_ceil(2) } else { 0 }
    }

    /// Length and alignment were checked when it was opened.
    fn numbers(&self) -> &[f32] {
        self.section.as_numbers().map_or(&[], |numbers: &[f32]| &numbers[HEAD_BYTES / 4..])
    }

    fn upper(&self) -> &[f32] {
        &self.numbers()[..UPPER * self.padded]
    }

    fn all(&self) -> &[f32] {
        &self.numbers()[UPPER * self.padded..]
    }

    /// The coordinates of a part.
    fn part(&self, j: usize) -> Range<usize> {
        j * self.padded / self.parts..(j + 1) * self.padded / self.parts
    }

    /// Appends to `tables`, for each part, the products of its coordinates of *p* with its `N` centroids.
    fn products<const N: usize>(&self, book: &[f32], p: &[f32], tables: &mut Vec<f32>) {
        for j in 0..self.parts {
            let part = self.part(j);
            let mut products = [0.0f32; N];
            let centroids = book[part.start * N..part.end * N].as_chunks::<N>().0;
            for (values, &p) in centroids.iter().zip(&p[part]) {
                products.iter_mut().zip(values).for_each(|(product, value)| *product += value * p);
            }
            tables.extend_from_slice(&products);
        }
    }

    /// Fills `entries` with the tables that the scan looks ⟨v, p⟩ up in; the step of their entries, and
    /// the sum of all that they begin at.
    pub fn fill_tables(&self, p: &[f32], floats: &mut Vec<f32>, entries: &mut Vec<u8>) -> (f32, f32) {
        floats.clear();
        self.products::<UPPER>(self.upper(), p, floats);
        let tables = floats.as_chunks::<UPPER>().0;
        let least = |table: &[f32; UPPER]| table.iter().fold(f32::INFINITY, |least, &x| least.min(x));
        let (mut widest, mut bias) = (0.0f32, 0.0f32);
        for table in tables {
            let most = table.iter().fold(f32::NEG_INFINITY, |most, &x| most.max(x));
            widest = widest.max(most - least(table));
            bias += least(table);
        }
        let groups = self.parts.next_multiple_of(2);
        let level = f32::from(LookupTables::level(groups));
        let steps = if widest > 0.0 { level / widest } else { 0.0 };
        entries.clear();
        for table in tables {
            let least = least(table);
            entries.extend(table.iter().map(|x| ((x - least) * steps + 0.5).min(level) as u8));
        }
        entries.resize(groups * GROUP, 0);
        (widest / level, bias)
    }
}

/// Codes rows.
#[derive(Debug)]
pub struct Coder {
    books: Books,
    /// ‖c‖² / 2 of the centroids that rows are compared with.
    halves: Vec<f32>,
    /// How much larger errors are than if they were spread over all directions, as estimated by the
    /// upper bits and by all.
    spread: [f64; 2],
}

/// A code, as far as the factors need it.
struct Coded {
    with_residual: f64,
    norm: f64,
    along: f64,
}

impl Coder {
    /// Trains the centroids of `parts` parts with the rotated residuals of some rows, which are near
    /// those before and after them. `done` is told of steps.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub fn train(
        mut residuals: Vec<f32>,
        padded: usize,
        parts: usize,
        bits: u32,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Self> {
        residuals.chunks_exact_mut(padded).for_each(normalise);
        let count = residuals.len() / padded;
        let mut centroids = vec![0.0f32; padded * if bits == 8 { UPPER + ALL } else { UPPER }];
        let (upper, all) = centroids.split_at_mut(UPPER * padded);
        let range = |j: usize| j * padded / parts..(j + 1) * padded / parts;
        let trained = map_range(parts, |j| {
            let part = range(j);
            let rows: Vec<f32> =
                residuals.chunks_exact(padded).flat_map(|residual| &residual[part.clone()]).copied().collect();
            let trained = train_part(&rows, part.len(), bits);
            done(count);
            trained
        });
        for (j, (sixteen, rest)) in trained.into_iter().enumerate() {
            let (part, width) = (range(j), range(j).len());
            let lay = |centroids: &[f32], n: usize, out: &mut [f32]| {
                for (k, centroid) in centroids.chunks_exact(width).enumerate() {
                    part.clone().zip(centroid).for_each(|(i, &x)| out[i * n + k] = x);
                }
            };
            lay(&sixteen, UPPER, upper);
            lay(&rest, ALL, all);
        }
        let section = [as_bytes(&[parts as u32, bits, 0, 0]), as_bytes(&centroids)].concat();
        let books = Books { section: Blob::copy_of(&section)?, padded, parts, bits };
        let n = 1 << bits;
        let mut halves = vec![0.0; parts * n];
        let book = if bits == 8 { books.all() } else { books.upper() };
        for (j, halves) in halves.chunks_exact_mut(n).enumerate() {
            for values in book[range(j).start * n..range(j).end * n].chunks_exact(n) {
                halves.iter_mut().zip(values).for_each(|(half, x)| *half += 0.5 * x * x);
            }
        }
        let mut coder = Coder { books, halves, spread: [1.0; 2] };
        coder.spread = coder.measure_spread(&residuals);
        Ok(coder)
    }

    /// The section.
    pub fn section(&self) -> &[u8] {
        &self.books.section
    }

    /// The codebooks.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Whether rows have something in section 13.
    pub fn has_lower(&self) -> bool {
        self.books.bits == 8
    }

    /// Writes up to 32 rows as one block into `block`, which is all zero; what they have in section 13.
    pub fn encode<'r>(
        &self,
        encoder: &Encoder<'_>,
        rows: impl Iterator<Item = &'r [f32]>,
        block: &mut [u8],
    ) -> Vec<u8> {
        let (factors, codes) = block.split_at_mut(FACTOR_BYTES);
        let mut lower = Vec::new();
        let (mut numbers, mut products) = (Vec::new(), Vec::new());
        for (j, row) in rows.enumerate() {
            debug_assert!(j < BLOCK_ROWS);
            let residual = encoder.residual(row);
            self.code(&residual.rotated, &mut numbers, &mut products);
            let shift = self.books.bits - 4;
            for (group, number) in codes.chunks_exact_mut(GROUP).zip(&numbers) {
                group[j % GROUP] |= (number >> shift) << (j / GROUP * 4);
            }
            for (kind, factor) in self.factors(encoder, &residual, &numbers, false).iter().enumerate() {
                let at = 4 * (kind * BLOCK_ROWS + j);
                factors[at..at + 4].copy_from_slice(&factor.to_le_bytes());
            }
            if self.has_lower() {
                let factors = self.factors(encoder, &residual, &numbers, true);
                lower.extend(factors.iter().flat_map(|factor| factor.to_le_bytes()));
                let pair = |pair: &[u8]| pair[0] & 15 | pair.get(1).map_or(0, |number| number << 4);
                lower.extend(numbers.chunks(2).map(pair));
            }
        }
        lower
    }

    /// The numbers of the centroids that are nearest to a residual brought to one length.
    fn code(&self, residual: &[f32], numbers: &mut Vec<u8>, products: &mut Vec<f32>) {
        let mut direction = residual.to_vec();
        normalise(&mut direction);
        products.clear();
        numbers.clear();
        let n = match self.has_lower() {
            true => {
                self.books.products::<ALL>(self.books.all(), &direction, products);
                ALL
            }
            false => {
                self.books.products::<UPPER>(self.books.upper(), &direction, products);
                UPPER
            }
        };
        for (scores, halves) in products.chunks_exact_mut(n).zip(self.halves.chunks_exact(n)) {
            scores.iter_mut().zip(halves).for_each(|(score, half)| *score -= half);
            let mut lanes = [f32::NEG_INFINITY; 8];
            for eight in scores.as_chunks::<8>().0 {
                lanes
                    .iter_mut()
                    .zip(eight)
                    .for_each(|(lane, &score)| *lane = if score > *lane { score } else { *lane });
            }
            let most = lanes.iter().fold(f32::NEG_INFINITY, |most, &x| if x > most { x } else { most });
            numbers.push(scores.iter().position(|&score| score == most).unwrap_or(0) as u8);
        }
    }

    /// Coordinate *i* of *v*, by the upper bits or by all, and its part's number.
    fn values<'a>(&'a self, numbers: &'a [u8], all: bool) -> impl Iterator<Item = f64> + 'a {
        let (book, n, shift) = match all {
            true => (self.books.all(), ALL, 0),
            false => (self.books.upper(), UPPER, self.books.bits - 4),
        };
        let part = move |(j, &number): (usize, &u8)| {
            self.books.part(j).map(move |i| f64::from(book[i * n + usize::from(number >> shift)]))
        };
        numbers.iter().enumerate().flat_map(part)
    }

    fn factors(&self, encoder: &Encoder<'_>, residual: &Residual, numbers: &[u8], all: bool) -> [f32; 3] {
        let values: Vec<f64> = self.values(numbers, all).collect();
        let sum = |with: &[f32]| values.iter().zip(with).map(|(v, &x)| v * f64::from(x)).sum::<f64>();
        let coded = Coded {
            with_residual: sum(&residual.rotated),
            norm: values.iter().map(|v| v * v).sum(),
            along: encoder.along(|i| values[i]),
        };
        let (scale, error) = scale_and_error(&coded, residual.square, values.len());
        let error = error * self.spread[usize::from(all)];
        // Where the estimate is less sure than that there is a residual, that is all that is said of it.
        let length = residual.square.sqrt();
        let (scale, error) = if error < length { (scale, error) } else { (0.0, length) };
        encoder.factors_of(residual, scale, error, coded.along)
    }

    /// Errors of estimates of products with the next row, root mean square, as parts of what they would be
    /// if they were spread over all directions; at least 1.
    fn measure_spread(&self, directions: &[f32]) -> [f64; 2] {
        let rows: Vec<&[f32]> = directions.chunks_exact(self.books.padded).collect();
        let pairs = rows.len().saturating_sub(1).min(PAIRS);
        let measured = map_range(pairs, |i| {
            let at = i * (rows.len() - 1) / pairs;
            let (x, p) = (rows[at], rows[at + 1]);
            let product =
                |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
            let (mut numbers, mut products) = (Vec::new(), Vec::new());
            self.code(x, &mut numbers, &mut products);
            [false, true].map(|all| {
                if all && !self.has_lower() {
                    return (0.0, 0.0);
                }
                let v: Vec<f64> = self.values(&numbers, all).collect();
                let with = |x: &[f32]| v.iter().zip(x).map(|(v, &x)| v * f64::from(x)).sum::<f64>();
                let coded = Coded { with_residual: with(x), norm: v.iter().map(|v| v * v).sum(), along: 0.0 };
                let (scale, error) = scale_and_error(&coded, product(x, x), v.len());
                ((product(x, p) - scale * with(p)).powi(2), error.powi(2) * product(p, p))
            })
        });
        [0, 1].map(|all| {
            let sum = |of: fn((f64, f64)) -> f64| measured.iter().map(|pair| of(pair[all])).sum::<f64>();
            let (errors, expected) = (sum(|pair| pair.0), sum(|pair| pair.1));
            if expected > 0.0 { (errors / expected).sqrt().max(1.0) } else { 1.0 }
        })
    }
}

fn scale_and_error(coded: &Coded, square: f64, dimension: usize) -> (f64, f64) {
    if coded.with_residual <= 0.0 {
        return (0.0, f64::INFINITY);
    }
    let scale = square / coded.with_residual;
    (scale, ((scale * scale * coded.norm - square).max(0.0) / (dimension as f64 - 1.0)).sqrt())
}

/// To a length of √d; a zero vector stays.
fn normalise(vector: &mut [f32]) {
    let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if square > 0.0 {
        let factor = (vector.len() as f64 / square).sqrt();
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) * factor) as f32);
    }
}

/// 16 centroids of these rows; with 8 bits the 256, too, of which every 16 have one of those.
fn train_part(rows: &[f32], width: usize, bits: u32) -> (Vec<f32>, Vec<f32>) {
    let (count, all) = (rows.len() / width, if bits == 8 { ALL } else { 0 });
    let (true, Ok(matrix)) = (count > 0, MatrixView::new(rows, width)) else {
        return (vec![0.0; UPPER * width], vec![0.0; all * width]);
    };
    let evenly = |of: &dyn Fn(usize) -> usize, count: usize| -> Vec<f32> {
        (0..UPPER).flat_map(|k| matrix.row(of(k * count / UPPER))).copied().collect()
    };
    let centroids = Centroids::refine(matrix, &evenly(&|row| row, count));
    let mut sixteen = centroids.vectors();
    if bits == 4 {
        return (sixteen, Vec::new());
    }
    let members = super::kmeans::group(&centroids.assign(matrix, &|_| ()), UPPER);
    let first = |(members, centroid): (&Vec<u32>, &[f32])| match members.len() {
        0 => centroid.repeat(UPPER),
        count => evenly(&|i| members[i] as usize, count),
    };
    let first: Vec<f32> = members.iter().zip(sixteen.chunks_exact(width)).flat_map(first).collect();
    let centroids = Centroids::refine(matrix, &first);
    let nearest = centroids.assign(matrix, &|_| ());
    let upper: Vec<u32> = nearest.iter().map(|number| number / UPPER as u32).collect();
    for (members, centroid) in super::kmeans::group(&upper, UPPER).iter().zip(sixteen.chunks_exact_mut(width)) {
        for (i, x) in centroid.iter_mut().enumerate().filter(|_| !members.is_empty()) {
            let sum: f64 = members.iter().map(|&row| f64::from(matrix.row(row as usize)[i])).sum();
            *x = (sum / members.len() as f64) as f32;
        }
    }
    (sixteen, centroids.vectors())
}

/// The lower bits of rows, in place.
#[derive(Debug, Clone)]
pub struct Codes {
    section: Blob,
    books: Books,
}

impl Codes {
    /// The codes of a section; `None` where the codebooks have no lower bits.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(section: Option<&Blob>, count: usize, books: &Books) -> Result<Option<Self>> {
        match section {
            Some(section) if books.bits == 8 && count.checked_mul(books.row_bytes()) == Some(section.len()) => {
                Ok(Some(Codes { section: section.clone(), books: books.clone() }))
            }
            None if books.bits == 4 => Ok(None),
            _ => Err(Error::corrupt(format!(
                "the lower bits of {count} rows in {} parts of {} bits don't fit a section of {} bytes; the file is damaged",
                books.parts,
                books.bits,
                section.map_or(0, |section| section.len())
            ))),
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        for (i, row) in self.section.chunks_exact(self.books.row_bytes()).enumerate() {
            let [add, scale, error] = factors(row);
            let has_stray = !self.books.parts.is_multiple_of(2) && row.last().is_some_and(|byte| byte >> 4 != 0);
            if !(add.is_finite() && scale.is_finite() && error.is_finite() && scale >= 0.0 && error >= 0.0) || has_stray
            {
                return Err(Error::corrupt(format!(
                    "row {i} has {}, {} and {} for factors of its lower bits, or bits of no part; the file is damaged",
                    decimal(add),
                    decimal(scale),
                    decimal(error)
                )));
            }
        }
        Ok(())
    }

    fn row(&self, row: usize) -> &[u8] {
        let bytes = self.books.row_bytes();
        &self.section[row * bytes..(row + 1) * bytes]
    }

    /// Asks for what [`Self::estimate`] will read of a row.
    #[inline]
    pub fn touch(&self, row: usize) {
        distance::touch(self.row(row));
    }

    /// Fills `query` for estimates of a query that was prepared for the scan.
    pub fn prepare(&self, scanned: &rabitq::Query, query: &mut Query) {
        query.tables.clear();
        self.books.products::<ALL>(self.books.all(), scanned.rotated(), &mut query.tables);
    }

    /// Estimate of a row's distance, less what is [added](rabitq::Place::added), and its standard
    /// deviation, less ‖q − c‖ as a factor. Its upper bits are row `lane` of a block. Panics if there is no
    /// such row.
    pub fn estimate(&self, query: &Query, row: usize, block: &[u8], lane: usize) -> (f32, f32) {
        let row = self.row(row);
        let [add, scale, error] = factors(row);
        let upper = lane / GROUP * 4;
        let groups = block[FACTOR_BYTES..].as_chunks::<GROUP>().0;
        let number = |group: &[u8; GROUP], lower: u8| usize::from((group[lane % GROUP] >> upper << 4) | lower);
        // Of even parts and of odd ones, so that one addition needn't wait for the other.
        let mut sums = [0.0f32; 2];
        let tables = query.tables.as_chunks::<ALL>().0.chunks(2);
        for (([even, odd], lower), tables) in groups.as_chunks().0.iter().zip(&row[ROW_FACTOR_BYTES..]).zip(tables) {
            sums[0] += tables[0][number(even, lower & 15)];
            if let [_, table] = tables {
                sums[1] += table[number(odd, lower >> 4)];
            }
        }
        (add - scale * (sums[0] + sums[1]), error)
    }
}

#[inline]
fn factors(row: &[u8]) -> [f32; 3] {
    let mut factors = [0.0; 3];
    for (factor, bytes) in factors.iter_mut().zip(row.as_chunks::<4>().0) {
        *factor = f32::from_le_bytes(*bytes);
    }
    factors
}

/// A query's products with all centroids. Reused from one search to the next.
#[derive(Debug, Clone, Default)]
pub struct Query {
    tables: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::kernels;
    use crate::quantize::rotation::{Rotation, draw_signs};
    use crate::words::random::SplitMix64;
    use crate::words::{Code, Metric};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Rows that differ most along few directions, around a mean that isn't zero.
    fn draw(random: &mut SplitMix64, rows: usize, dimension: usize) -> Vec<f32> {
        let mut draw = || -> Vec<f32> {
            let common = [random.normal_f32(), random.normal_f32()];
            (0..dimension).map(|i| 0.5 + common[i % 2] + random.normal_f32()).collect()
        };
        (0..rows).flat_map(|_| draw()).collect()
    }

    struct Coded {
        mean: Vec<f32>,
        rotation: Rotation,
        coder: Coder,
        blocks: Vec<u8>,
        lower: Vec<u8>,
    }

    fn code(rows: MatrixView<'_>, m: usize, bits: u32, metric: Metric) -> Coded {
        let dimension = rows.dimension();
        let rotation = Rotation::new(&draw_signs(dimension, 5), dimension).unwrap();
        let mean = rabitq::centroid(rows);
        let encoder = Encoder { rotation: &rotation, centroid: &mean, shift: None, metric };
        let residuals: Vec<f32> = trained_with(rows.rows()).flat_map(|row| encoder.rotated(rows.row(row))).collect();
        let coder = Coder::train(residuals, rotation.padded(), m, bits, &|_| ()).unwrap();
        coder.books().verify().unwrap();
        let bytes = coder.books().block_bytes();
        let mut blocks = vec![0; rows.rows().div_ceil(BLOCK_ROWS) * bytes];
        let mut lower = Vec::new();
        for (b, block) in blocks.chunks_exact_mut(bytes).enumerate() {
            let some = rows.iter().skip(b * BLOCK_ROWS).take(BLOCK_ROWS);
            lower.extend(coder.encode(&encoder, some, block));
            assert_eq!(rabitq::find_fault(block, BLOCK_ROWS.min(rows.rows() - b * BLOCK_ROWS)), None);
        }
        Coded { mean, rotation, coder, blocks, lower }
    }

    fn exact(a: &[f32], b: &[f32], metric: Metric) -> f64 {
        let pairs = a.iter().zip(b).map(|(&x, &y)| (f64::from(x), f64::from(y)));
        match metric {
            Metric::L2 => pairs.map(|(x, y)| (x - y).powi(2)).sum(),
            _ => -pairs.map(|(x, y)| x * y).sum::<f64>(),
        }
    }

    /// Of estimates by the scan, and by all bits: errors, and what their standard deviations are said to be.
    fn errors(dimension: usize, m: usize, bits: u32, metric: Metric) -> [Vec<(f64, f64)>; 2] {
        let mut random = SplitMix64::new(3);
        let (data, queries) = (draw(&mut random, 384, dimension), draw(&mut random, 10, dimension));
        let rows = MatrixView::new(&data, dimension).unwrap();
        let Coded { mean, rotation, coder, blocks, lower } = code(rows, m, bits, metric);
        let section = Blob::copy_of(&lower).unwrap();
        let codes = Codes::open((bits == 8).then_some(&section), 384, coder.books()).unwrap();
        codes.iter().for_each(|codes| codes.verify().unwrap());
        let bytes = coder.books().block_bytes();
        let (mut query, mut fine, mut off) = (rabitq::Query::default(), Query::default(), [Vec::new(), Vec::new()]);
        for q in queries.chunks_exact(dimension) {
            query.prepare(q, &mean, &rotation, Some(coder.books()), metric);
            let of = |epsilon| {
                let (mut bounds, mut hits) = ([[0.0; BLOCK_ROWS]; 12], [0; 12]);
                (kernels().scan)(&blocks, &query.tables(epsilon), 0.0, &mut bounds, &mut hits);
                bounds.concat()
            };
            let (estimates, bounds) = (of(0.0), of(1.0));
            let place = query.place();
            codes.iter().for_each(|codes| codes.prepare(&query, &mut fine));
            for (row, x) in rows.iter().enumerate() {
                let exact = exact(x, q, metric);
                let error = |estimate: f32| f64::from(estimate) + f64::from(place.added) - exact;
                off[0].push((error(estimates[row]), f64::from(estimates[row] - bounds[row])));
                if let Some(codes) = &codes {
                    let block = &blocks[row / BLOCK_ROWS * bytes..][..bytes];
                    let (estimate, deviation) = codes.estimate(&fine, row, block, row % BLOCK_ROWS);
                    off[1].push((error(estimate), f64::from(deviation * place.norm)));
                }
            }
        }
        off
    }

    #[test]
    fn estimates_are_unbiased_and_as_far_off_as_they_say() {
        let root = |off: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
            (off.iter().map(|pair| of(pair).powi(2)).sum::<f64>() / off.len() as f64).sqrt()
        };
        for (dimension, m) in [(64, 16), (100, 13), (24, 24)] {
            for metric in [Metric::L2, Metric::Ip] {
                let [four, _] = errors(dimension, m, 4, metric);
                let [upper, all] = errors(dimension, m, 8, metric);
                for (off, what) in [(&four, "4 bits"), (&upper, "4 bits of 8"), (&all, "8 bits")] {
                    let mean = off.iter().map(|(error, _)| error).sum::<f64>() / off.len() as f64;
                    let (found, said) = (root(off, |pair| pair.0), root(off, |pair| pair.1));
                    let what = format!("{dimension} in {m}, {metric}, {what}: {found}, said {said}, mean {mean}");
                    assert!((0.5..1.3).contains(&(found / said)) && mean.abs() < 0.2 * found, "{what}");
                }
                let found = [&four, &all].map(|off| root(off, |pair| pair.0));
                assert!(found[1] < 0.8 * found[0], "{dimension} in {m}, {metric}: {found:?}");
            }
        }
    }

    #[test]
    fn any_number_of_parts_will_do() {
        for dimension in [1, 3, 10] {
            for m in 1..=dimension {
                for bits in [4, 8] {
                    for rows in [0, 1, 5, 40] {
                        let data: Vec<f32> = (0..rows * dimension).map(|i| (i * 7 % 11) as f32).collect();
                        let coded = code(MatrixView::new(&data, dimension).unwrap(), m, bits, Metric::L2);
                        assert_eq!(coded.blocks.len() % coded.coder.books().block_bytes(), 0);
                        assert_eq!(coded.lower.len(), rows * coded.coder.books().row_bytes());
                    }
                }
            }
            assert_eq!(parts(None, 8, dimension).unwrap(), padded(dimension) / 8);
            assert_eq!(parts(Some(dimension), 4, dimension).unwrap(), dimension);
            for (m, nbits) in [(Some(0), 8), (Some(dimension + 1), 4), (None, 0), (None, 5)] {
                assert_eq!(parts(m, nbits, dimension).unwrap_err().code, Code::InvalidArgument);
            }
        }
    }

    #[test]
    fn rows_of_one_direction_have_one_code() {
        let mut random = SplitMix64::new(9);
        let data = draw(&mut random, 64, 40);
        let coded = code(MatrixView::new(&data, 40).unwrap(), 10, 8, Metric::L2);
        let of = |factor: f32| {
            let residual: Vec<f32> = data[..40].iter().map(|x| x * factor).collect();
            let (mut numbers, mut products) = (Vec::new(), Vec::new());
            coded.coder.code(&residual, &mut numbers, &mut products);
            numbers
        };
        assert_eq!(of(1.0), of(1000.0));
        assert_eq!(of(0.0).len(), 10);
    }

    #[test]
    fn sections_that_no_build_writes_are_refused() {
        let data = draw(&mut SplitMix64::new(4), 33, 20);
        let Coded { coder, lower, .. } = code(MatrixView::new(&data, 20).unwrap(), 5, 8, Metric::Ip);
        let books = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut section = coder.section().to_vec();
            change(&mut section);
            let books = Books::open(&Blob::copy_of(&section).unwrap(), 20);
            books.and_then(|books| books.verify()).map_err(|error| error.code)
        };
        let refused = Err(Code::CorruptFile);
        assert_eq!(books(&|_| ()), Ok(()));
        for (at, byte) in [(0, 0), (0, 25), (4, 4), (4, 5), (4, 0), (8, 1), (15, 1), (2, 1), (19, 0x7F)] {
            let change = |section: &mut Vec<u8>| {
                section[at] = byte;
                if at == 19 {
                    section[18] = 0x80;
                }
            };
            assert_eq!(books(&change), refused, "{byte} at {at}");
        }
        assert_eq!(books(&|section| section.truncate(20)), refused);
        assert_eq!(books(&|section| section.clear()), refused);
        assert_eq!(books(&|section| section.extend([0; 4])), refused);

        let open = |section: &[u8]| {
            let codes = Codes::open(Some(&Blob::copy_of(section).unwrap()), 33, coder.books());
            codes.and_then(|codes| codes.unwrap().verify()).map_err(|error| error.code)
        };
        assert_eq!(open(&lower), Ok(()));
        assert_eq!(open(&lower[1..]), refused);
        assert_eq!(Codes::open(None, 33, coder.books()).unwrap_err().code, Code::CorruptFile);
        for (at, bytes) in [(0, f32::NAN), (4, -1.0), (8, f32::INFINITY)] {
            let mut section = lower.clone();
            section[at..at + 4].copy_from_slice(&bytes.to_le_bytes());
            assert_eq!(open(&section), refused);
        }
        // Five parts have five halves of bytes.
        let mut section = lower.clone();
        section[14] |= 0x10;
        assert_eq!(open(&section), refused);
    }
}
