//! How a vector is kept as some bytes.

use crate::foreign::Measure;

/// A way to keep vectors: as they are, as small integers, as numbers of centroids.
pub(super) trait Codec: std::fmt::Debug + Send + Sync {
    /// What Faiss's index factory calls it.
    fn describe(&self) -> String;

    /// Bytes of a code.
    fn code_bytes(&self) -> usize;

    /// What compares codes with a query. It has none before [`Scanner::set_query`].
    fn scanner<'a>(&'a self, file: &'a [u8], measure: Measure) -> Box<dyn Scanner + 'a>;

    /// Whether distances are those of what [`Codec::decode`] gives.
    fn is_compared_decoded(&self) -> bool {
        true
    }

    /// Writes the vector that the code stands for to `out`, as many floats as there are dimensions.
    fn decode(&self, file: &[u8], code: &[u8], out: &mut [f32]);
}

/// Compares one query with codes.
pub(super) trait Scanner {
    /// Takes on a query: one float a dimension.
    fn set_query(&mut self, query: &[f32]);

    /// Internal distance of the query and a code of the codec's length.
    fn distance(&self, code: &[u8]) -> f32;

    /// Those of codes that stand one after the other, at the end of `out`.
    fn distances(&self, codes: &[u8], code_bytes: usize, out: &mut Vec<f32>) {
        out.extend(codes.chunks_exact(code_bytes).map(|code| self.distance(code)));
    }
}
