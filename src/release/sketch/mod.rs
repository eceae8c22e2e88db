//! A sketch of what a release was made for: some kilobytes that say of live queries whether they are still like the
//! reference queries, and like the corpus. No vector can be read from it.

mod bytes;
mod features;
mod null;
mod part;
mod watch;

use crate::words::random::SplitMix64;
use crate::words::{Code, Error, MatrixView, Metric, Result};
use serde::{Deserialize, Serialize};

pub use bytes::Bytes;
pub use features::{Kernel, Projection};
pub use null::Null;
pub use part::Part;
pub use watch::{Check, Findings, Watch};

/// What is written here, and the newest that is read.
pub const SCHEMA_VERSION: u32 = 1;

/// A sketch that is read has so many bytes at most.
pub const MAX_BYTES: usize = 1 << 16;

/// Fewer queries or rows say too little of what comes.
pub const FEWEST: usize = 32;

/// Of more queries or rows a sample is taken.
pub const MOST: usize = 4096;

const FEATURES: usize = 64;
const FREQUENCIES: usize = 64;
const QUANTILES: usize = 21;

/// Some of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Some.
    pub count: usize,
    /// All.
    pub of: usize,
}

impl Share {
    fn is_share(self) -> bool {
        self.count <= self.of && self.of > 0
    }
}

/// What the reference queries were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Queries that somebody gave.
    Queries,
    /// Rows of the index, held out of the corpus's part: nobody gave queries.
    Rows,
}

/// How far first hits are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Top1 {
    /// Quantiles of their distances at 0, 5, …, 100 %, ascending.
    pub quantiles: Vec<f64>,
    /// Of so many.
    pub of: usize,
}

/// The sketch; its shape is published as `docs/schema/sketch-1.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sketch {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Of the index; of vectors of bits the number of bits.
    pub dimension: usize,
    /// Of the index.
    pub metric: String,
    /// Of the projection.
    pub seed: u64,
    /// Numbers in a projected vector.
    pub features: usize,
    /// Of the kernel: rows of as many numbers, in 8 bits.
    pub frequencies: Bytes,
    /// What one step of a frequency is worth.
    pub frequency_scale: f64,
    /// The reference queries.
    pub queries: Part,
    /// A sample of the corpus.
    pub corpus: Part,
    /// What the reference queries were.
    pub from: Origin,
    /// How far the first hits of the reference queries are.
    pub top1: Top1,
    /// How many of them found nothing.
    pub empty: Share,
    /// How many of them are far from the corpus.
    pub far_from_corpus: Share,
}

/// What a sketch is made of.
#[derive(Debug)]
pub struct Reference<'a> {
    /// Numbers, or bits, of a vector.
    pub dimension: usize,
    /// How nearness is measured.
    pub metric: Metric,
    /// Draws the projection, halves and frequencies.
    pub seed: u64,
    /// Reference queries, projected by [`Projection::new`] with [`Sketch::projection_of`].
    pub queries: &'a [Vec<f64>],
    /// Distance of the first hit of each, as callers know it; none where nothing was found.
    pub top1: &'a [Option<f32>],
    /// A sample of the corpus, projected alike.
    pub corpus: &'a [Vec<f64>],
    /// What the queries are.
    pub from: Origin,
}

impl Sketch {
    /// How vectors are projected before a sketch is made of them.
    pub fn projection_of(dimension: usize, metric: Metric, seed: u64) -> Projection {
        Projection::new(dimension, metric, FEATURES, seed)
    }

    /// Makes it. The same vectors and seed give the same sketch.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with fewer than [`FEWEST`] queries or rows, or if no query found anything.
    pub fn of(reference: &Reference<'_>) -> Result<Self> {
        let &Reference { dimension, metric, seed, queries, top1, corpus, from } = reference;
        if queries.len() < FEWEST || corpus.len() < FEWEST || top1.len() != queries.len() {
            return Err(Error::argument(format!(
                "a sketch is made of {FEWEST} queries and rows at least, not of {} and {}",
                queries.len(),
                corpus.len()
            )));
        }
        let mut distances: Vec<f64> = top1.iter().flatten().map(|&distance| f64::from(distance)).collect();
        if distances.is_empty() {
            return Err(Error::argument("none of the queries found anything; a sketch needs their first hits"));
        }
        distances.sort_by(f64::total_cmp);
        let at = |i: usize| rounded(distances[i * (distances.len() - 1) / (QUANTILES - 1)]);
        // Not the projection's seed itself: its numbers are signs already.
        let mut random = SplitMix64::new(seed ^ 0x5be7_c4ed);
        let apart = features::apart(queries, &mut random);
        let (frequencies, frequency_scale) = features::frequencies(apart, FREQUENCIES, FEATURES, &mut random);
        let kernel = Kernel::new(&frequencies, frequency_scale, FEATURES);
        let of_queries = Part::of(queries, kernel, &mut random)?;
        let of_corpus = Part::of(corpus, kernel, &mut random)?;
        let far = queries.iter().filter(|query| of_corpus.is_far(query)).count();
        Ok(Sketch {
            schema_version: SCHEMA_VERSION,
            dimension,
            metric: metric.name().into(),
            seed,
            features: FEATURES,
            top1: Top1 { quantiles: (0..QUANTILES).map(at).collect(), of: distances.len() },
            empty: Share { count: queries.len() - distances.len(), of: queries.len() },
            far_from_corpus: Share { count: far, of: queries.len() },
            queries: of_queries,
            corpus: of_corpus,
            from,
            frequencies: Bytes(frequencies),
            frequency_scale,
        })
    }

    /// Refuses what `of` doesn't make: a sketch comes from wherever a registry does.
    ///
    /// # Errors
    /// `UNSUPPORTED_VERSION`, or `CORRUPT_FILE` with what is wrong.
    pub fn check(&self) -> Result<()> {
        if self.schema_version != SCHEMA_VERSION {
            return Err(Error::new(
                Code::UnsupportedVersion,
                format!(
                    "the sketch has schema version {}; this program knows {SCHEMA_VERSION}: use a newer one",
                    self.schema_version
                ),
            ));
        }
        match self.wrong() {
            None => Ok(()),
            Some(wrong) => Err(Error::new(Code::CorruptFile, format!("the sketch can't be used: {wrong}"))),
        }
    }

    fn wrong(&self) -> Option<&'static str> {
        let Ok(metric) = Metric::parse(&self.metric) else { return Some("it has an unknown metric") };
        let most =
            if Metric::DENSE.contains(&metric) { MatrixView::MAX_DIMENSION } else { 8 * MatrixView::MAX_DIMENSION };
        if !(1..=most).contains(&self.dimension) || !(1..=256).contains(&self.features) {
            return Some("it has no dimension or features that can be");
        }
        let frequencies = self.frequencies.0.len();
        if frequencies == 0 || !frequencies.is_multiple_of(self.features) || frequencies / self.features > 256 {
            return Some("its frequencies are no whole number of rows");
        }
        if !(self.frequency_scale > 0.0 && self.frequency_scale.is_finite()) || self.seed >= 1 << 53 {
            return Some("its frequencies or seed can't be");
        }
        let Top1 { quantiles, of } = &self.top1;
        let rise = quantiles.windows(2).all(|pair| pair[0] <= pair[1]) && quantiles.iter().all(|x| x.is_finite());
        if quantiles.len() != QUANTILES || !rise || *of == 0 {
            return Some("the distances of first hits don't rise from quantile to quantile");
        }
        if !self.empty.is_share() || !self.far_from_corpus.is_share() {
            return Some("a share has more parts than there are");
        }
        let phi = 2 * (frequencies / self.features);
        self.queries.wrong(self.features, phi).or(self.corpus.wrong(self.features, phi))
    }

    /// How queries are projected before they are compared.
    ///
    /// # Errors
    /// Those of [`check`](Sketch::check).
    pub fn projection(&self) -> Result<Projection> {
        self.check()?;
        Ok(Projection::new(self.dimension, Metric::parse(&self.metric)?, self.features, self.seed))
    }

    fn kernel(&self) -> Kernel<'_> {
        Kernel::new(&self.frequencies.0, self.frequency_scale, self.features)
    }
}

/// Six digits: what samples of some thousands can tell, and short. Through text, so that the number that is written
/// is the number that was meant.
fn rounded(x: f64) -> f64 {
    format!("{x:.5e}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const DIMENSION: usize = 48;

    /// Vectors around some centres; another seed has other centres.
    struct Domain {
        centres: Vec<Vec<f32>>,
        random: SplitMix64,
    }

    impl Domain {
        fn new(seed: u64) -> Self {
            let mut random = SplitMix64::new(seed);
            let centres = (0..12).map(|_| (0..DIMENSION).map(|_| random.normal_f32()).collect()).collect();
            Domain { centres, random }
        }

        fn vector(&mut self) -> Vec<f32> {
            let centre = &self.centres[self.random.below(12) as usize];
            let mut noise = || 0.8 * self.random.normal_f32();
            centre.iter().map(|x| x + noise()).collect()
        }

        fn vectors(&mut self, count: usize) -> Vec<Vec<f32>> {
            (0..count).map(|_| self.vector()).collect()
        }
    }

    /// The cosine of the nearest of the rows.
    fn nearest(query: &[f32], rows: &[Vec<f32>]) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        rows.iter().map(|row| dot(query, row) / (dot(query, query) * dot(row, row)).sqrt()).fold(-1.0, f32::max)
    }

    fn sketch(queries: &[Vec<f32>], rows: &[Vec<f32>]) -> Sketch {
        let projection = Sketch::projection_of(DIMENSION, Metric::Cosine, 42);
        let project = |vectors: &[Vec<f32>]| vectors.iter().map(|v| projection.of(v)).collect::<Vec<_>>();
        let top1: Vec<Option<f32>> = queries.iter().map(|query| Some(nearest(query, rows))).collect();
        Sketch::of(&Reference {
            dimension: DIMENSION,
            metric: Metric::Cosine,
            seed: 42,
            queries: &project(queries),
            top1: &top1,
            corpus: &project(rows),
            from: Origin::Queries,
        })
        .unwrap()
    }

    /// How many of some windows ring.
    fn alarms(sketch: &Sketch, rows: &[Vec<f32>], windows: usize, mut next: impl FnMut() -> Vec<f32>) -> usize {
        let mut watch = Watch::new(sketch).unwrap();
        let rings = |_: &usize| {
            for _ in 0..100 {
                let query = next();
                watch.see(&query, Some(nearest(&query, rows)));
            }
            watch.judge().is_some_and(|findings| findings.drifts(0.01))
        };
        (0..windows).filter(rings).count()
    }

    #[test]
    fn what_is_alike_rings_rarely_and_what_is_not_at_once() {
        let mut domain = Domain::new(1);
        let (rows, queries) = (domain.vectors(800), domain.vectors(600));
        let sketch = sketch(&queries, &rows);
        assert_eq!(sketch.queries.spreads.len(), 32);
        // 1 % is asked for: of 100 windows, more than 4 are a fault.
        let alike = alarms(&sketch, &rows, 100, || domain.vector());
        assert!(alike <= 4, "{alike} of 100 windows");
        let mut other = Domain::new(2);
        assert_eq!(alarms(&sketch, &rows, 10, || other.vector()), 10);
        // Another model: the same texts, other coordinates.
        assert_eq!(alarms(&sketch, &rows, 10, || domain.vector().into_iter().rev().collect()), 10);
        // A part of the topics alone, which lie where they always lay.
        domain.centres.truncate(1);
        domain.centres = vec![domain.centres[0].clone(); 12];
        assert_eq!(alarms(&sketch, &rows, 10, || domain.vector()), 10);
    }

    #[test]
    fn searches_that_find_nothing_ring() {
        let mut domain = Domain::new(1);
        let (rows, queries) = (domain.vectors(200), domain.vectors(200));
        let sketch = sketch(&queries, &rows);
        let mut watch = Watch::new(&sketch).unwrap();
        assert!(watch.judge().is_none());
        for i in 0..100 {
            let query = domain.vector();
            watch.see(&query, (i % 8 > 0).then(|| nearest(&query, &rows)));
        }
        assert_eq!(watch.seen(), 100);
        let findings = watch.judge().unwrap();
        assert_eq!((findings.queries, findings.empty.value), (100, 0.13));
        assert!(findings.empty.p < 1e-6 && findings.mmd.p > 0.01, "{findings:?}");
        assert_eq!(watch.seen(), 0);
    }

    #[test]
    fn it_is_the_same_each_time() {
        let mut domain = Domain::new(1);
        let (rows, queries) = (domain.vectors(300), domain.vectors(100));
        let made = sketch(&queries, &rows);
        assert_eq!(made, sketch(&queries, &rows));
        made.check().unwrap();
    }

    #[test]
    fn what_cant_be_is_refused() {
        let mut domain = Domain::new(1);
        let (rows, queries) = (domain.vectors(100), domain.vectors(100));
        let made = sketch(&queries, &rows);
        let broken: [fn(&mut Sketch); 12] = [
            |s| s.metric = "BM26".into(),
            |s| s.dimension = 0,
            |s| s.features = 0,
            |s| s.frequencies.0.truncate(7),
            |s| s.frequency_scale = f64::NAN,
            |s| s.seed = 1 << 60,
            |s| s.top1.quantiles.reverse(),
            |s| s.top1.quantiles.truncate(3),
            |s| s.empty.of = 0,
            |s| s.corpus.spreads[0] = 0.0,
            |s| s.queries.mean.truncate(3),
            |s| s.queries.null.quantiles.clear(),
        ];
        for (i, spoil) in broken.iter().enumerate() {
            let mut sketch = made.clone();
            spoil(&mut sketch);
            assert_eq!(sketch.check().unwrap_err().code, Code::CorruptFile, "{i}");
            assert!(Watch::new(&sketch).is_err());
        }
        let newer = Sketch { schema_version: 2, ..made };
        assert_eq!(newer.check().unwrap_err().code, Code::UnsupportedVersion);
        let few = Reference {
            dimension: 2,
            metric: Metric::L2,
            seed: 0,
            queries: &[vec![0.0; 64]],
            top1: &[None],
            corpus: &[],
            from: Origin::Rows,
        };
        assert!(Sketch::of(&few).unwrap_err().message.contains("32"));
    }
}
