//! Which parameter reaches which recall, measured when the file is built: a search can then name
//! the recall that it wants.
//!
//! Queries are made of rows of the file, drawn by the seed. A query hardly ever lies where rows lie
//! densest, so each is moved by a third of the way towards another row. Its first row is left out
//! of the answer, and a graph's walk passes over it as if it had never been inserted. Right is what an
//! exact search over the given rows finds; a row as near as the k-th counts, whichever it is.
//!
//! **Section 23**:
//!
//! ```text
//! u32    parameter: 1 ef, 2 ε in thousandths, 3 nprobe
//! u32    queries that were measured
//! u32    curves, 1 to 8
//! u32    points of each curve, 1 to 32
//! per curve, in the order of limits:
//! u32    limit: recall is measured at this
//! f32    recall of an exact search over the file's rows, 0 to 1
//! per point, in the order of settings:
//! u32    setting
//! f32    recall, 0 to 1
//! ```

use super::params::SearchParams;
use super::{Index, Scratch, query, rows};
use crate::words::random::SplitMix64;
use crate::words::say::decimal;
use crate::words::{Bitmap, Blob, Cursor, Error, Hit, IndexType, MatrixView, Metric, Result, TopK, order};

/// The limits at which recall is measured.
const LIMITS: [usize; 2] = [10, 100];

/// How far a query lies from a row of the file, on the way to another.
const TOWARDS: f32 = 1.0 / 3.0;

/// Larger settings aren't tried once all curves have reached this recall.
const NEARLY_ALL: f32 = 0.9999;

/// Settings of ε in thousandths: 1,900 is what a search uses by itself.
const EPSILONS: [u32; 10] = [0, 300, 600, 900, 1200, 1500, 1900, 2500, 3200, 4000];

/// The smallest and the largest ef, each √2 times the one before.
const EF: (u32, u32) = (10, 1500);

/// The largest number of lists that is tried; like ef, each is √2 times the one before, from 1.
const MOST_LISTS: u32 = 40_000;

/// Rows that are compared with all queries before the next are read.
const ROWS_AT_ONCE: usize = 256;

/// How far a row may be past the k-th and count as equal: rounding, relative to both.
const TIE: f32 = 1e-6;

const MAX_CURVES: usize = 8;
const MAX_POINTS: usize = 32;

/// What is turned to find more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Knob {
    /// How many candidates a graph's walk keeps.
    Ef = 1,
    /// How many standard deviations of its estimate a row may be nearer than estimated, in
    /// thousandths.
    Epsilon = 2,
    /// How many lists are looked into.
    Nprobe = 3,
}

impl Knob {
    /// What is turned of an index of this type; `None` if nothing is.
    fn of(index: &Index) -> Option<Knob> {
        match index.shape().index_type {
            IndexType::Flat | IndexType::BinFlat | IndexType::BinIvfFlat | IndexType::SparseInvertedIndex => None,
            IndexType::IvfFlat | IndexType::IvfSq8 | IndexType::IvfPq | IndexType::IvfRabitq => {
                (!index.rows().is_absent()).then_some(Knob::Nprobe)
            }
            IndexType::ScanRabitq => (!index.rows().is_absent()).then_some(Knob::Epsilon),
            IndexType::Hnsw | IndexType::HnswSq8 => Some(Knob::Ef),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Knob::Ef => "ef",
            Knob::Epsilon => "epsilon",
            Knob::Nprobe => "nprobe",
        }
    }

    /// What a setting stands for.
    pub fn value(self, setting: u32) -> f64 {
        match self {
            Knob::Ef | Knob::Nprobe => f64::from(setting),
            Knob::Epsilon => f64::from(setting) / 1000.0,
        }
    }

    fn settings(self, index: &Index) -> Vec<u32> {
        let steps = |from: u32, to: u32| {
            let next = |n: &u32| Some(((f64::from(*n) * std::f64::consts::SQRT_2).round() as u32).max(n + 1));
            std::iter::successors(Some(from), next).take_while(|&n| n <= to).collect()
        };
        match self {
            Knob::Epsilon => EPSILONS.to_vec(),
            Knob::Ef => steps(EF.0, EF.1),
            Knob::Nprobe => {
                let lists = index.lists().map_or(1, |lists| lists.count() as u32);
                let mut some: Vec<u32> = steps(1, lists.min(MOST_LISTS));
                if some.last() != Some(&lists) && lists <= MOST_LISTS {
                    some.push(lists);
                }
                some
            }
        }
    }

    fn set(self, setting: u32, params: &mut SearchParams) {
        match self {
            Knob::Ef => params.ef = Some(setting as usize),
            Knob::Epsilon => params.epsilon = Some(self.value(setting) as f32),
            Knob::Nprobe => params.nprobe = Some(setting as usize),
        }
    }
}

/// Recall at one limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// How many hits were asked for.
    pub limit: usize,
    /// What an exact search over the file's rows reaches: less than 1 where they are rounded.
    pub exact: f32,
    /// Settings of the knob, ascending, and the recall of each.
    pub points: Vec<(u32, f32)>,
}

/// The curves of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// What is turned.
    pub knob: Knob,
    /// How many queries were measured.
    pub queries: u32,
    /// By ascending limit.
    pub curves: Vec<Curve>,
}

impl Calibration {
    /// The longest section.
    pub const MAX_BYTES: usize = 16 + MAX_CURVES * (8 + 8 * MAX_POINTS);

    /// Measures an index that was built from these rows (in stored form: normalised for COSINE)
    /// with so many of them. `None` where there is nothing to choose: FLAT compares all rows, codes
    /// alone can't be compared again, and of one row there are no others.
    ///
    /// # Errors
    /// Those of a search.
    pub fn measure(index: &Index, stored: MatrixView<'_>, queries: usize, seed: u64) -> Result<Option<Self>> {
        let Some(knob) = Knob::of(index) else { return Ok(None) };
        let count = stored.rows();
        if count < 2 || queries == 0 {
            return Ok(None);
        }
        let mut random = SplitMix64::new(seed);
        let sample: Vec<Query> = (0..queries.min(count))
            .map(|_| {
                let [row, other] = [(); 2].map(|()| random.below(count as u32));
                let pairs = stored.row(row as usize).iter().zip(stored.row(other as usize));
                let mut vector: Vec<f32> = pairs.map(|(x, y)| x + TOWARDS * (y - x)).collect();
                if index.shape().metric == Metric::Cosine {
                    query::normalise_rows(&mut vector, stored.dimension());
                }
                Query { row, vector }
            })
            .collect();
        let truths = truths(index, stored, &sample);
        let measured = Measured { index, stored, places: places(index) };
        let mean = |limit: usize, set: &(dyn Fn(&mut SearchParams) + Sync)| -> Result<f64> {
            let recalls = map_slices(&sample, &truths, |queries, truths| {
                let mut scratch = Scratch::default();
                let of = |(query, truth): (&Query, &Vec<f32>)| measured.recall(query, truth, limit, set, &mut scratch);
                queries.iter().zip(truths).map(of).sum::<Result<f64>>()
            });
            Ok(recalls.into_iter().sum::<Result<f64>>()? / sample.len() as f64)
        };
        let mut curves = Vec::new();
        for limit in LIMITS {
            curves.push(Curve { limit, exact: mean(limit, &|params| params.exact = true)? as f32, points: Vec::new() });
        }
        for setting in knob.settings(index) {
            for curve in &mut curves {
                let recall = mean(curve.limit, &|params| knob.set(setting, params))? as f32;
                curve.points.push((setting, recall));
            }
            if curves.iter().all(|curve| curve.points.last().is_some_and(|&(_, recall)| recall >= NEARLY_ALL)) {
                break;
            }
        }
        Ok(Some(Calibration { knob, queries: sample.len() as u32, curves }))
    }

    /// The section.
    pub fn encode(&self) -> Vec<u8> {
        let points = self.curves.first().map_or(0, |curve| curve.points.len());
        let mut section = Vec::new();
        for n in [self.knob as u32, self.queries, self.curves.len() as u32, points as u32] {
            section.extend(n.to_le_bytes());
        }
        for curve in &self.curves {
            section.extend((curve.limit as u32).to_le_bytes());
            section.extend(curve.exact.to_le_bytes());
            for &(setting, recall) in &curve.points {
                section.extend(setting.to_le_bytes());
                section.extend(recall.to_le_bytes());
            }
        }
        section
    }

    /// The curves of a section: all of it is read and checked.
    ///
    /// # Errors
    /// `CORRUPT_FILE`; `UNSUPPORTED_FORMAT` for a parameter of a later version.
    pub fn open(section: &Blob) -> Result<Self> {
        let mut cursor = Cursor::new(section, "the calibration");
        let knob = match cursor.u32()? {
            1 => Knob::Ef,
            2 => Knob::Epsilon,
            3 => Knob::Nprobe,
            other => {
                return Err(Error::new(
                    crate::words::Code::UnsupportedFormat,
                    format!("the calibration is of parameter {other}, which this version doesn't know; update elanus"),
                ));
            }
        };
        let damaged = |what: &str| Error::corrupt(format!("the calibration has {what}; the file is damaged"));
        let (queries, curves, points) = (cursor.u32()?, cursor.u32()? as usize, cursor.u32()? as usize);
        if !(1..=MAX_CURVES).contains(&curves) || !(1..=MAX_POINTS).contains(&points) {
            return Err(damaged("no curves or too many"));
        }
        let share = |recall: f32| {
            if (0.0..=1.0).contains(&recall) { Ok(recall) } else { Err(damaged("a recall that is none")) }
        };
        let mut read = Vec::with_capacity(curves);
        for _ in 0..curves {
            let (limit, exact) = (cursor.u32()? as usize, share(cursor.f32()?)?);
            let points: Vec<(u32, f32)> =
                (0..points).map(|_| Ok((cursor.u32()?, share(cursor.f32()?)?))).collect::<Result<_>>()?;
            if limit == 0 || !points.is_sorted_by(|a, b| a.0 < b.0) {
                return Err(damaged("a limit of 0 or settings that don't ascend"));
            }
            read.push(Curve { limit, exact, points });
        }
        if !read.is_sorted_by(|a, b| a.limit < b.limit) || cursor.remaining() != 0 {
            return Err(damaged("limits that don't ascend, or more bytes than it speaks of"));
        }
        Ok(Calibration { knob, queries, curves: read })
    }

    /// Sets what reaches the recall at the parameters' limit: what the curve of the next larger
    /// measured limit asks for, between two points in proportion. Past the largest, *ef* and *nprobe* grow
    /// with the limit, while ε means the same at any. If no setting reached it but comparing all rows
    /// does, all rows are compared.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if not even that reaches it.
    pub fn aim(&self, recall: f32, params: &mut SearchParams) -> Result<()> {
        let Some(curve) = self.curves.iter().find(|curve| curve.limit >= params.limit).or(self.curves.last()) else {
            return Ok(());
        };
        if let Some(at) = curve.points.iter().position(|&(_, reached)| reached >= recall) {
            let (high, above) = curve.points[at];
            let (low, below) = if at == 0 { (high, above) } else { curve.points[at - 1] };
            let part = if above > below { f64::from(recall - below) / f64::from(above - below) } else { 1.0 };
            let mut setting = f64::from(low) + part * f64::from(high - low);
            if self.knob != Knob::Epsilon {
                setting *= (params.limit as f64 / curve.limit as f64).max(1.0);
            }
            self.knob.set(setting.ceil() as u32, params);
            return Ok(());
        }
        if curve.exact < recall {
            return Err(Error::argument(format!(
                "a recall of {} at {} hits is more than the file's rows can give: comparing all of them finds {}; ask for \
                 that at most, or build the file with f32 rows",
                decimal(recall),
                curve.limit,
                decimal(curve.exact)
            )));
        }
        params.exact = true;
        Ok(())
    }
}

/// Where rows lie by the numbers that they were given by; empty where that is the same.
fn places(index: &Index) -> Vec<u32> {
    order::inverse(index.rows().numbers().unwrap_or_default())
}

/// A query, and the row that it was made of.
struct Query {
    row: u32,
    vector: Vec<f32>,
}

/// For each query, the distances of the nearest rows but its own, ascending.
fn truths(index: &Index, stored: MatrixView<'_>, sample: &[Query]) -> Vec<Vec<f32>> {
    let metric = index.shape().metric;
    let most = LIMITS[LIMITS.len() - 1];
    map_slices(sample, sample, |sample, _| {
        let mut tops: Vec<TopK> = sample.iter().map(|_| TopK::new(most, most)).collect();
        for first in (0..stored.rows()).step_by(ROWS_AT_ONCE) {
            for (query, top) in sample.iter().zip(&mut tops) {
                for row in (first..(first + ROWS_AT_ONCE).min(stored.rows())).filter(|&row| row != query.row as usize) {
                    let distance = rows::distance(metric, &query.vector, stored.row(row));
                    top.push(Hit { row: row as u32, distance });
                }
            }
        }
        tops.into_iter().map(|top| top.into_sorted().iter().map(|hit| hit.distance).collect()).collect::<Vec<_>>()
    })
    .concat()
}

/// An index, the rows that it was built from, and where it put them.
struct Measured<'a> {
    index: &'a Index,
    stored: MatrixView<'a>,
    places: Vec<u32>,
}

impl Measured<'_> {
    /// The share of the nearest `limit` rows that a search finds, the query's own left out.
    fn recall(
        &self,
        query: &Query,
        truth: &[f32],
        limit: usize,
        set: &(dyn Fn(&mut SearchParams) + Sync),
        scratch: &mut Scratch,
    ) -> Result<f64> {
        let own = self.places.get(query.row as usize).copied().unwrap_or(query.row);
        let mut others = Bitmap::all(self.stored.rows());
        others.remove(own as usize);
        let mut params = SearchParams { limit, hidden: Some(own), ..SearchParams::default() };
        set(&mut params);
        let hits = self.index.search(&query.vector, &params, Some(&others), scratch)?;
        let wanted = limit.min(truth.len());
        let kth = truth[wanted - 1];
        let near = kth + TIE * kth.abs().max(1.0);
        let given = |hit: &Hit| self.index.rows().given(hit.row) as usize;
        let distance = |row| rows::distance(self.index.shape().metric, &query.vector, self.stored.row(row));
        let right = hits.iter().filter(|hit| distance(given(hit)) <= near).count();
        Ok(right.min(wanted) as f64 / wanted as f64)
    }
}

/// Calls `f` with runs of two lists of the same length, on all cores where there are threads;
/// returns what it returned, in order.
fn map_slices<A: Sync, B: Sync, T: Send>(a: &[A], b: &[B], f: impl Fn(&[A], &[B]) -> T + Sync + Send) -> Vec<T> {
    const AT_ONCE: usize = 16;
    #[cfg(not(target_arch = "wasm32"))]
    {
        use rayon::prelude::*;
        a.par_chunks(AT_ONCE).zip(b.par_chunks(AT_ONCE)).map(|(a, b)| f(a, b)).collect()
    }
    #[cfg(target_arch = "wasm32")]
    a.chunks(AT_ONCE).zip(b.chunks(AT_ONCE)).map(|(a, b)| f(a, b)).collect()
}
