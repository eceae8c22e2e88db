//! A borrowed matrix of bits.

use super::{Code, Error, MatrixView, Result};

/// Vectors of bits, row after row, eight bits a byte. Which bit of a byte is which dimension is up to
/// the caller, as long as queries are packed as rows are: the metrics of bits only count.
#[derive(Debug, Clone, Copy)]
pub struct BitsView<'a> {
    data: &'a [u8],
    dimension: usize,
}

impl<'a> BitsView<'a> {
    /// The most bits of a vector: as many bytes as a vector of floats may have floats, which is also
    /// Milvus's limit.
    pub const MAX_DIMENSION: usize = 8 * MatrixView::MAX_DIMENSION;

    /// A view of `data` as rows of `dimension` bits.
    ///
    /// # Errors
    /// `INVALID_INPUT` if the dimension is no multiple of 8, 0 or above [`Self::MAX_DIMENSION`], or
    /// its bytes don't divide the data.
    pub fn new(data: &'a [u8], dimension: usize) -> Result<Self> {
        if !is_dimension(dimension) {
            return Err(Error::new(
                Code::InvalidInput,
                format!(
                    "a vector of bits has a multiple of 8 of them, 8 to {}, not {dimension}; fill its last byte up with \
                     zeros",
                    Self::MAX_DIMENSION
                ),
            ));
        }
        if !data.len().is_multiple_of(dimension / 8) {
            return Err(Error::new(
                Code::InvalidInput,
                format!(
                    "{} bytes are no whole number of rows of {dimension} bits, 8 a byte; the last row is ragged",
                    data.len()
                ),
            ));
        }
        Ok(BitsView { data, dimension })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.data.len() / self.row_bytes()
    }

    /// Bits in a row.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Bytes in a row.
    pub fn row_bytes(&self) -> usize {
        self.dimension / 8
    }

    /// Row `i`. Panics if there is no such row.
    pub fn row(&self, i: usize) -> &'a [u8] {
        &self.data[i * self.row_bytes()..(i + 1) * self.row_bytes()]
    }

    /// All bytes.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Appends the bits of a row as numbers, those that are set as `one`, the others as `zero`: the
    /// lowest bit of the first byte first.
    pub fn spread<T: Copy>(row: &[u8], zero: T, one: T, out: &mut Vec<T>) {
        out.extend(row.iter().flat_map(|&byte| (0..8).map(move |bit| if byte >> bit & 1 == 1 { one } else { zero })));
    }
}

/// Whether a vector of bits may have so many.
pub fn is_dimension(bits: usize) -> bool {
    bits.is_multiple_of(8) && (8..=BitsView::MAX_DIMENSION).contains(&bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_view_is_all_of_the_data_or_refused(data in prop::collection::vec(any::<u8>(), 0..200), dimension in 0usize..100) {
            let whole = dimension > 0 && dimension % 8 == 0 && data.len() % (dimension / 8) == 0;
            match BitsView::new(&data, dimension) {
                Ok(view) => {
                    prop_assert!(whole);
                    let rows: Vec<u8> = (0..view.rows()).flat_map(|i| view.row(i)).copied().collect();
                    prop_assert_eq!(&rows[..], &data[..]);
                }
                Err(error) => prop_assert!(!whole && error.code == Code::InvalidInput),
            }
        }

        #[test]
        fn spread_bits_are_those_that_are_set(row in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut out = Vec::new();
            BitsView::spread(&row, 0u32, 1, &mut out);
            prop_assert_eq!(out.len(), 8 * row.len());
            for (i, &bit) in out.iter().enumerate() {
                prop_assert_eq!(bit, u32::from(row[i / 8]) / (1 << (i % 8)) % 2);
            }
        }
    }

    #[test]
    fn dimensions_are_whole_bytes_up_to_the_most() {
        assert!(is_dimension(8) && is_dimension(BitsView::MAX_DIMENSION));
        assert!(!is_dimension(0) && !is_dimension(12) && !is_dimension(BitsView::MAX_DIMENSION + 8));
    }
}
