//! How nodes lie in the file, and how queries are compared with them.

use crate::distance;
use crate::foreign::{Query, Space};
use crate::words::bytes::cast;
use crate::words::{Error, MatrixView, Result};

/// The shape of every node of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) space: Space,
    pub(super) dimension: usize,
    /// Where in a node its children are.
    children: usize,
    /// Where its vector is.
    vector: usize,
    /// Bytes of a node.
    pub(super) bytes: usize,
}

impl Layout {
    /// The shapes that a file of this metric and dimension may have, the commonest first.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if no vector has such a dimension.
    pub(super) fn of(space: Space, dimension: usize) -> Result<Vec<Self>> {
        if dimension == 0 || dimension > MatrixView::MAX_DIMENSION {
            return Err(Error::argument(format!(
                "the dimension is {dimension}; it is 1 to {}",
                MatrixView::MAX_DIMENSION
            )));
        }
        let shapes: &[(usize, usize)] = match space {
            Space::Cosine => &[(4, 12)],
            Space::L2 | Space::L1 => &[(8, 16)],
            Space::Ip => &[(4, 16), (4, 24)],
            // Without a gap before the words up to 1.16.
            Space::Hamming => &[(4, 16), (4, 12)],
        };
        let vector_bytes = if space == Space::Hamming { 8 * dimension.div_ceil(64) } else { 4 * dimension };
        let layout = |&(children, vector)| Layout { space, dimension, children, vector, bytes: vector + vector_bytes };
        Ok(shapes.iter().map(layout).collect())
    }

    /// How many rows a node that lists them has room for.
    pub(super) fn room(&self) -> usize {
        (self.bytes - self.children) / 4
    }

    /// The node of this number. Panics if there is none.
    #[inline]
    pub(super) fn node<'a>(&'a self, file: &'a [u8], number: u32) -> Node<'a> {
        let start = number as usize * self.bytes;
        Node { layout: self, bytes: &file[start..start + self.bytes] }
    }

    /// A query, checked.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR`.
    pub(super) fn probe<'a>(&self, query: Query<'a>) -> Result<Probe<'a>> {
        if self.space == Space::Hamming {
            return Ok(Probe::Bits(words(query.bits(self.dimension)?, self.dimension)));
        }
        let query = query.floats(self.dimension)?;
        Ok(Probe::Floats { space: self.space, query, square: distance::dot(query, query) })
    }
}

/// Bits as 64-bit words, those past the dimension 0.
fn words(bits: &[u8], dimension: usize) -> Vec<u64> {
    let mut words: Vec<u64> = bits
        .chunks(8)
        .map(|bytes| (0..).zip(bytes).fold(0, |word, (i, &byte)| word | u64::from(byte) << (8 * i)))
        .collect();
    if let Some(last) = words.last_mut()
        && !dimension.is_multiple_of(64)
    {
        *last &= (1 << (dimension % 64)) - 1;
    }
    words
}

/// One node in place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    layout: &'a Layout,
    bytes: &'a [u8],
}

impl<'a> Node<'a> {
    #[inline]
    fn i32_at(&self, at: usize) -> i32 {
        let mut number = [0; 4];
        number.copy_from_slice(&self.bytes[at..at + 4]);
        i32::from_le_bytes(number)
    }

    #[inline]
    fn f32_at(&self, at: usize) -> f32 {
        f32::from_bits(self.i32_at(at) as u32)
    }

    /// How many rows it says are below it.
    #[inline]
    pub(super) fn below(&self) -> i32 {
        self.i32_at(0)
    }

    /// The rows it lists; `None` if it has too many and splits them.
    #[inline]
    pub(super) fn list(self) -> Option<impl Iterator<Item = u32> + use<'a>> {
        let below = usize::try_from(self.below()).unwrap_or(0);
        (below <= self.layout.room()).then(|| (0..below).map(move |i| self.i32_at(self.layout.children + 4 * i) as u32))
    }

    /// The two nodes of one that splits.
    #[inline]
    pub(super) fn children(&self) -> [u32; 2] {
        [0, 4].map(|at| self.i32_at(self.layout.children + at) as u32)
    }

    /// The bytes of its vector or plane.
    #[inline]
    pub(super) fn vector(&self) -> &'a [u8] {
        &self.bytes[self.layout.vector..]
    }

    /// The same as floats. Every node starts at a multiple of 4.
    #[inline]
    pub(super) fn floats(&self) -> &'a [f32] {
        cast(self.vector()).unwrap_or_default()
    }

    /// The bit by which a node of bits splits.
    #[inline]
    pub(super) fn split_bit(&self) -> u64 {
        first_word(self.vector())
    }
}

#[inline]
fn first_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

/// A query as it is compared with nodes.
#[derive(Debug)]
pub(super) enum Probe<'a> {
    Floats { space: Space, query: &'a [f32], square: f32 },
    Bits(Vec<u64>),
}

impl Probe<'_> {
    /// The priority of a root.
    pub(super) fn first_key(&self) -> u64 {
        match self {
            Probe::Floats { .. } => ordered(f32::INFINITY),
            Probe::Bits(_) => u64::MAX,
        }
    }

    /// The priorities of a node's two children, given its own.
    #[inline]
    pub(super) fn keys(&self, key: u64, node: &Node<'_>) -> [u64; 2] {
        match self {
            Probe::Floats { space, query, .. } => {
                let margin = distance::dot(node.floats(), query);
                let margin = match space {
                    Space::L2 | Space::L1 => node.f32_at(4) + margin,
                    // Up to 1.17.3 only; later ones leave the plane's last coordinate out.
                    Space::Ip if node.layout.vector == 16 => margin + node.f32_at(12) * node.f32_at(12),
                    _ => margin,
                };
                [-margin, margin].map(|side| if side.is_nan() { key } else { key.min(ordered(side)) })
            }
            Probe::Bits(query) => {
                let bit = node.split_bit();
                let set = query[(bit / 64) as usize] >> (63 - bit % 64) & 1;
                [key - set, key - (1 - set)]
            }
        }
    }

    /// Internal distance of a vector.
    #[inline]
    pub(super) fn distance(&self, node: &Node<'_>) -> f32 {
        match self {
            Probe::Floats { space, query, square } => match space {
                Space::L2 => distance::l2(query, node.floats()),
                Space::L1 => query.iter().zip(node.floats()).map(|(a, b)| (a - b).abs()).sum(),
                Space::Cosine => {
                    // The square of its length; old files have 0 here.
                    let stored = node.f32_at(4);
                    let other = if stored == 0.0 { distance::dot(node.floats(), node.floats()) } else { stored };
                    let squares = square * other;
                    if squares > 0.0 {
                        let product = f64::from(distance::dot(query, node.floats()));
                        (2.0 - 2.0 * product / f64::from(squares.sqrt())) as f32
                    } else {
                        2.0
                    }
                }
                _ => -distance::dot(query, node.floats()),
            },
            Probe::Bits(query) => {
                let others = node.vector().chunks_exact(8).map(first_word);
                query.iter().zip(others).map(|(&a, b)| (a ^ b).count_ones()).sum::<u32>() as f32
            }
        }
    }
}

/// Numbers in the order of the floats.
#[inline]
fn ordered(x: f32) -> u64 {
    // Adding 0 makes -0 the same as 0.
    let bits = (x + 0.0).to_bits();
    u64::from(if bits >> 31 == 1 { !bits } else { bits | 1 << 31 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_their_floats() {
        let sorted = [f32::NEG_INFINITY, -2.5, -1e-30, 0.0, 1e-30, 3.0, f32::INFINITY];
        assert!(sorted.windows(2).all(|pair| ordered(pair[0]) < ordered(pair[1])));
        assert_eq!(ordered(-0.0), ordered(0.0));
    }

    #[test]
    fn bits_past_the_dimension_are_ignored() {
        assert_eq!(words(&[0xFF, 0xFF], 10), [0x3FF]);
        assert_eq!(words(&[1; 8], 64), [0x0101_0101_0101_0101]);
    }
}
