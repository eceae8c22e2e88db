//! Parts rows into lists, and finds the order in which lists and rows lie in the file.
//!
//! Lists that are near each other lie near each other: a query that looks into several of them then
//! reads few runs of bytes.

use super::lists::MAX_LISTS;
use super::params::BuildParams;
use crate::distance::kernels;
use crate::quantize::kmeans::{self, Centroids};
use crate::quantize::map_range;
use crate::words::{Error, MatrixView, Metric, Result};

/// Without a wish there are so many times the root of the number of rows of them: then comparing a
/// query with centroids costs about as much as looking into the lists.
const LISTS_PER_ROOT: f64 = 1.5;

/// Without a wish a list has at least so many rows on average, or blocks of codes would be half empty.
const LEAST_ROWS: usize = 64;

/// So many centroids are chained one after the other; more are parted first.
const CHAINED_AT_ONCE: usize = 1024;

/// Rows parted into lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// Rows of each list. None is empty, unless there are no rows at all: then there is one.
    pub sizes: Vec<usize>,
    /// Which row lies where: list after list, ascending in each.
    pub order: Vec<u32>,
    /// The mean of each list's rows, one after the other.
    pub centroids: Vec<f32>,
}

/// Rows that [`Partition::of`] goes over: for a progress bar.
pub fn steps(rows: usize, params: &BuildParams) -> usize {
    kmeans::training_steps(rows, wanted(rows, params)) + rows
}

fn wanted(rows: usize, params: &BuildParams) -> usize {
    let default = ((LISTS_PER_ROOT * (rows as f64).sqrt()).round() as usize).min(rows / LEAST_ROWS);
    params.nlist.unwrap_or(default.clamp(1, MAX_LISTS)).min(rows).max(1)
}

impl Partition {
    /// The lists of rows in stored form.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if `nlist` is out of range.
    pub fn of(rows: MatrixView<'_>, params: &BuildParams, done: &(dyn Fn(usize) + Sync)) -> Result<Self> {
        if let Some(nlist) = params.nlist.filter(|nlist| !(1..=MAX_LISTS).contains(nlist)) {
            return Err(Error::argument(format!("nlist is {nlist}; it must be 1 to {MAX_LISTS}")));
        }
        let directions = params.metric == Metric::Ip;
        let centroids = Centroids::train(rows, wanted(rows.rows(), params), directions, params.seed, done);
        let nearest = centroids.assign(rows, done);
        let mut members = kmeans::group(&nearest, centroids.count());
        members.retain(|members| !members.is_empty());
        let means = means(rows, &members);
        let chain = chain(&means, rows.dimension(), params.seed);
        if chain.is_empty() {
            return Ok(Partition { sizes: vec![0], order: Vec::new(), centroids: vec![0.0; rows.dimension()] });
        }
        Ok(Partition {
            sizes: chain.iter().map(|&list| members[list].len()).collect(),
            order: chain.iter().flat_map(|&list| &members[list]).copied().collect(),
            centroids: chain.iter().flat_map(|&list| vector(&means, list, rows.dimension())).copied().collect(),
        })
    }
}

fn vector(data: &[f32], i: usize, dimension: usize) -> &[f32] {
    &data[i * dimension..(i + 1) * dimension]
}

fn means(rows: MatrixView<'_>, members: &[Vec<u32>]) -> Vec<f32> {
    let mean = |list: usize| {
        let mut sums = vec![0.0f64; rows.dimension()];
        for &row in &members[list] {
            sums.iter_mut().zip(rows.row(row as usize)).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        let count = members[list].len() as f64;
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
    // All pairs of many would take too long: parts of them are chained, and the members of each
    // begin with the one that is nearest to the last of the part before.
    let Ok(rows) = MatrixView::new(centroids, dimension) else { return all };
    let parts = Centroids::train(rows, (count as f64).sqrt() as usize, false, seed, &|_| ());
    let mut members = kmeans::group(&parts.assign(rows, &|_| ()), parts.count());
    members.retain(|members| !members.is_empty());
    let mut chained: Vec<usize> = Vec::with_capacity(count);
    for part in chain(&means(rows, &members), dimension, seed) {
        let members = members[part].iter().map(|&row| row as usize).collect();
        let next = greedy(centroids, dimension, members, chained.last().copied());
        chained.extend(next);
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
