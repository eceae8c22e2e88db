//! What a search in parts needs before anything else, in few bytes: centroids in 8 bits, and by what the lists are
//! checked that it then fetches. **Section 0**, in place of the section of centroids:
//!
//! ```text
//! f32 × dimension      m, the mean of all rows
//! f32 × lists          scales
//! f32 × lists          t
//! i8 × lists · d       codes
//! u64 × lists          XXH64 of each list's bundle
//! f32 × dimension      c of the 8-bit rows; zeros if the file has none
//! ```
//!
//! A list's u is scale · code. Codes of rows are of what they have past the centroid that this u points to, so nothing is
//! lost by the rounding but that a centroid isn't quite the mean of its rows.

use crate::quantize::rabitq::Shift;
use crate::quantize::rotation::Rotation;
use crate::words::bytes::as_bytes;
use crate::words::{AlignedBuffer, Blob, Error, Result};
use std::ops::Range;

/// The largest code.
const MOST: f32 = 127.0;

/// Where things lie in the section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    dimension: usize,
    padded: usize,
    lists: usize,
}

impl Places {
    /// Of a file of so many lists.
    pub fn new(dimension: usize, lists: usize) -> Self {
        Places { dimension, padded: crate::quantize::rotation::padded(dimension), lists }
    }

    /// The checksums of bundles.
    pub fn sums(&self) -> Range<usize> {
        let start = 4 * self.dimension + 8 * self.lists + self.lists * self.padded;
        start..start + 8 * self.lists
    }

    /// What 8-bit rows are relative to.
    pub fn mean_i8(&self) -> Range<usize> {
        let start = self.sums().end;
        start..start + 4 * self.dimension
    }

    /// Refuses a section of another length.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn check(&self, section: &[u8]) -> Result<()> {
        // Dimension and lists were checked: each has fewer than 32 bits.
        let per_list = (self.padded + 16) as u64;
        let expected = 8 * self.dimension as u64 + self.lists as u64 * per_list;
        if section.len() as u64 != expected {
            return Err(Error::corrupt(format!(
                "the coarse centroids of {} lists of {} dimensions should have {expected} bytes, but have {}; the file \
                 is damaged",
                self.lists,
                self.dimension,
                section.len()
            )));
        }
        Ok(())
    }
}

/// Shifts of lists after rounding.
#[derive(Debug)]
pub(super) struct Rounded {
    /// What they then are.
    pub shifts: Vec<Shift>,
    /// The centroids that they point to, of the padded dimension.
    pub centroids: Vec<f32>,
    scales: Vec<f32>,
    codes: Vec<i8>,
}

/// Rounds the shifts of lists.
pub(super) fn round(shifts: Vec<Shift>, mean: &[f32], rotation: &Rotation) -> Rounded {
    let (mut scales, mut codes) = (Vec::with_capacity(shifts.len()), Vec::new());
    let (mut rounded, mut centroids) = (Vec::with_capacity(shifts.len()), Vec::new());
    for shift in shifts {
        let scale = shift.rotated.iter().fold(0.0f32, |most, x| most.max(x.abs())) / MOST;
        let code = |&x: &f32| if scale > 0.0 { (x / scale).round().clamp(-MOST, MOST) as i8 } else { 0 };
        let first = codes.len();
        codes.extend(shift.rotated.iter().map(code));
        let (shift, centroid) = Shift::to(decode(scale, &codes[first..]).collect(), mean, rotation);
        scales.push(scale);
        rounded.push(shift);
        centroids.extend(centroid);
    }
    Rounded { shifts: rounded, centroids, scales, codes }
}

impl Rounded {
    /// Scales, t and codes of some of the lists.
    pub fn shifts_of(&self, lists: Range<usize>) -> Vec<u8> {
        let padded = self.codes.len() / self.scales.len().max(1);
        let products: Vec<f32> = self.shifts[lists.clone()].iter().map(|shift| shift.product).collect();
        let mut out = [as_bytes(&self.scales[lists.clone()]), as_bytes(&products)].concat();
        out.extend(self.codes[lists.start * padded..lists.end * padded].iter().map(|&code| code as u8));
        out
    }

    /// The section, in which all that comes after the codes is still zero.
    pub fn section(&self, mean: &[f32]) -> Vec<u8> {
        let mut section = as_bytes(mean).to_vec();
        section.extend(self.shifts_of(0..self.scales.len()));
        section.resize(Places::new(mean.len(), self.scales.len()).mean_i8().end, 0);
        section
    }
}

/// The centroids of a section, as the section `centroids` would have them.
///
/// # Errors
/// `CORRUPT_FILE` if it isn't of so many lists; `OUT_OF_MEMORY`.
pub(super) fn centroids(section: &Blob, dimension: usize, lists: usize) -> Result<Blob> {
    Places::new(dimension, lists).check(section)?;
    centroids_of(section, dimension, lists)
}

/// The same of a section that begins with so many lists.
pub(super) fn centroids_of(section: &[u8], dimension: usize, lists: usize) -> Result<Blob> {
    let padded = crate::quantize::rotation::padded(dimension);
    let (mean, rest) = section.split_at(4 * dimension);
    let mut buffer = AlignedBuffer::zeroed(4 * (dimension + lists * (padded + 1)))?;
    let (first, others) = buffer.as_mut_slice().split_at_mut(4 * dimension);
    let (rotated, products) = others.split_at_mut(4 * lists * padded);
    first.copy_from_slice(mean);
    decode_shifts(&rest[..lists * (8 + padded)], padded, rotated, products);
    Ok(buffer.into())
}

/// Scales, t and codes of lists as u and t in floats.
pub(super) fn decode_shifts(shifts: &[u8], padded: usize, rotated: &mut [u8], products: &mut [u8]) {
    let (scales, rest) = shifts.split_at(products.len());
    let (own, codes) = rest.split_at(products.len());
    products.copy_from_slice(own);
    let of_lists = scales.as_chunks().0.iter().zip(codes.chunks_exact(padded));
    let numbers = of_lists.flat_map(|(&scale, codes)| {
        let scale = f32::from_le_bytes(scale);
        codes.iter().map(move |&code| scale * f32::from(code as i8))
    });
    rotated.as_chunks_mut().0.iter_mut().zip(numbers).for_each(|(place, x)| *place = x.to_le_bytes());
}

fn decode(scale: f32, codes: &[i8]) -> impl Iterator<Item = f32> + '_ {
    codes.iter().map(move |&code| scale * f32::from(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::rotation::draw_signs;
    use crate::words::Code;
    use crate::words::random::SplitMix64;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_is_rounded_is_read_to_the_bit() {
        let mut random = SplitMix64::new(5);
        for dimension in [1, 7, 24, 100] {
            let mut draw = |count: usize| (0..count).map(|_| random.normal_f32()).collect::<Vec<_>>();
            let mean = draw(dimension);
            let rotation = Rotation::new(&draw_signs(dimension, 3), dimension).unwrap();
            let given: Vec<Vec<f32>> =
                (0..9).map(|list| if list == 4 { mean.clone() } else { draw(dimension) }).collect();
            let shifts: Vec<Shift> = given.iter().map(|centroid| Shift::new(&mean, centroid, &rotation)).collect();
            let all = round(shifts.clone(), &mean, &rotation);
            let section = all.section(&mean);
            let Rounded { shifts: rounded, centroids: near, .. } = all;
            let read = centroids(&Blob::copy_of(&section).unwrap(), dimension, 9).unwrap();
            let rotated = rounded.iter().flat_map(|shift| &shift.rotated);
            let expected: Vec<f32> =
                mean.iter().chain(rotated).chain(rounded.iter().map(|shift| &shift.product)).copied().collect();
            assert_eq!(&read[..], as_bytes(&expected), "{dimension}");
            for (list, (a, b)) in shifts.iter().zip(&rounded).enumerate() {
                let most = a.rotated.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                for (x, y) in a.rotated.iter().zip(&b.rotated) {
                    assert!((x - y).abs() <= most / MOST * 0.51, "{dimension}: {y} for {x}");
                }
                let near = &near[list * rotation.padded()..][..dimension];
                let off = near.iter().zip(&given[list]).map(|(x, y)| (x - y).powi(2)).sum::<f32>().sqrt();
                assert!(off <= most / MOST * (rotation.padded() as f32).sqrt(), "{dimension}: {off}");
            }
            let longer = [&section[..], &[0]].concat();
            for wrong in [&section[..section.len() - 1], &longer] {
                let error = centroids(&Blob::copy_of(wrong).unwrap(), dimension, 9).unwrap_err();
                assert_eq!(error.code, Code::CorruptFile);
            }
        }
    }
}
