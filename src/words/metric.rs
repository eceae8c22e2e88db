//! Metrics, index types and row precisions, under Milvus's names and with their codes in the file.

use super::say::quoted;
use super::{Code, Error, Result};

/// How nearness is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Metric {
    /// Squared Euclidean distance; smaller is nearer.
    L2 = 0,
    /// Inner product; larger is nearer.
    Ip = 1,
    /// Cosine similarity, in −1..=1; larger is nearer. Rows are stored normalised, and a zero
    /// vector has similarity 0 with everything.
    Cosine = 2,
    /// Bits that differ, of vectors of bits; smaller is nearer.
    Hamming = 3,
    /// 1 less the share of the bits of either that both have, of vectors of bits; smaller is nearer.
    /// Two vectors without a bit have distance 1, as in Milvus and Faiss.
    Jaccard = 4,
    /// How well a text fits words; larger is better. Of texts only.
    Bm25 = 5,
}

/// How an index is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum IndexType {
    /// Every row compared exactly.
    Flat = 0,
    /// 1-bit RaBitQ codes of every row scanned in order, the best reranked.
    ScanRabitq = 1,
    /// Hierarchical navigable small world graph.
    Hnsw = 2,
    /// Rows in lists; those of the nearest lists compared as floats.
    IvfFlat = 3,
    /// Rows in lists; those of the nearest lists compared in 8 bits.
    IvfSq8 = 4,
    /// Product-quantized rows in lists; those of the nearest lists scanned, the best reranked.
    IvfPq = 5,
    /// RaBitQ codes in lists; those of the nearest lists scanned, the best reranked.
    IvfRabitq = 6,
    /// A graph over rows of 8 bits.
    HnswSq8 = 7,
    /// Vectors of bits, every one compared.
    BinFlat = 8,
    /// Vectors of bits in lists; those of the nearest lists compared.
    BinIvfFlat = 9,
    /// Posting lists of sparse vectors or texts; the file has no dense vectors.
    SparseInvertedIndex = 10,
}

/// What the rows used for reranking (and for exact search) are stored as; a later one is more precise
/// where numbers are of about one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// 8-bit integers with a scale per row: a quarter of the size.
    Int8,
    /// The upper halves of 32-bit floats: 8 bits of each number, in the range of an f32.
    Bf16,
    /// 16-bit floats: 11 bits of each number, from 2⁻²⁴ to 65,504.
    F16,
    /// 32-bit floats: exact.
    F32,
}

macro_rules! named {
    ($type:ident, $what:literal, $($variant:ident => $name:literal),+ $(,)?) => {
        impl $type {
            /// Every value, in the order of the codes.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The name users write.
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }

            /// Reads a name, in any case.
            pub fn parse(text: &str) -> Result<Self> {
                Self::ALL.iter().copied().find(|v| v.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|v| v.name()).collect();
                    Error::argument(format!(
                        concat!("unknown ", $what, " {}; it is one of {}"), quoted(text), names.join(", ")
                    ))
                })
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named!(Metric, "metric", L2 => "L2", Ip => "IP", Cosine => "COSINE", Hamming => "HAMMING",
    Jaccard => "JACCARD", Bm25 => "BM25");
named!(IndexType, "index type", Flat => "FLAT", ScanRabitq => "SCAN_RABITQ", Hnsw => "HNSW", IvfFlat => "IVF_FLAT",
    IvfSq8 => "IVF_SQ8", IvfPq => "IVF_PQ", IvfRabitq => "IVF_RABITQ", HnswSq8 => "HNSW_SQ8", BinFlat => "BIN_FLAT", BinIvfFlat => "BIN_IVF_FLAT",
    SparseInvertedIndex => "SPARSE_INVERTED_INDEX");
named!(Precision, "precision", Int8 => "int8", Bf16 => "bf16", F16 => "f16", F32 => "f32");

impl Metric {
    /// Those of vectors of floats.
    pub const DENSE: &'static [Metric] = &[Metric::L2, Metric::Ip, Metric::Cosine];

    /// Those of vectors of bits.
    pub const BINARY: &'static [Metric] = &[Metric::Hamming, Metric::Jaccard];

    /// The metric of a code in a file.
    pub fn from_code(code: u8) -> Result<Self> {
        from_code(Self::ALL.iter().copied().find(|&metric| metric as u8 == code), code, "metric")
    }

    /// What callers see for an internal distance. Inside the crate smaller is always nearer: L2 is
    /// the squared distance, HAMMING and JACCARD are as they are, IP, COSINE and BM25 are negated.
    pub fn to_public(self, internal: f32) -> f32 {
        match self {
            Metric::L2 | Metric::Hamming | Metric::Jaccard => internal,
            // 0.0 - x rather than -x: an internal 0 must not come out as -0.
            Metric::Ip | Metric::Cosine | Metric::Bm25 => 0.0 - internal,
        }
    }

    /// Whether callers see smaller distances for what is nearer.
    pub const fn is_distance(self) -> bool {
        matches!(self, Metric::L2 | Metric::Hamming | Metric::Jaccard)
    }

    /// The internal distance of one that a caller named.
    pub fn to_internal(self, public: f32) -> f32 {
        // What turns one into the other turns it back.
        self.to_public(public)
    }
}

impl Precision {
    /// Those of floats, of which a file has one at most.
    pub const FLOATS: &'static [Precision] = &[Precision::Bf16, Precision::F16, Precision::F32];

    /// Bytes of a number.
    pub const fn size(self) -> usize {
        match self {
            Precision::Int8 => 1,
            Precision::Bf16 | Precision::F16 => 2,
            Precision::F32 => 4,
        }
    }
}

impl IndexType {
    /// Those of vectors of floats.
    pub const DENSE: &'static [IndexType] = &[
        IndexType::Flat,
        IndexType::ScanRabitq,
        IndexType::Hnsw,
        IndexType::IvfFlat,
        IndexType::IvfSq8,
        IndexType::IvfPq,
        IndexType::IvfRabitq,
        IndexType::HnswSq8,
    ];

    /// Those of vectors of bits.
    pub const BINARY: &'static [IndexType] = &[IndexType::BinFlat, IndexType::BinIvfFlat];

    /// Whether vectors are of bits.
    pub const fn is_binary(self) -> bool {
        matches!(self, IndexType::BinFlat | IndexType::BinIvfFlat)
    }

    /// Whether rows lie in lists.
    pub const fn has_lists(self) -> bool {
        matches!(
            self,
            IndexType::IvfFlat | IndexType::IvfSq8 | IndexType::IvfPq | IndexType::IvfRabitq | IndexType::BinIvfFlat
        )
    }

    /// Whether rows are coded by RaBitQ, in 1 to 8 bits a dimension.
    pub const fn has_bits(self) -> bool {
        matches!(self, IndexType::ScanRabitq | IndexType::IvfRabitq)
    }

    /// The rows that it can't do without: one of these, the first if nothing else is asked for. Empty
    /// where any rows will do, or none.
    pub const fn needed_precisions(self) -> &'static [Precision] {
        match self {
            IndexType::IvfFlat => &[Precision::F32, Precision::F16, Precision::Bf16],
            IndexType::IvfSq8 | IndexType::HnswSq8 => &[Precision::Int8],
            IndexType::Flat
            | IndexType::ScanRabitq
            | IndexType::Hnsw
            | IndexType::IvfPq
            | IndexType::IvfRabitq
            | IndexType::BinFlat
            | IndexType::BinIvfFlat
            | IndexType::SparseInvertedIndex => &[],
        }
    }

    /// The index type of a code in a file.
    pub fn from_code(code: u8) -> Result<Self> {
        from_code(Self::ALL.iter().copied().find(|&index_type| index_type as u8 == code), code, "index type")
    }
}

fn from_code<T>(found: Option<T>, code: u8, what: &str) -> Result<T> {
    found.ok_or_else(|| {
        Error::new(
            Code::UnsupportedFormat,
            format!("{what} code {code} is not known to this version of elanus; update it, or rebuild the file"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_round_trip() {
        for &m in Metric::ALL {
            assert_eq!(Metric::parse(&m.name().to_lowercase()), Ok(m));
            assert_eq!(Metric::from_code(m as u8), Ok(m));
        }
        for &t in IndexType::ALL {
            assert_eq!(IndexType::parse(t.name()), Ok(t));
            assert_eq!(IndexType::from_code(t as u8), Ok(t));
        }
        assert_eq!(Metric::from_code(9).unwrap_err().code, Code::UnsupportedFormat);
        let error = Metric::parse("cos").unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.contains("L2, IP, COSINE, HAMMING, JACCARD, BM25"), "{error}");
    }

    #[test]
    fn public_distance_has_no_negative_zero() {
        assert!(Metric::Cosine.to_public(0.0).is_sign_positive());
        assert_eq!(Metric::Ip.to_public(-2.5), 2.5);
        assert_eq!(Metric::L2.to_public(2.5), 2.5);
    }
}
