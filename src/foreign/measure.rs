//! The distances of other libraries.

use crate::distance;
use crate::words::Metric;

/// How another library measures nearness. Internal distances are smaller for what is nearer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// Squared Euclidean distance.
    L2,
    /// Inner product; larger is nearer.
    Ip,
    /// Sum of absolute differences.
    L1,
    /// Largest absolute difference.
    Linf,
    /// Sum of absolute differences to the power of this.
    Lp(f32),
    /// Sum of `|a − b| / (|a| + |b|)`.
    Canberra,
    /// `Σ|a − b| / Σ|a + b|`.
    BrayCurtis,
    /// Jensen-Shannon divergence of two distributions.
    JensenShannon,
    /// `Σ min(a, b) / Σ max(a, b)`; larger is nearer.
    Jaccard,
    /// Squared Euclidean distance over the places where neither is NaN, scaled to all of them.
    NanEuclidean,
    /// Gower's distance: numbers in 0..=1, categories as negative integers.
    Gower,
    /// Number of bits that differ.
    Hamming,
    /// One minus the inner product; the smaller is nearer.
    IpDistance,
    /// The inner product with its sign changed; the smaller is nearer.
    NegativeIp,
    /// One minus the cosine; the smaller is nearer.
    CosineDistance,
    /// One minus `Σ min(a, b) / Σ max(a, b)`: of sets, one minus the share that both have.
    JaccardDistance,
    /// One minus `2 · Σ min(a, b) / Σ (a + b)`.
    SorensenDistance,
    /// Euclidean distance, the root of [`Measure::L2`].
    Euclidean,
    /// The distance of the two vectors brought to length 1: the root of 2 − 2 · cosine.
    Angular,
}

impl Measure {
    /// The name that users see.
    pub const fn name(self) -> &'static str {
        match self {
            Measure::L2 => "L2",
            Measure::Ip => "IP",
            Measure::L1 => "L1",
            Measure::Linf => "LINF",
            Measure::Lp(_) => "LP",
            Measure::Canberra => "CANBERRA",
            Measure::BrayCurtis => "BRAY_CURTIS",
            Measure::JensenShannon => "JENSEN_SHANNON",
            Measure::Jaccard => "JACCARD",
            Measure::NanEuclidean => "NAN_EUCLIDEAN",
            Measure::Gower => "GOWER",
            Measure::Hamming => "HAMMING",
            Measure::IpDistance => "IP_DISTANCE",
            Measure::NegativeIp => "NEGATIVE_IP",
            Measure::CosineDistance => "COSINE_DISTANCE",
            Measure::JaccardDistance => "JACCARD_DISTANCE",
            Measure::SorensenDistance => "SORENSEN_DISTANCE",
            Measure::Euclidean => "EUCLIDEAN",
            Measure::Angular => "ANGULAR",
        }
    }

    /// The metric of an `.elanus` file that puts rows in the same order, though its distances may be
    /// other ones: squared, or products without the 1 before them.
    pub const fn metric(self) -> Option<Metric> {
        match self {
            Measure::L2 | Measure::Euclidean => Some(Metric::L2),
            Measure::Ip | Measure::IpDistance | Measure::NegativeIp => Some(Metric::Ip),
            Measure::CosineDistance | Measure::Angular => Some(Metric::Cosine),
            _ => None,
        }
    }

    /// Whether the library's own distance is larger for what is nearer.
    pub const fn larger_is_nearer(self) -> bool {
        matches!(self, Measure::Ip | Measure::Jaccard)
    }

    /// What the library answers for an internal distance.
    pub fn to_public(self, internal: f32) -> f32 {
        match self {
            // 0.0 - x rather than -x: an internal 0 must not come out as -0.
            Measure::Ip | Measure::Jaccard => 0.0 - internal,
            // Inside they are squares, which rounding may take below 0.
            Measure::Euclidean | Measure::Angular => internal.max(0.0).sqrt(),
            _ => internal,
        }
    }

    /// Internal distance of two vectors of floats of one length. Hamming is for bits.
    #[inline]
    pub fn between(self, a: &[f32], b: &[f32]) -> f32 {
        let pairs = || a.iter().zip(b).map(|(&a, &b)| (a, b));
        match self {
            Measure::L2 | Measure::Euclidean => distance::l2(a, b),
            Measure::Ip | Measure::NegativeIp => -distance::dot(a, b),
            Measure::IpDistance => 1.0 - distance::dot(a, b),
            Measure::CosineDistance => 1.0 - cosine(a, b),
            Measure::Angular => 2.0 - 2.0 * cosine(a, b),
            Measure::L1 => pairs().map(|(a, b)| (a - b).abs()).sum(),
            Measure::Linf => pairs().map(|(a, b)| (a - b).abs()).fold(0.0, f32::max),
            Measure::Lp(p) => pairs().map(|(a, b)| (a - b).abs().powf(p)).sum(),
            Measure::Canberra => pairs().map(|(a, b)| (a - b).abs() / (a.abs() + b.abs())).sum(),
            Measure::BrayCurtis => {
                let (apart, together) =
                    pairs().fold((0.0, 0.0), |(d, s), (a, b)| (d + (a - b).abs(), s + (a + b).abs()));
                apart / together
            }
            Measure::JensenShannon => {
                let part = |x: f32, m: f32| -x * (m / x).ln();
                0.5 * pairs().map(|(a, b)| part(a, 0.5 * (a + b)) + part(b, 0.5 * (a + b))).sum::<f32>()
            }
            Measure::Jaccard => -shared(a, b),
            Measure::JaccardDistance => 1.0 - shared(a, b),
            Measure::SorensenDistance => {
                let (least, all) = pairs().fold((0.0, 0.0), |(l, s), (a, b)| (l + a.min(b), s + a + b));
                1.0 - 2.0 * least / all
            }
            Measure::NanEuclidean => nan_euclidean(a, b),
            Measure::Gower => gower(a, b),
            Measure::Hamming => pairs().filter(|(a, b)| a != b).count() as f32,
        }
    }
}

/// The share of what either has that both have.
fn shared(a: &[f32], b: &[f32]) -> f32 {
    let (least, most) = a.iter().zip(b).fold((0.0, 0.0), |(l, m), (&a, &b)| (l + a.min(b), m + a.max(b)));
    least / most
}

/// 0 if one of the vectors is zero.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let lengths = distance::dot(a, a) * distance::dot(b, b);
    if lengths > 0.0 { distance::dot(a, b) / lengths.sqrt() } else { 0.0 }
}

fn nan_euclidean(a: &[f32], b: &[f32]) -> f32 {
    let both = a.iter().zip(b).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (sum, present) = both.fold((0.0, 0usize), |(sum, n), (a, b)| (sum + (a - b) * (a - b), n + 1));
    if present == 0 { f32::NAN } else { a.len() as f32 / present as f32 * sum }
}

/// Places where one vector holds a number and the other a category make the distance NaN; places
/// with a NaN don't count.
fn gower(a: &[f32], b: &[f32]) -> f32 {
    let (mut sum, mut counted) = (0.0, 0usize);
    for (&a, &b) in a.iter().zip(b) {
        if a.is_nan() || b.is_nan() {
            continue;
        }
        sum += match (a >= 0.0, b >= 0.0) {
            (true, true) => (a - b).abs(),
            (false, false) => f32::from(a != b),
            _ => return f32::NAN,
        };
        counted += 1;
    }
    if counted == 0 { f32::NAN } else { sum / counted as f32 }
}
