//! k-means: centroids of which each row has one near it (Lloyd 1957; MacQueen 1967).
//!
//! Distances are Euclidean, which for rows of length 1 orders centroids as the cosine does. They are
//! compared as ‖c‖² / 2 − ⟨x, c⟩, over rows and centroids from which the mean was subtracted, rounded
//! to 16 bits: far from the origin nothing would be left of the differences otherwise. For inner products it is the
//! rows' directions that are parted (spherical k-means, Dhillon and Modha 2001): long rows would have
//! lists of their own, which every query would have to look into.
//!
//! Training looks at a sample only, so that its cost depends on the number of centroids alone, and
//! rows that don't fit into memory can be read twice: once for the sample, once to be assigned. Sums
//! go over a centroid's rows in their order, in 64 bits, so threads don't change a bit of them.

use super::map_range;
use crate::distance::{TILE_STEP, kernels};
use crate::words::MatrixView;
use crate::words::random::SplitMix64;

/// Rows a centroid in a sample.
const SAMPLED_PER_CENTROID: usize = 50;

/// Rounds of assignment and averaging, at most.
const ROUNDS: usize = 10;

/// Rows that are compared at a time with all centroids: so few that they stay in a core's first cache.
const ROWS_AT_ONCE: usize = 32;

/// How far the halves of a split cluster are moved apart, as a part of each coordinate.
const SPLIT: f32 = 1.0 / 1024.0;

/// Trained centroids, ready to be compared with rows.
#[derive(Debug, Clone)]
pub struct Centroids {
    /// Of the rows; zero for directions.
    mean: Vec<f32>,
    /// Whether rows are brought to length 1 first.
    directions: bool,
    /// Less the mean, row after row.
    values: Vec<f32>,
    /// The same in 16 bits, and ‖c‖² / 2 of each of those.
    rounded: Rounded,
    halves: Vec<f64>,
}

/// Rows as integers of 16 bits, each with its own scale. Their products are exact, so that they are
/// the same on every machine, and a register holds twice as many as of floats.
#[derive(Debug, Clone)]
struct Rounded {
    /// Numbers a row, with zeros after the last dimension.
    width: usize,
    /// The largest, so that products of two rows fit 32 bits.
    most: f64,
    values: Vec<i16>,
    scales: Vec<f64>,
}

impl Rounded {
    fn new(dimension: usize, rows: usize) -> Self {
        let width = dimension.next_multiple_of(TILE_STEP);
        let most = (f64::from(i32::MAX) / dimension as f64).sqrt().floor().min(f64::from(i16::MAX));
        Rounded { width, most, values: Vec::with_capacity(rows * width), scales: Vec::with_capacity(rows) }
    }

    fn push(&mut self, row: &[f32]) {
        let largest = f64::from(row.iter().fold(0.0f32, |largest, x| largest.max(x.abs())));
        let steps = if largest > 0.0 { self.most / largest } else { 0.0 };
        let round = |&x: &f32| {
            let steps = f64::from(x) * steps;
            (steps + 0.5f64.copysign(steps)) as i16
        };
        self.values.extend(row.iter().map(round));
        self.scales.push(largest / self.most);
        self.values.resize(self.scales.len() * self.width, 0);
    }

    fn row(&self, i: usize) -> &[i16] {
        &self.values[i * self.width..(i + 1) * self.width]
    }
}

/// What `nearest` finds for each part of `count` rows, from the first number of its first row and
/// how many it has. `done` is told of each part.
fn in_parts(
    count: usize,
    done: &(dyn Fn(usize) + Sync),
    nearest: impl Fn(usize, usize) -> Vec<u32> + Sync + Send,
) -> Vec<u32> {
    let parts = map_range(count.div_ceil(ROWS_AT_ONCE), |part| {
        let first = part * ROWS_AT_ONCE;
        let rows = ROWS_AT_ONCE.min(count - first);
        let nearest = nearest(first, rows);
        done(rows);
        nearest
    });
    parts.concat()
}

/// Rows that training goes over, in all its rounds: for a progress bar.
pub fn training_steps(rows: usize, lists: usize) -> usize {
    if lists > 1 { ROUNDS * sample_size(rows, lists) } else { 0 }
}

/// Rows that so many centroids are trained with.
pub fn sample_size(rows: usize, lists: usize) -> usize {
    rows.min(lists.saturating_mul(SAMPLED_PER_CENTROID))
}

/// Ascending numbers below `of`, `count` of them, each set of them as likely (Knuth's algorithm S).
pub fn choose(count: usize, of: usize, random: &mut SplitMix64) -> Vec<usize> {
    let mut chosen = Vec::with_capacity(count);
    for i in 0..of {
        if (random.below((of - i) as u32) as usize) < count - chosen.len() {
            chosen.push(i);
        }
    }
    chosen
}

impl Centroids {
    /// `lists` centroids of the rows, or of their directions, or as many as there are rows, but one
    /// at least. `done` is told of rows as they are gone over.
    pub fn train(
        rows: MatrixView<'_>,
        lists: usize,
        directions: bool,
        seed: u64,
        done: &(dyn Fn(usize) + Sync),
    ) -> Self {
        let dimension = rows.dimension();
        let lists = lists.min(rows.rows()).max(1);
        let mean = if directions { vec![0.0; dimension] } else { super::rabitq::centroid(rows) };
        let mut centroids = Centroids {
            mean,
            directions,
            values: vec![0.0; dimension],
            rounded: Rounded::new(dimension, 0),
            halves: Vec::new(),
        };
        centroids.measure();
        if lists == 1 {
            return centroids;
        }
        let mut random = SplitMix64::new(seed);
        let sampled = choose(sample_size(rows.rows(), lists), rows.rows(), &mut random);
        let mut sample = Vec::with_capacity(sampled.len() * dimension);
        sampled.iter().for_each(|&row| centroids.centre(rows.row(row), &mut sample));
        centroids.values.clear();
        for first in choose(lists, sampled.len(), &mut random) {
            centroids.values.extend_from_slice(&sample[first * dimension..(first + 1) * dimension]);
        }
        centroids.settle(&sample, done);
        centroids
    }

    /// Centroids that begin as these, moved to where they suit the rows; of all of them.
    pub fn refine(rows: MatrixView<'_>, initial: &[f32]) -> Self {
        let dimension = rows.dimension();
        let mean = super::rabitq::centroid(rows);
        let mut centroids = Centroids {
            values: initial.chunks_exact(dimension).flat_map(|row| row.iter().zip(&mean).map(|(x, m)| x - m)).collect(),
            mean,
            directions: false,
            rounded: Rounded::new(dimension, 0),
            halves: Vec::new(),
        };
        let mut centred = Vec::with_capacity(rows.rows() * dimension);
        rows.iter().for_each(|row| centroids.centre(row, &mut centred));
        centroids.settle(&centred, &|_| ());
        centroids
    }

    /// Moves centroids to the means of the rows that are nearest to them, until that changes nothing.
    fn settle(&mut self, sample: &[f32], done: &(dyn Fn(usize) + Sync)) {
        self.measure();
        let (dimension, count) = (self.mean.len(), sample.len() / self.mean.len());
        let mut rounded = Rounded::new(dimension, count);
        sample.chunks_exact(dimension).for_each(|row| rounded.push(row));
        let mut last = Vec::new();
        for round in 0..ROUNDS {
            let nearest = in_parts(count, done, |first, count| self.nearest_of(&rounded, first, count));
            if nearest == last {
                done((ROUNDS - 1 - round) * count);
                break;
            }
            self.average(sample, &nearest);
            last = nearest;
        }
    }

    /// The centroids, one after the other.
    pub fn vectors(&self) -> Vec<f32> {
        let with_mean = |row: &[f32]| row.iter().zip(&self.mean).map(|(x, m)| x + m).collect::<Vec<f32>>();
        self.values.chunks_exact(self.mean.len()).flat_map(with_mean).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.halves.len()
    }

    /// The number of the nearest centroid of each row; of equally near ones the first.
    pub fn assign(&self, rows: MatrixView<'_>, done: &(dyn Fn(usize) + Sync)) -> Vec<u32> {
        in_parts(rows.rows(), done, |first, count| {
            let mut rounded = Rounded::new(rows.dimension(), count);
            let mut centred = Vec::with_capacity(rows.dimension());
            for row in first..first + count {
                centred.clear();
                self.centre(rows.row(row), &mut centred);
                rounded.push(&centred);
            }
            self.nearest_of(&rounded, 0, count)
        })
    }

    /// Appends a row in the form that is compared.
    fn centre(&self, row: &[f32], out: &mut Vec<f32>) {
        if self.directions {
            let square: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let length = if square > 0.0 { square.sqrt() } else { 1.0 };
            out.extend(row.iter().map(|&x| (f64::from(x) / length) as f32));
        } else {
            out.extend(row.iter().zip(&self.mean).map(|(x, m)| x - m));
        }
    }

    /// The nearest centroid of each of `count` rows from `first` on, which are a part of some that were
    /// centred and rounded.
    fn nearest_of(&self, rows: &Rounded, first: usize, count: usize) -> Vec<u32> {
        const { assert!(ROWS_AT_ONCE.is_multiple_of(4)) };
        let tile = kernels().tile;
        let last = (self.count() - 1, first + count - 1);
        // Where four rows or two centroids aren't left, the last one is compared again.
        let mut best = [(f64::INFINITY, 0u32); ROWS_AT_ONCE];
        for i in (0..self.count()).step_by(2) {
            let pair = [i, (i + 1).min(last.0)];
            let centroids = pair.map(|i| self.rounded.row(i));
            for (four, best) in best[..count.next_multiple_of(4)].as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let at = [0, 1, 2, 3].map(|j| (first + 4 * four + j).min(last.1));
                let products = tile(at.map(|row| rows.row(row)), centroids);
                for ((best, products), row) in best.iter_mut().zip(products).zip(at) {
                    for (product, i) in products.into_iter().zip(pair) {
                        let product = rows.scales[row] * self.rounded.scales[i] * f64::from(product);
                        let score = self.halves[i] - product;
                        if score < best.0 {
                            *best = (score, i as u32);
                        }
                    }
                }
            }
        }
        best[..count].iter().map(|&(_, nearest)| nearest).collect()
    }

    /// Moves each centroid to the mean of its rows. One that has none goes where rows are farthest
    /// from theirs, to share them.
    fn average(&mut self, sample: &[f32], nearest: &[u32]) {
        let dimension = self.mean.len();
        let members = group(nearest, self.count());
        let means = map_range(self.count(), |i| {
            let (mut sums, mut squares) = (vec![0.0f64; dimension], 0.0f64);
            for &row in &members[i] {
                let row = &sample[row as usize * dimension..(row as usize + 1) * dimension];
                for (sum, &x) in sums.iter_mut().zip(row) {
                    *sum += f64::from(x);
                    squares += f64::from(x) * f64::from(x);
                }
            }
            let count = members[i].len().max(1) as f64;
            let spread = squares - sums.iter().map(|sum| sum * sum).sum::<f64>() / count;
            (sums.into_iter().map(|sum| (sum / count) as f32).collect::<Vec<f32>>(), spread)
        });
        self.values = means.iter().flat_map(|(mean, _)| mean).copied().collect();
        let mut spreads: Vec<f64> = means.into_iter().map(|(_, spread)| spread).collect();
        for empty in (0..members.len()).filter(|&i| members[i].is_empty()) {
            let (mut from, mut most) = (empty, 0.0);
            for (i, &spread) in spreads.iter().enumerate() {
                if spread > most {
                    (from, most) = (i, spread);
                }
            }
            for j in 0..dimension {
                let x = self.values[from * dimension + j];
                let shift = x * if j % 2 == 0 { SPLIT } else { -SPLIT };
                self.values[empty * dimension + j] = x + shift;
                self.values[from * dimension + j] = x - shift;
            }
            (spreads[from], spreads[empty]) = (most / 2.0, most / 2.0);
        }
        self.measure();
    }

    fn measure(&mut self) {
        self.rounded.values.clear();
        self.rounded.scales.clear();
        self.values.chunks_exact(self.mean.len()).for_each(|centroid| self.rounded.push(centroid));
        let half = |(i, scale): (usize, &f64)| {
            let square: i64 = self.rounded.row(i).iter().map(|&x| i64::from(x) * i64::from(x)).sum();
            square as f64 * scale * scale / 2.0
        };
        self.halves = self.rounded.scales.iter().enumerate().map(half).collect();
    }
}

/// The rows of each list, ascending.
pub fn group(nearest: &[u32], lists: usize) -> Vec<Vec<u32>> {
    let mut members = vec![Vec::new(); lists];
    for (row, &list) in (0u32..).zip(nearest) {
        members[list as usize].push(row);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn clustered(seed: u64, rows: usize, clusters: u32, dimension: usize, offset: f32) -> (Vec<f32>, Vec<u32>) {
        let mut random = SplitMix64::new(seed);
        let centres: Vec<f32> = (0..clusters as usize * dimension).map(|_| 4.0 * random.normal_f32()).collect();
        let (mut data, mut of) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let centre = random.below(clusters);
            let from = centre as usize * dimension;
            data.extend((from..from + dimension).map(|i| offset + centres[i] + 0.1 * random.normal_f32()));
            of.push(centre);
        }
        (data, of)
    }

    /// Mean squared distance of rows to the centroid that they were given.
    fn distortion(data: &[f32], dimension: usize, nearest: &[u32]) -> f64 {
        let lists = nearest.iter().max().map_or(0, |&most| most as usize + 1);
        let members = group(nearest, lists);
        let mut sum = 0.0;
        for rows in members.iter().filter(|rows| !rows.is_empty()) {
            for j in 0..dimension {
                let of = |row: u32| f64::from(data[row as usize * dimension + j]);
                let mean = rows.iter().map(|&row| of(row)).sum::<f64>() / rows.len() as f64;
                sum += rows.iter().map(|&row| (of(row) - mean).powi(2)).sum::<f64>();
            }
        }
        sum / nearest.len() as f64
    }

    #[test]
    fn clusters_are_found_wherever_they_lie() {
        for offset in [0.0, 1000.0] {
            let (data, of) = clustered(1, 3000, 12, 20, offset);
            let rows = MatrixView::new(&data, 20).unwrap();
            let centroids = Centroids::train(rows, 40, false, 3, &|_| ());
            let nearest = centroids.assign(rows, &|_| ());
            // No list mixes two clusters, and the clusters' own spread is all that is left.
            for members in group(&nearest, 40) {
                assert!(members.iter().all(|&row| of[row as usize] == of[members[0] as usize]), "{offset}");
            }
            assert!(distortion(&data, 20, &nearest) < 0.25, "{offset}: {}", distortion(&data, 20, &nearest));
        }
    }

    #[test]
    fn rounding_holds_numbers_of_any_size() {
        for dimension in [1, 16, 17, 384, 65_536] {
            let mut rounded = Rounded::new(dimension, 2);
            for size in [f32::from_bits(1), 1e-20, 1.0, f32::MAX] {
                let row: Vec<f32> = (0..dimension).map(|i| if i % 2 == 0 { size } else { -size / 3.0 }).collect();
                rounded.push(&row);
                let last = rounded.scales.len() - 1;
                let (values, scale) = (rounded.row(last), rounded.scales[last]);
                for (&x, &value) in row.iter().zip(values) {
                    assert!((f64::from(x) - f64::from(value) * scale).abs() <= 0.5001 * scale, "{x} {value} {scale}");
                }
                let square: i64 = values.iter().map(|&x| i64::from(x) * i64::from(x)).sum();
                assert!(square <= i64::from(i32::MAX), "{dimension}: {square}");
                assert!(values[dimension..].iter().all(|&x| x == 0));
            }
        }
    }

    #[test]
    fn the_nearest_is_the_nearest() {
        let (data, _) = clustered(2, 500, 300, 7, 3.0);
        let rows = MatrixView::new(&data, 7).unwrap();
        let centroids = Centroids::train(rows, 70, false, 4, &|_| ());
        assert_eq!(centroids.count(), 70);
        for (row, nearest) in rows.iter().zip(centroids.assign(rows, &|_| ())) {
            let distance = |i: usize| -> f64 {
                let c = centroids.values[i * 7..].iter().zip(&centroids.mean);
                row.iter().zip(c).map(|(&x, (&c, &m))| (f64::from(x) - f64::from(c) - f64::from(m)).powi(2)).sum()
            };
            let least = (0..70).map(distance).fold(f64::INFINITY, f64::min);
            assert!(distance(nearest as usize) <= least + 1e-4, "{} {least}", distance(nearest as usize));
        }
    }

    #[test]
    fn directions_are_told_apart_whatever_their_lengths() {
        let (mut data, of) = clustered(7, 600, 6, 12, 0.0);
        for (i, row) in data.chunks_exact_mut(12).enumerate() {
            row.iter_mut().for_each(|x| *x *= [0.01, 1.0, 50.0][i % 3]);
        }
        let rows = MatrixView::new(&data, 12).unwrap();
        let nearest = Centroids::train(rows, 18, true, 1, &|_| ()).assign(rows, &|_| ());
        for members in group(&nearest, 18) {
            assert!(members.iter().all(|&row| of[row as usize] == of[members[0] as usize]));
        }
    }

    #[test]
    fn few_equal_and_zero_rows_have_a_list() {
        for (count, lists) in [(0, 5), (1, 5), (3, 5), (500, 5), (500, 499), (500, 1), (500, 0)] {
            for value in [0.0, 2.5] {
                let data = vec![value; count * 3];
                let rows = MatrixView::new(&data, 3).unwrap();
                let centroids = Centroids::train(rows, lists, false, 1, &|_| ());
                assert_eq!(centroids.count(), lists.min(count).max(1));
                let nearest = centroids.assign(rows, &|_| ());
                assert_eq!(nearest.len(), count);
                // Equal rows stay together.
                assert!(nearest.iter().all(|&list| list == nearest[0]), "{count} {lists} {value}");
            }
        }
        // Half of the rows are one row; the others still get centroids.
        let (mut data, _) = clustered(5, 400, 20, 6, 0.0);
        data[..200 * 6].fill(1.0);
        let rows = MatrixView::new(&data, 6).unwrap();
        let nearest = Centroids::train(rows, 20, false, 1, &|_| ()).assign(rows, &|_| ());
        let used = group(&nearest, 20).iter().filter(|members| !members.is_empty()).count();
        assert!(used >= 15, "{used} of 20 lists are used");
    }

    #[test]
    fn threads_change_nothing_and_seeds_do() {
        let (data, _) = clustered(6, 2000, 50, 24, 0.5);
        let rows = MatrixView::new(&data, 24).unwrap();
        let steps = std::sync::atomic::AtomicUsize::new(0);
        let train = |seed| {
            let count = |n| {
                steps.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
            };
            Centroids::train(rows, 30, false, seed, &count).values
        };
        let first = train(1);
        assert_eq!(steps.into_inner(), training_steps(2000, 30));
        assert_ne!(first, Centroids::train(rows, 30, false, 2, &|_| ()).values);
        #[cfg(not(target_arch = "wasm32"))]
        for threads in [1, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| Centroids::train(rows, 30, false, 1, &|_| ()).values), first);
        }
    }

    #[test]
    fn chosen_numbers_ascend_and_are_spread() {
        let mut random = SplitMix64::new(1);
        let mut counts = [0; 10];
        for _ in 0..1000 {
            let chosen = choose(3, 10, &mut random);
            assert!(chosen.len() == 3 && chosen.is_sorted_by(|a, b| a < b));
            chosen.iter().for_each(|&i| counts[i] += 1);
        }
        assert!(counts.iter().all(|count| (240..360).contains(count)), "{counts:?}");
        assert_eq!(choose(4, 4, &mut random), [0, 1, 2, 3]);
    }
}
