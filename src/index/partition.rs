//! Parts rows into lists, and finds the order in which lists and rows lie in the file.
//!
//! Lists that are near each other lie near each other: a query that looks into several of them then
//! reads few runs of bytes.

use super::groups::{GROUPED_FROM, LISTS_PER_GROUP};
use super::lists::MAX_LISTS;
use super::params::BuildParams;
use crate::distance::kernels;
use crate::quantize::kmeans::{self, Centroids};
use crate::quantize::map_range;
use crate::words::random::SplitMix64;
use crate::words::{BitsView, Code, Error, MatrixView, Metric, Result};

/// Without a wish there are so many times the root of the number of rows of them: then comparing a
/// query with centroids costs about as much as looking into the lists.
const LISTS_PER_ROOT: f64 = 1.5;

/// Without a wish a list has at least so many rows on average, or blocks of codes would be half empty.
const LEAST_ROWS: usize = 64;

/// So many centroids are chained one after the other; more are parted first.
const CHAINED_AT_ONCE: usize = 1024;

/// Rows of bits are trained with in floats, 32 times as large: so many floats, at most, unless the
/// lists alone have more.
const SPREAD_AT_ONCE: usize = 1 << 26;

/// Rows of bits that are spread to be assigned to lists.
const ASSIGNED_AT_ONCE: usize = 4096;

/// Rows parted into lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// Rows of each list. Of lists that are made here none is empty, unless there are no rows at all: then
    /// there is one.
    pub sizes: Vec<usize>,
    /// Which row lies where: list after list, ascending in each.
    pub order: Vec<u32>,
    /// How many lists, one behind the other, each group has; nothing if they aren't in groups.
    pub groups: Vec<usize>,
    /// What a query is compared with to choose lists, one after the other: of lists that are made here,
    /// the means of their rows.
    pub centroids: Vec<f32>,
}

/// Rows that [`Partition::of`] goes over: for a progress bar.
pub fn steps(rows: usize, params: &BuildParams) -> usize {
    kmeans::training_steps(rows, wanted(rows, params)) + rows
}

/// The same for [`Partition::of_bits`].
pub fn bits_steps(rows: BitsView<'_>, params: &BuildParams) -> usize {
    let lists = wanted(rows.rows(), params);
    let sampled = bits_sample(rows, lists);
    kmeans::training_steps(sampled, lists.min(sampled)) + rows.rows()
}

/// How many rows of bits are trained with.
fn bits_sample(rows: BitsView<'_>, lists: usize) -> usize {
    kmeans::sample_size(rows.rows(), lists).min((SPREAD_AT_ONCE / rows.dimension()).max(lists))
}

fn wanted(rows: usize, params: &BuildParams) -> usize {
    let default = ((LISTS_PER_ROOT * (rows as f64).sqrt()).round() as usize).min(rows / LEAST_ROWS);
    params.nlist.unwrap_or(default.clamp(1, MAX_LISTS)).min(rows).max(1)
}

/// How many groups so many lists are parted into; 0 for none.
fn wanted_groups(lists: usize, params: &BuildParams) -> usize {
    let default = if lists >= GROUPED_FROM { lists / LISTS_PER_GROUP } else { 0 };
    if params.in_parts { params.ngroups.unwrap_or(default).min(lists) } else { 0 }
}

impl Partition {
    /// The lists of rows in stored form.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if `nlist` is out of range.
    pub fn of(rows: MatrixView<'_>, params: &BuildParams, done: &(dyn Fn(usize) + Sync)) -> Result<Self> {
        check(params)?;
        let directions = params.metric == Metric::Ip;
        let centroids = Centroids::train(rows, wanted(rows.rows(), params), directions, params.seed, done);
        let members = members(&centroids.assign(rows, done), centroids.count());
        Ok(Self::chained(&members, &means(rows.dimension(), &members, |row| rows.row(row).iter().copied()), params))
    }

    /// The lists of rows of bits. They are parted as vectors of 0 and 1, for JACCARD by their directions:
    /// the cosine orders sets of bits nearly as JACCARD does, and as little asks for common zeros.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if `nlist` is out of range.
    pub fn of_bits(rows: BitsView<'_>, params: &BuildParams, done: &(dyn Fn(usize) + Sync)) -> Result<Self> {
        check(params)?;
        let (count, dimension) = (rows.rows(), rows.dimension());
        let lists = wanted(count, params);
        let sampled = bits_sample(rows, lists);
        let mut spread = Vec::with_capacity(sampled * dimension);
        for row in kmeans::choose(sampled, count, &mut SplitMix64::new(params.seed)) {
            BitsView::spread(rows.row(row), 0.0, 1.0, &mut spread);
        }
        let directions = params.metric == Metric::Jaccard;
        let sample = MatrixView::new(&spread, dimension)?;
        let centroids = Centroids::train(sample, lists, directions, params.seed, done);
        let mut nearest = Vec::with_capacity(count);
        // As much at a time as was trained with, at most.
        let at_once = (spread.capacity() / dimension).clamp(1, ASSIGNED_AT_ONCE);
        for first in (0..count).step_by(at_once) {
            spread.clear();
            (first..count.min(first + at_once)).for_each(|row| BitsView::spread(rows.row(row), 0.0, 1.0, &mut spread));
            nearest.extend(centroids.assign(MatrixView::new(&spread, dimension)?, done));
        }
        let members = members(&nearest, centroids.count());
        let means = means(dimension, &members, |row| {
            let bytes = rows.row(row).iter();
            bytes.flat_map(|&byte| (0..8).map(move |bit| f32::from(byte >> bit & 1)))
        });
        Ok(Self::chained(&members, &means, params))
    }

    /// Lists of these members in an order in which each is near the one before.
    fn chained(members: &[Vec<u32>], means: &[f32], params: &BuildParams) -> Self {
        let dimension = means.len() / members.len();
        if members.iter().all(Vec::is_empty) {
            return Partition { sizes: vec![0], order: Vec::new(), groups: Vec::new(), centroids: means.to_vec() };
        }
        let groups = wanted_groups(members.len(), params);
        let parts = if groups > 0 { chained_parts(means, dimension, groups, params.seed) } else { Vec::new() };
        let chain = if groups > 0 { parts.concat() } else { chain(means, dimension, params.seed) };
        Partition {
            groups: parts.iter().map(Vec::len).collect(),
            sizes: chain.iter().map(|&list| members[list].len()).collect(),
            order: chain.iter().flat_map(|&list| &members[list]).copied().collect(),
            centroids: chain.iter().flat_map(|&list| vector(means, list, dimension)).copied().collect(),
        }
    }
}

fn check(params: &BuildParams) -> Result<()> {
    match params.nlist.filter(|nlist| !(1..=MAX_LISTS).contains(nlist)) {
        Some(nlist) => Err(Error::argument(format!("nlist is {nlist}; it must be 1 to {MAX_LISTS}"))),
        None => Ok(()),
    }
}

/// The rows of each list that has some; one list without rows if there are none at all.
fn members(nearest: &[u32], lists: usize) -> Vec<Vec<u32>> {
    let mut members = kmeans::group(nearest, lists);
    members.retain(|members| !members.is_empty());
    if members.is_empty() { vec![Vec::new()] } else { members }
}

impl Partition {
    /// The lists of rows that are parted already, with the means of their rows.
    pub fn with_means(rows: MatrixView<'_>, sizes: Vec<usize>, order: Vec<u32>) -> Self {
        let mut left = &order[..];
        let lists = sizes.iter().map(|&size| {
            let (list, rest) = left.split_at(size);
            left = rest;
            list.to_vec()
        });
        let centroids = means(rows.dimension(), &lists.collect::<Vec<_>>(), |row| rows.row(row).iter().copied());
        Partition { sizes, order, groups: Vec::new(), centroids }
    }

    /// The means of each group's lists, whose centroids these are.
    pub(super) fn means_of_groups(&self, centroids: &[f32], width: usize) -> Vec<f32> {
        let mut first = 0;
        let members: Vec<Vec<u32>> = (self.groups.iter())
            .map(|&lists| {
                first += lists as u32;
                (first - lists as u32..first).collect()
            })
            .collect();
        means(width, &members, |list| vector(centroids, list, width).iter().copied())
    }

    /// Refuses lists that aren't of these rows.
    ///
    /// # Errors
    /// `INVALID_INPUT`.
    pub(super) fn check(&self, rows: MatrixView<'_>) -> Result<()> {
        let refused = |what: String| Err(Error::new(Code::InvalidInput, what));
        let lists = self.sizes.len();
        if !(1..=MAX_LISTS).contains(&lists) {
            return refused(format!("{lists} lists; an .elanus file takes 1 to {MAX_LISTS}"));
        }
        let sum: usize = self.sizes.iter().sum();
        if sum != rows.rows() || self.order.len() != sum || self.centroids.len() != lists * rows.dimension() {
            return refused(format!("lists of {sum} rows can't be kept over {} vectors", rows.rows()));
        }
        match self.centroids.iter().position(|x| !x.is_finite()) {
            Some(at) => refused(format!("the centroid of list {} isn't finite", at / rows.dimension())),
            None => Ok(()),
        }
    }
}

fn vector(data: &[f32], i: usize, dimension: usize) -> &[f32] {
    &data[i * dimension..(i + 1) * dimension]
}

fn means<R: Iterator<Item = f32>>(
    dimension: usize,
    members: &[Vec<u32>],
    row: impl Fn(usize) -> R + Sync + Send,
) -> Vec<f32> {
    let mean = |list: usize| {
        let mut sums = vec![0.0f64; dimension];
        for &member in &members[list] {
            sums.iter_mut().zip(row(member as usize)).for_each(|(sum, x)| *sum += f64::from(x));
        }
        let count = members[list].len().max(1) as f64;
        sums.into_iter().map(|sum| (sum / count) as f32).collect::<Vec<_>>()
    };
    map_range(members.len(), mean).concat()
}

/// An order of the centroids in which each is followed by the nearest that is left.
fn chain(centroids: &[f32], dimension: usize, seed: u64) -> Vec<usize> {
    let count = centroids.len() / dimension;
    let all: Vec<usize> = (0..count).collect();
    if count <= CHAINED_AT_ONCE {
        return greedy(centroids, dimension, all, None);
    }
    // All pairs of many would take too long.
    chained_parts(centroids, dimension, (count as f64).sqrt() as usize, seed).concat()
}

/// Parts of the centroids, at most so many, of which each lies near the one before, and its first member near the last of
/// that one.
fn chained_parts(centroids: &[f32], dimension: usize, parts: usize, seed: u64) -> Vec<Vec<usize>> {
    let count = centroids.len() / dimension;
    let Ok(rows) = MatrixView::new(centroids, dimension) else { return vec![(0..count).collect()] };
    let parts = Centroids::train(rows, parts, false, seed, &|_| ());
    let mut members = kmeans::group(&parts.assign(rows, &|_| ()), parts.count());
    members.retain(|members| !members.is_empty());
    let mut chained: Vec<Vec<usize>> = Vec::with_capacity(members.len());
    let means = means(dimension, &members, |row| rows.row(row).iter().copied());
    for part in chain(&means, dimension, seed) {
        let members = members[part].iter().map(|&row| row as usize).collect();
        let last = chained.last().and_then(|part| part.last()).copied();
        chained.push(greedy(centroids, dimension, members, last));
    }
    chained
}

fn greedy(centroids: &[f32], dimension: usize, mut left: Vec<usize>, last: Option<usize>) -> Vec<usize> {
    let l2 = kernels().l2;
    let mut chained = Vec::with_capacity(left.len());
    let mut last = last;
    while !left.is_empty() {
        let at = match last {
            None => 0,
            Some(last) => {
                let last = vector(centroids, last, dimension);
                let (mut at, mut least) = (0, f32::INFINITY);
                for (i, &centroid) in left.iter().enumerate() {
                    let distance = l2(last, vector(centroids, centroid, dimension));
                    if distance < least {
                        (at, least) = (i, distance);
                    }
                }
                at
            }
        };
        let next = left.remove(at);
        chained.push(next);
        last = Some(next);
    }
    chained
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::random::SplitMix64;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn params(metric: Metric, nlist: Option<usize>) -> BuildParams {
        BuildParams { metric, nlist, seed: 3, ..BuildParams::default() }
    }

    #[test]
    fn every_row_is_in_one_list() {
        let mut random = SplitMix64::new(1);
        for (count, nlist, lists) in
            [(0, None, 1), (1, Some(9), 1), (20, None, 1), (3000, None, 47), (3000, Some(70), 70), (5, Some(5), 5)]
        {
            let data: Vec<f32> = (0..count * 6).map(|_| random.normal_f32()).collect();
            let rows = MatrixView::new(&data, 6).unwrap();
            for &metric in Metric::DENSE {
                let params = params(metric, nlist);
                let told = std::sync::atomic::AtomicUsize::new(0);
                let done = |n| {
                    told.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
                };
                let partition = Partition::of(rows, &params, &done).unwrap();
                assert_eq!(told.into_inner(), steps(count, &params));
                assert!((lists * 9 / 10..=lists).contains(&partition.sizes.len()), "{:?}", partition.sizes);
                let mut seen = partition.order.clone();
                seen.sort_unstable();
                assert_eq!(seen, (0..count as u32).collect::<Vec<_>>());
                let mut first = 0;
                for (size, centroid) in partition.sizes.iter().zip(partition.centroids.chunks_exact(6)) {
                    let members = &partition.order[first..first + size];
                    first += size;
                    assert!(members.is_sorted());
                    let mean = members.iter().map(|&row| rows.row(row as usize)[0]).sum::<f32>() / *size.max(&1) as f32;
                    assert!((mean - centroid[0]).abs() < 1e-4);
                }
            }
        }
        let rows = MatrixView::new(&[1.0], 1).unwrap();
        for nlist in [0, MAX_LISTS + 1] {
            assert!(Partition::of(rows, &params(Metric::L2, Some(nlist)), &|_| ()).is_err());
        }
    }

    #[test]
    fn lists_that_follow_each_other_are_near() {
        let mut random = SplitMix64::new(2);
        for count in [300, 3000] {
            let data: Vec<f32> = (0..count * 2).map(|_| random.unit_f32()).collect();
            let chain = chain(&data, 2, 1);
            let mut sorted = chain.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..count).collect::<Vec<_>>());
            let step = |a: usize, b: usize| (kernels().l2)(vector(&data, a, 2), vector(&data, b, 2)).sqrt();
            let chained: f32 = chain.windows(2).map(|pair| step(pair[0], pair[1])).sum();
            let given: f32 = (1..count).map(|i| step(i - 1, i)).sum();
            assert!(chained < given / 5.0, "{count}: {chained} of {given}");
        }
    }
}
