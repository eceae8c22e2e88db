//! A borrowed row-major matrix of f32.

use super::{Code, Error, Result};

/// `rows × dimension` floats, row after row.
#[derive(Debug, Clone, Copy)]
pub struct MatrixView<'a> {
    data: &'a [f32],
    dimension: usize,
}

impl<'a> MatrixView<'a> {
    /// The largest dimension that an index takes.
    pub const MAX_DIMENSION: usize = 32_768;

    /// A view of `data` as rows of `dimension` floats.
    ///
    /// # Errors
    /// `INVALID_INPUT` if the dimension is 0 or above [`Self::MAX_DIMENSION`], or doesn't divide
    /// the data.
    pub fn new(data: &'a [f32], dimension: usize) -> Result<Self> {
        if dimension == 0 || dimension > Self::MAX_DIMENSION {
            return Err(Error::new(
                Code::InvalidInput,
                format!("a vector has 1 to {} dimensions, not {dimension}", Self::MAX_DIMENSION),
            ));
        }
        if !data.len().is_multiple_of(dimension) {
            return Err(Error::new(
                Code::InvalidInput,
                format!(
                    "{} floats are no whole number of rows of {dimension} dimensions; the last row is ragged",
                    data.len()
                ),
            ));
        }
        Ok(MatrixView { data, dimension })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.data.len() / self.dimension
    }

    /// Floats in a row.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Row `i`. Panics if there is no such row.
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.data[i * self.dimension..(i + 1) * self.dimension]
    }

    /// Rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [f32]> + use<'a> {
        self.data.chunks_exact(self.dimension)
    }

    /// All floats.
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// The first place that holds NaN or an infinity, as (row, column).
    pub fn first_non_finite(&self) -> Option<(usize, usize)> {
        let at = self.data.iter().position(|x| !x.is_finite())?;
        Some((at / self.dimension, at % self.dimension))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_where_they_should_be() {
        let m = MatrixView::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3).unwrap();
        assert_eq!((m.rows(), m.row(1)), (2, &[4.0, 5.0, 6.0][..]));
        assert_eq!(m.iter().len(), 2);
        assert_eq!(m.first_non_finite(), None);
        let m = MatrixView::new(&[1.0, 2.0, 3.0, f32::NAN], 2).unwrap();
        assert_eq!(m.first_non_finite(), Some((1, 1)));
    }

    #[test]
    fn ragged_and_empty_shapes_are_refused() {
        assert_eq!(MatrixView::new(&[1.0; 5], 2).unwrap_err().code, Code::InvalidInput);
        assert_eq!(MatrixView::new(&[], 0).unwrap_err().code, Code::InvalidInput);
        assert_eq!(MatrixView::new(&[], 4).unwrap().rows(), 0);
    }
}
