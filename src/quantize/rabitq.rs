//! RaBitQ: one bit a dimension, an unbiased estimate of the distance, and a bound on its error
//! (Gao, Long: *RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for
//! Approximate Nearest Neighbor Search*, SIGMOD 2024).
//!
//! Of a row *o* what is coded is its rotated residual *r* = P(o − c) from the centroid *c* of its
//! list, in *d* padded dimensions: the signs *s* of its coordinates. With p = P(q − c) for a query,
//!
//! ```text
//! ⟨r, p⟩ ≈ (‖r‖² / Σ|rᵢ|) · ⟨s, p⟩,   off by about ‖p‖ · √(((‖r‖² / Σ|rᵢ|)² d − ‖r‖²) / (d − 1))
//! ```
//!
//! where "about" is one standard deviation over the random rotations. So the factors of a row are
//!
//! | | L2 | IP, COSINE |
//! |---|---|---|
//! | `f_add` | ‖r‖² | −⟨o − c, c⟩ |
//! | `f_scale` | 2 ‖r‖² / Σ\|rᵢ\| | ‖r‖² / Σ\|rᵢ\| |
//! | `f_error` | twice the root above | the root above |
//! | added for a query | ‖q − c‖² | −⟨q, c⟩ |
//!
//! and the internal distance is about `added + f_add − f_scale · ⟨s, p⟩`, give or take
//! [`EPSILON`] · `f_error` · ‖p‖. A row that equals its centroid has zeros for `f_scale` and
//! `f_error`.
//!
//! **Section 5** is a run of blocks of 32 rows in the layout of [`crate::distance::LookupTables`],
//! list after list, in row order. Rows that fill up the last block of a list are all zero.
//!
//! **Section 3** is the mean *m* of all rows, as f32 × dimension. Where that is no list's centroid, a
//! [`Shift`] from it follows for each list: first u = P(c − m) of each, as f32 × d, then t = ⟨m, c − m⟩
//! of each. A query is then rotated and put into tables once, as P(q − m). What p lacks of it is in
//! the factors: since ⟨s, p⟩ = ⟨s, P(q − m)⟩ − ⟨s, u⟩, `f_add` is larger by `f_scale` ⟨s, u⟩. And what
//! is added for a query comes from ⟨q, c⟩ = ⟨q, m⟩ + ⟨P(q − m), u⟩ + t and from ‖q − c‖ = ‖P(q − m) − u‖.

use super::pq::Books;
use super::rotation::Rotation;
use crate::distance::{BLOCK_ROWS, FACTOR_BYTES, GROUP, LookupTables};
use crate::words::{MatrixView, Metric};

/// Standard deviations that the error bound allows for. 1.9 is the paper's choice: about 3 % of the
/// rows are nearer than their bound says.
pub const EPSILON: f32 = 1.9;

/// Bytes of a block of 32 rows of this (unpadded) dimension.
pub const fn block_bytes(dimension: usize) -> usize {
    FACTOR_BYTES + super::rotation::padded(dimension) / 4 * GROUP
}

/// The mean of the rows; zero where there are none.
pub fn centroid(rows: MatrixView<'_>) -> Vec<f32> {
    let mut sums = vec![0.0f64; rows.dimension()];
    for row in rows.iter() {
        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    let count = rows.rows().max(1) as f64;
    sums.into_iter().map(|sum| (sum / count) as f32).collect()
}

/// Writes rows as blocks.
#[derive(Debug)]
pub struct Encoder<'a> {
    /// The rotation.
    pub rotation: &'a Rotation,
    /// The centroid that residuals are taken from; it may have the padded dimension.
    pub centroid: &'a [f32],
    /// Where that lies from the mean; `None` if it is the mean.
    pub shift: Option<&'a Shift>,
    /// What the factors are for.
    pub metric: Metric,
}

/// Where a list's centroid lies from the mean of all rows.
#[derive(Debug, Clone)]
pub struct Shift {
    /// u = P(c − m), of the padded dimension.
    pub rotated: Vec<f32>,
    /// t = ⟨m, c − m⟩.
    pub product: f32,
}

impl Shift {
    /// From the mean to a centroid.
    pub fn new(mean: &[f32], centroid: &[f32], rotation: &Rotation) -> Self {
        let mut rotated: Vec<f32> = centroid.iter().zip(mean).map(|(c, m)| c - m).collect();
        let product: f64 = rotated.iter().zip(mean).map(|(&x, &m)| f64::from(x) * f64::from(m)).sum();
        rotated.resize(rotation.padded(), 0.0);
        rotation.apply(&mut rotated);
        Shift { rotated, product: product as f32 }
    }

    /// From the mean to where *u* points, of the padded dimension; and that place, padded, too.
    pub fn to(rotated: Vec<f32>, mean: &[f32], rotation: &Rotation) -> (Self, Vec<f32>) {
        let mut centroid = rotated.clone();
        rotation.undo(&mut centroid);
        let product: f64 = centroid.iter().zip(mean).map(|(&x, &m)| f64::from(x) * f64::from(m)).sum();
        centroid.iter_mut().zip(mean).for_each(|(x, m)| *x += m);
        (Shift { rotated, product: product as f32 }, centroid)
    }
}

/// What a row has past the centroid of its list.
#[derive(Debug, Clone)]
pub(super) struct Residual {
    /// r = P(o − c).
    pub(super) rotated: Vec<f32>,
    /// ‖o − c‖².
    pub(super) square: f64,
    /// ⟨o − c, c⟩.
    product: f64,
}

impl Encoder<'_> {
    /// Writes up to 32 rows as one block into `block`, which is all zero.
    pub fn encode<'r>(&self, rows: impl Iterator<Item = &'r [f32]>, block: &mut [u8]) {
        let (factors, codes) = block.split_at_mut(FACTOR_BYTES);
        for (j, row) in rows.enumerate() {
            debug_assert!(j < BLOCK_ROWS);
            let residual = self.residual(row);
            let r = &residual.rotated;
            let absolute = r.iter().map(|r| f64::from(r.abs())).sum();
            let along = self.along(|i| if r[i] > 0.0 { 1.0 } else { -1.0 });
            let factors_of_row = self.factors(&residual, absolute, r.len() as f64, along);
            for (kind, factor) in factors_of_row.iter().enumerate() {
                let at = 4 * (kind * BLOCK_ROWS + j);
                factors[at..at + 4].copy_from_slice(&factor.to_le_bytes());
            }
            for (group, four) in r.as_chunks::<4>().0.iter().enumerate() {
                let bits = four.iter().enumerate().fold(0, |bits, (i, &x)| bits | u8::from(x > 0.0) << i);
                codes[group * GROUP + j % GROUP] |= bits << (j / GROUP * 4);
            }
        }
    }

    /// The rotated residual of a row.
    pub fn rotated(&self, row: &[f32]) -> Vec<f32> {
        self.residual(row).rotated
    }

    pub(super) fn residual(&self, row: &[f32]) -> Residual {
        let row = row.iter().copied().chain(std::iter::repeat(0.0));
        let mut rotated: Vec<f32> = row.zip(self.centroid).map(|(x, c)| x - c).collect();
        let product = rotated.iter().zip(self.centroid).map(|(&r, &c)| f64::from(r) * f64::from(c)).sum();
        let square = rotated.iter().map(|&r| f64::from(r) * f64::from(r)).sum();
        rotated.resize(self.rotation.padded(), 0.0);
        self.rotation.apply(&mut rotated);
        Residual { rotated, square, product }
    }

    /// ⟨v, u⟩ of a code *v*.
    pub(super) fn along(&self, v: impl Fn(usize) -> f64) -> f64 {
        let u = self.shift.map_or(&[][..], |shift| &shift.rotated);
        u.iter().enumerate().map(|(i, &u)| v(i) * f64::from(u)).sum()
    }

    /// `f_add`, `f_scale`, `f_error` of a code *v*, from ⟨v, r⟩, ‖v‖² and ⟨v, u⟩.
    pub(super) fn factors(&self, residual: &Residual, with_residual: f64, norm: f64, along: f64) -> [f32; 3] {
        let Residual { square, ref rotated, .. } = *residual;
        let scale = if with_residual > 0.0 { square / with_residual } else { 0.0 };
        let error = ((scale * scale * norm - square).max(0.0) / (rotated.len() as f64 - 1.0)).sqrt();
        self.factors_of(residual, scale, error, along)
    }

    /// `f_add`, `f_scale`, `f_error` of a code *v*, from what ⟨v, p⟩ is to be multiplied by, how far that is
    /// off, and ⟨v, u⟩.
    pub(super) fn factors_of(&self, residual: &Residual, scale: f64, error: f64, along: f64) -> [f32; 3] {
        let Residual { square, product, .. } = *residual;
        match self.metric {
            Metric::L2 => [(square + 2.0 * scale * along) as f32, (2.0 * scale) as f32, (2.0 * error) as f32],
            _ => [(scale * along - product) as f32, scale as f32, error as f32],
        }
    }
}

/// A query, rotated and in tables. Reused from one search to the next.
#[derive(Debug, Clone)]
pub struct Query {
    metric: Metric,
    /// P(q − m).
    residual: Vec<f32>,
    /// Room for tables that are still to be rounded.
    floats: Vec<f32>,
    entries: Vec<u8>,
    scale: f32,
    bias: f32,
    norm: f32,
    added: f32,
}

/// How a query lies to the centroid of a list.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// ‖q − c‖.
    pub norm: f32,
    /// What is added to an estimate or a bound to make it a distance.
    pub added: f32,
}

impl Default for Query {
    fn default() -> Self {
        Query {
            metric: Metric::L2,
            residual: Vec::new(),
            floats: Vec::new(),
            entries: Vec::new(),
            scale: 0.0,
            bias: 0.0,
            norm: 0.0,
            added: 0.0,
        }
    }
}

impl Query {
    /// Takes on a query, for codes whose mean this is: of signs, or of numbers in codebooks.
    pub fn prepare(&mut self, query: &[f32], mean: &[f32], rotation: &Rotation, books: Option<&Books>, metric: Metric) {
        self.metric = metric;
        self.residual.clear();
        self.residual.extend(query.iter().zip(mean).map(|(&q, &m)| q - m));
        let square = crate::distance::dot(&self.residual, &self.residual);
        self.norm = square.sqrt();
        self.added = match metric {
            Metric::L2 => square,
            _ => -crate::distance::dot(query, mean),
        };
        self.residual.resize(rotation.padded(), 0.0);
        rotation.apply(&mut self.residual);
        match books {
            None => self.fill_tables(),
            Some(books) => {
                (self.scale, self.bias) = books.fill_tables(&self.residual, &mut self.floats, &mut self.entries);
            }
        }
    }

    /// Tables of ⟨s, p⟩ for each group of four coordinates, shifted to begin at 0 and in steps that
    /// all groups share.
    fn fill_tables(&mut self) {
        let (fours, _) = self.residual.as_chunks::<4>();
        let (mut largest, mut sum) = (0.0f32, 0.0f32);
        for four in fours {
            let absolute = (four[0].abs() + four[1].abs()) + (four[2].abs() + four[3].abs());
            largest = largest.max(absolute);
            sum += absolute;
        }
        let level = f32::from(LookupTables::level(fours.len()));
        self.scale = 2.0 * largest / level;
        self.bias = -sum;
        let steps = if largest > 0.0 { level / largest } else { 0.0 };
        self.entries.clear();
        for four in fours {
            // What a coordinate adds when the row's bit is 0 and when it is 1.
            let add = four.map(|p| [(-p).max(0.0) * steps, p.max(0.0) * steps]);
            let low = [0, 1, 2, 3].map(|v: usize| add[0][v & 1] + add[1][v >> 1]);
            let high = [0, 1, 2, 3].map(|v: usize| add[2][v & 1] + add[3][v >> 1] + 0.5);
            let mut table = [0u8; GROUP];
            for (v, entry) in table.iter_mut().enumerate() {
                *entry = ((low[v & 3] + high[v >> 2]) as i32).min(level as i32) as u8;
            }
            self.entries.extend_from_slice(&table);
        }
    }

    /// P(q − m).
    pub fn rotated(&self) -> &[f32] {
        &self.residual
    }

    /// What the scan of a list reads, for lower bounds of this many standard deviations; 0 gives
    /// estimates. The bound allows for the rounding of the tables, too. `error` is
    /// [`epsilon` · ‖q − c‖](Place::norm), and may be set anew for each list.
    pub fn tables(&self, epsilon: f32) -> LookupTables<'_> {
        let groups = (self.entries.len() / GROUP) as f32;
        let rounding = self.scale * (epsilon * (groups / 12.0).sqrt()).min(groups / 2.0);
        LookupTables::new(&self.entries, self.scale, self.bias + rounding, epsilon * self.norm)
    }

    /// How far a list is, for the choice of lists, by its shift from the mean.
    pub fn distance(&self, rotated: &[f32], product: f32) -> f32 {
        match self.metric {
            Metric::L2 | Metric::Cosine => crate::distance::l2(&self.residual, rotated),
            _ => -crate::distance::dot(&self.residual, rotated) - product,
        }
    }

    /// How the query lies to the mean.
    pub fn place(&self) -> Place {
        Place { norm: self.norm, added: self.added }
    }

    /// How the query lies to a list's centroid, by its shift from the mean.
    pub fn place_in(&self, rotated: &[f32], product: f32) -> Place {
        let square = crate::distance::l2(&self.residual, rotated);
        let added = match self.metric {
            Metric::L2 => square,
            _ => self.added - crate::distance::dot(&self.residual, rotated) - product,
        };
        Place { norm: square.sqrt(), added }
    }
}

/// The first thing that is wrong with a block of which `rows` rows are in use, if anything is.
pub fn find_fault(block: &[u8], rows: usize) -> Option<String> {
    let (factors, codes) = block.split_at(FACTOR_BYTES);
    for (i, bytes) in factors.as_chunks::<4>().0.iter().enumerate() {
        let (kind, row) = (i / BLOCK_ROWS, i % BLOCK_ROWS);
        let factor = f32::from_le_bytes(*bytes);
        if row >= rows && bytes != &[0; 4] {
            return Some(format!("row {row} fills up the block, but its factors aren't zero"));
        }
        if !factor.is_finite() || (kind > 0 && factor < 0.0) {
            return Some(format!("a factor of row {row} is {factor}"));
        }
    }
    let unused = |j: usize| (u8::from(j >= rows) * 0x0F) | (u8::from(j + GROUP >= rows) * 0xF0);
    let stray = codes.iter().enumerate().any(|(at, &byte)| byte & unused(at % GROUP) != 0);
    stray.then(|| "rows that fill up the block have code bits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::kernels;
    use crate::quantize::rotation::draw_signs;
    use crate::words::random::SplitMix64;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Errors of estimates in their own standard deviations, and how many lower bounds of
    /// [`EPSILON`] are above the distance.
    fn errors(dimension: usize, metric: Metric, seed: u64) -> (Vec<f64>, usize) {
        let mut random = SplitMix64::new(seed);
        let mut draw = |rows: usize| -> Vec<f32> {
            (0..rows * dimension).map(|i| 0.5 + (1.0 + (i % 3) as f32) * random.normal_f32()).collect()
        };
        let (data, queries) = (draw(40 * BLOCK_ROWS), draw(20));
        let rows = MatrixView::new(&data, dimension).unwrap();
        let rotation = Rotation::new(&draw_signs(dimension, seed), dimension).unwrap();
        let centroid = centroid(rows);
        let encoder = Encoder { rotation: &rotation, centroid: &centroid, shift: None, metric };
        let size = block_bytes(dimension);
        let mut blocks = vec![0; 40 * size];
        for (b, block) in blocks.chunks_exact_mut(size).enumerate() {
            encoder.encode((b * BLOCK_ROWS..(b + 1) * BLOCK_ROWS).map(|row| rows.row(row)), block);
            assert_eq!(find_fault(block, BLOCK_ROWS), None);
        }
        let (mut query, mut off, mut above) = (Query::default(), Vec::new(), 0);
        for q in queries.chunks_exact(dimension) {
            query.prepare(q, &centroid, &rotation, None, metric);
            let of = |epsilon| {
                let (mut bounds, mut hits) = ([[0.0; BLOCK_ROWS]; 40], [0; 40]);
                (kernels().scan)(&blocks, &query.tables(epsilon), 0.0, &mut bounds, &mut hits);
                bounds.concat()
            };
            let (estimates, bounds) = (of(0.0), of(EPSILON));
            for (row, x) in rows.iter().enumerate() {
                let pairs = || x.iter().zip(q).map(|(&x, &q)| (f64::from(x), f64::from(q)));
                let exact = match metric {
                    Metric::L2 => pairs().map(|(x, q)| (x - q).powi(2)).sum::<f64>(),
                    _ => -pairs().map(|(x, q)| x * q).sum::<f64>(),
                };
                let added = f64::from(query.place().added);
                let deviation = f64::from(estimates[row] - bounds[row]) / f64::from(EPSILON);
                off.push((f64::from(estimates[row]) + added - exact) / deviation);
                above += usize::from(f64::from(bounds[row]) + added > exact);
            }
        }
        (off, above)
    }

    #[test]
    fn estimates_are_unbiased_and_their_bounds_hold_as_stated() {
        for dimension in [64, 100, 384] {
            for metric in [Metric::L2, Metric::Ip] {
                let (off, above) = errors(dimension, metric, 3);
                let mean = off.iter().sum::<f64>() / off.len() as f64;
                let spread = (off.iter().map(|x| x * x).sum::<f64>() / off.len() as f64).sqrt();
                assert!(mean.abs() < 0.1, "{metric} {dimension}: estimates are off by {mean} deviations on average");
                assert!((0.7..1.1).contains(&spread), "{metric} {dimension}: errors spread over {spread} deviations");
                // One side of 1.9 standard deviations: 2.9 %.
                let share = above as f64 / off.len() as f64;
                assert!((0.001..0.04).contains(&share), "{metric} {dimension}: {share} of the bounds don't hold");
            }
        }
    }

    #[test]
    fn estimates_are_nearly_exact_in_one_dimension() {
        let rotation = Rotation::new(&draw_signs(1, 1), 1).unwrap();
        let data: Vec<f32> = (0..32).map(|i| i as f32 - 16.0).collect();
        let mut block = vec![0; block_bytes(1)];
        Encoder { rotation: &rotation, centroid: &[2.0], shift: None, metric: Metric::L2 }
            .encode(data.chunks(1), &mut block);
        let mut query = Query::default();
        query.prepare(&[5.0], &[2.0], &rotation, None, Metric::L2);
        let (mut bounds, mut hits) = ([[0.0; BLOCK_ROWS]], [0]);
        (kernels().scan)(&block, &query.tables(0.0), 1.0, &mut bounds, &mut hits);
        for (x, bound) in data.iter().zip(bounds[0]) {
            let off = bound + query.place().added - (x - 5.0).powi(2);
            assert!(off.abs() < 1e-3 * (x.abs() + 5.0).powi(2), "{x}: {off}");
        }
    }

    #[test]
    fn faults_of_a_block_are_found() {
        let rotation = Rotation::new(&draw_signs(8, 1), 8).unwrap();
        let encoder = Encoder { rotation: &rotation, centroid: &[0.0; 8], shift: None, metric: Metric::L2 };
        let mut block = vec![0; block_bytes(8)];
        encoder.encode([[1.0f32; 8], [-2.0; 8]].iter().map(|row| &row[..]), &mut block);
        assert_eq!(find_fault(&block, 2), None);
        assert!(find_fault(&block, 1).is_some(), "a row too many");
        // Of row 0 a NaN, of row 1 a negative error; code bits of rows 2 and 16.
        for (at, bytes) in [(0, f32::NAN), (4 * (2 * 32 + 1), -1.0f32)].map(|(at, x)| (at, x.to_le_bytes())) {
            let mut damaged = block.clone();
            damaged[at..at + 4].copy_from_slice(&bytes);
            assert!(find_fault(&damaged, 2).is_some(), "factor at {at}");
        }
        for (at, bits) in [(2, 1), (0, 0x10)] {
            let mut damaged = block.clone();
            damaged[FACTOR_BYTES + at] |= bits;
            assert!(find_fault(&damaged, 2).is_some(), "code at {at}");
        }
    }
}
