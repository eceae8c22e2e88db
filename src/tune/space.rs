//! What can be tried: index types with their build parameters, each so that it grows with the number of rows, and the
//! settings of searches from cheap to thorough.

use crate::index::BuildParams;
use crate::quantize::{extended, rabitq};
use crate::words::{IndexType, Metric, Precision};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Lists by the root of the number of rows: so the same candidate means alike on a sample and on all.
const LISTS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];

/// Bits a dimension of RaBitQ codes.
const BITS: [u32; 3] = [1, 2, 4];

/// Parts of a product code by the dimension.
const PARTS: [usize; 3] = [8, 4, 2];

const EF_CONSTRUCTION: [usize; 3] = [100, 200, 400];

/// An index that could be built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The type's name.
    pub index_type: String,
    /// What rows are kept as, by name.
    pub rows: Vec<String>,
    /// Lists, by the root of the number of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<f64>,
    /// RaBitQ: bits a dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// IVF_PQ: parts of a vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<usize>,
    /// HNSW: candidates that an insertion keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ef_construction: Option<usize>,
}

/// How an index is searched. What isn't said is left to the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Lists that are looked into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nprobe: Option<usize>,
    /// Candidates that are compared exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerank: Option<usize>,
    /// Candidates that a walk keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ef: Option<usize>,
}

impl Candidate {
    fn new(index_type: IndexType, rows: &[Precision]) -> Self {
        Candidate {
            index_type: index_type.name().into(),
            rows: rows.iter().map(|precision| precision.name().into()).collect(),
            lists: None,
            bits: None,
            m: None,
            ef_construction: None,
        }
    }

    /// The type.
    pub fn index_type(&self) -> IndexType {
        // Names come from here or from a state that was checked.
        IndexType::parse(&self.index_type).unwrap_or(IndexType::Flat)
    }

    /// What rows are kept as.
    pub fn precisions(&self) -> Vec<Precision> {
        self.rows.iter().filter_map(|name| Precision::parse(name).ok()).collect()
    }

    /// How many lists there are of so many rows.
    pub fn nlist(&self, rows: usize) -> Option<usize> {
        self.lists.map(|lists| ((lists * (rows as f64).sqrt()).round() as usize).clamp(1, (rows / 4).max(1)))
    }

    /// What a build of so many rows is told.
    pub fn params(&self, rows: usize, metric: Metric, seed: u64) -> BuildParams {
        let default = BuildParams::default();
        BuildParams {
            metric,
            precisions: self.precisions(),
            nlist: self.nlist(rows),
            bits: self.bits.unwrap_or(default.bits),
            m: self.m,
            ef_construction: self.ef_construction.unwrap_or(default.ef_construction),
            calibration_queries: 0,
            seed,
            ..default
        }
    }

    /// Bytes of a vector in the file, about: to leave out what can't fit before it is built.
    pub fn bytes(&self, dimension: usize, metric: Metric) -> usize {
        let row = |precision: &Precision| match precision {
            Precision::F32 => 4 * dimension,
            Precision::F16 | Precision::Bf16 => 2 * dimension,
            Precision::Int8 => dimension + if metric == Metric::L2 { 8 } else { 4 },
        };
        let rows: usize = self.precisions().iter().map(row).sum();
        let index_type = self.index_type();
        let codes = match (index_type, self.m) {
            (IndexType::IvfPq, Some(m)) => m,
            (kind, _) if kind.has_bits() => {
                let more = self.bits.filter(|&bits| bits > 1).map_or(0, |bits| extended::row_bytes(dimension, bits));
                rabitq::block_bytes(dimension).div_ceil(32) + more
            }
            (IndexType::Hnsw | IndexType::HnswSq8, _) => super::GRAPH_BYTES,
            _ => 0,
        };
        rows + codes
    }

    /// How long a build of so many rows takes, beside others: for the time that is left.
    pub fn effort(&self, rows: usize, dimension: usize) -> f64 {
        let (n, d) = (rows as f64, dimension as f64);
        n * d
            * match self.index_type() {
                IndexType::Hnsw | IndexType::HnswSq8 => {
                    0.15 * self.ef_construction.unwrap_or(200) as f64 * n.max(2.0).log2()
                }
                IndexType::Flat => 1.0,
                IndexType::ScanRabitq => 20.0 + 10.0 * f64::from(self.bits.unwrap_or(1)),
                _ => 40.0 + self.nlist(rows).unwrap_or(1) as f64 * 0.5,
            }
    }

    /// How much longer a search takes in `many` rows than in `few`, apart from what doesn't depend on them.
    pub fn growth(&self, few: usize, many: usize) -> f64 {
        let ratio = many as f64 / few.max(1) as f64;
        match self.index_type() {
            IndexType::Flat | IndexType::ScanRabitq => ratio,
            IndexType::Hnsw | IndexType::HnswSq8 => ratio.powf(0.2),
            // Lists grow with the root, in number as in length, and somewhat more of them are looked into.
            _ => ratio.powf(0.6),
        }
    }

    /// Settings of searches for the `k` nearest, from cheap to thorough: recall rises along each ladder.
    pub fn ladders(&self, rows: usize, k: usize) -> Vec<Vec<Setting>> {
        let none = Setting::default();
        let steps = |from: usize, to: usize| {
            let mut steps = vec![from.min(to)];
            // By a third at a time: finer than recall can be told apart by some hundred queries.
            while let Some(&last) = steps.last().filter(|&&last| last < to) {
                steps.push((last + 1).max(last * 4 / 3).min(to));
            }
            steps
        };
        let has_rows = !self.rows.is_empty();
        match self.index_type() {
            IndexType::Flat => vec![vec![none]],
            IndexType::ScanRabitq if !has_rows => vec![vec![none]],
            IndexType::ScanRabitq => {
                let fixed = steps(k, (rows / 4).max(k)).into_iter().map(|n| Setting { rerank: Some(n), ..none });
                vec![fixed.collect(), vec![none]]
            }
            IndexType::Hnsw | IndexType::HnswSq8 => {
                vec![steps(k, (rows / 4).max(k)).into_iter().map(|n| Setting { ef: Some(n), ..none }).collect()]
            }
            index_type => {
                let coded = matches!(index_type, IndexType::IvfRabitq | IndexType::IvfPq) && has_rows;
                let reranks = if coded { vec![None, Some(3 * k), Some(10 * k), Some(30 * k)] } else { vec![None] };
                let probes = steps(1, self.nlist(rows).unwrap_or(1));
                let ladder = |rerank| {
                    probes.iter().map(|&nprobe| Setting { nprobe: Some(nprobe), rerank, ..none }).collect::<Vec<_>>()
                };
                reranks.into_iter().map(ladder).collect()
            }
        }
    }

    /// Whether it is on every second line of the grid.
    pub fn is_coarse(&self) -> bool {
        self.lists.is_none_or(|lists| LISTS.iter().skip(1).step_by(2).any(|&line| line == lists))
    }

    /// Candidates beside this one, for whoever has found the best of a coarse grid: on its other lines and between.
    pub fn neighbours(&self) -> Vec<Candidate> {
        let mut out = Vec::new();
        if let Some(lists) = self.lists {
            out.extend([0.5, 0.7, 1.4, 2.0].map(|factor| Candidate { lists: Some(lists * factor), ..self.clone() }));
        }
        if let Some(bits) = self.bits {
            let near = [bits.saturating_sub(1), bits + 1].into_iter();
            let near = near.filter(|bits| (1..=extended::MAX_BITS).contains(bits) && !BITS.contains(bits));
            out.extend(near.map(|bits| Candidate { bits: Some(bits), ..self.clone() }));
        }
        if self.rows == [Precision::F32.name()] {
            out.push(Candidate { rows: vec![Precision::F16.name().into()], ..self.clone() });
        }
        out
    }
}

/// All that is tried of an index for so many vectors: a grid as one would lay it by hand.
pub fn grid(dimension: usize) -> Vec<Candidate> {
    let (int8, f32) = (&[Precision::Int8][..], &[Precision::F32][..]);
    let mut grid = vec![Candidate::new(IndexType::Flat, f32), Candidate::new(IndexType::Flat, int8)];
    for bits in BITS {
        for rows in [int8, f32] {
            grid.push(Candidate { bits: Some(bits), ..Candidate::new(IndexType::ScanRabitq, rows) });
        }
    }
    // Codes alone: of one bit for the smallest of budgets, of more for good answers.
    for bits in [1, 4, 6, 8] {
        grid.push(Candidate { bits: Some(bits), ..Candidate::new(IndexType::ScanRabitq, &[]) });
    }
    for lists in LISTS {
        let with = |index_type, rows| Candidate { lists: Some(lists), ..Candidate::new(index_type, rows) };
        for bits in BITS {
            for rows in [int8, f32] {
                grid.push(Candidate { bits: Some(bits), ..with(IndexType::IvfRabitq, rows) });
            }
        }
        grid.extend([with(IndexType::IvfFlat, f32), with(IndexType::IvfSq8, int8)]);
        for part in PARTS {
            grid.push(Candidate { m: Some((dimension / part).max(1)), ..with(IndexType::IvfPq, int8) });
        }
    }
    for ef_construction in EF_CONSTRUCTION {
        for rows in [int8, f32] {
            grid.push(Candidate { ef_construction: Some(ef_construction), ..Candidate::new(IndexType::Hnsw, rows) });
        }
    }
    grid.dedup();
    grid
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.index_type)?;
        if let Some(lists) = self.lists {
            write!(f, ", {lists:.2}·√n lists")?;
        }
        if let Some(bits) = self.bits {
            write!(f, ", {bits} bit")?;
        }
        if let Some(m) = self.m {
            write!(f, ", {m} parts")?;
        }
        if let Some(ef) = self.ef_construction {
            write!(f, ", efConstruction {ef}")?;
        }
        match self.rows.as_slice() {
            [] => write!(f, ", no rows"),
            rows => write!(f, ", rows {}", rows.join("+")),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = [("nprobe", self.nprobe), ("rerank", self.rerank), ("ef", self.ef)];
        let said: Vec<String> = said.iter().filter_map(|(name, n)| n.map(|n| format!("{name} {n}"))).collect();
        f.write_str(if said.is_empty() { "default" } else { "" })?;
        f.write_str(&said.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_grid_has_each_once_and_builds_are_what_they_say() {
        let grid = grid(384);
        for (i, candidate) in grid.iter().enumerate() {
            assert!(!grid[..i].contains(candidate), "{candidate}");
            let params = candidate.params(10_000, Metric::Cosine, 1);
            assert_eq!(params.nlist.is_some(), candidate.index_type().has_lists(), "{candidate}");
            assert!(candidate.bytes(384, Metric::Cosine) > 0 && candidate.effort(1000, 384) > 0.0);
        }
        assert!(grid.len() > 50);
        let names: std::collections::BTreeSet<String> = grid.iter().map(Candidate::to_string).collect();
        assert_eq!(names.len(), grid.len(), "names tell them apart");
    }

    #[test]
    fn ladders_rise() {
        for candidate in grid(64) {
            for ladder in candidate.ladders(5000, 10) {
                assert!(!ladder.is_empty());
                let number = |s: &Setting| s.nprobe.or(s.rerank).or(s.ef);
                assert!(ladder.windows(2).all(|pair| number(&pair[0]) < number(&pair[1])), "{candidate}");
                assert!(ladder.len() < 60, "{} of {candidate}", ladder.len());
            }
        }
    }

    #[test]
    fn a_coarse_grid_and_its_neighbours_have_all_of_the_grid() {
        let all = grid(64);
        let (coarse, rest): (Vec<_>, Vec<_>) = all.iter().partition(|c| c.is_coarse());
        let near: Vec<Candidate> = coarse.iter().flat_map(|c| c.neighbours()).collect();
        assert!(coarse.len() < 2 * all.len() / 3 && near.iter().all(|near| !coarse.contains(&near)));
        assert!(rest.iter().all(|c| near.contains(c)));
        let ivf = all.iter().find(|c| c.index_type() == IndexType::IvfRabitq && c.is_coarse()).unwrap();
        assert_eq!(ivf.neighbours().len(), 4, "0 and 2 bits are none of them; rows are of 8 bits");
    }
}
