//! Builds a candidate of a sample, and measures its searches.

use super::state::{Measured, State};
use super::task::{Sample, Task};
use crate::failure::Result;
use elanus::index::{Index, Scratch, SearchParams, Sections, Shape, Structure};
use elanus::tune::front::Point;
use elanus::tune::space::{Candidate, Setting};
use elanus::words::{Blob, IndexType};
use std::time::Instant;

/// Each query is timed so often, and the fastest counts: what else the machine does only ever takes longer.
const TIMES: usize = 3;

/// Arrangements that several candidates share.
#[derive(Default)]
pub struct Shared {
    graphs: Vec<(usize, Structure)>,
    lists: Vec<(usize, Structure)>,
}

/// A candidate that was built of a sample, if anything of it had to be measured.
pub struct Trial<'a> {
    task: &'a Task,
    pub sample: &'a Sample<'a>,
    pub candidate: &'a Candidate,
    built: Option<(Index, f64)>,
    build_seconds: f64,
    scratch: Scratch,
}

impl<'a> Trial<'a> {
    pub fn new(task: &'a Task, sample: &'a Sample<'a>, candidate: &'a Candidate) -> Self {
        Trial { task, sample, candidate, built: None, build_seconds: 0.0, scratch: Scratch::default() }
    }

    /// What a setting gives on the first queries, from the state where it is known.
    pub fn measure(
        &mut self,
        setting: Setting,
        queries: usize,
        state: &mut State,
        shared: Option<&mut Shared>,
    ) -> Result<Point> {
        let rows = self.sample.rows();
        if let Some(known) = state.find(self.candidate, rows, queries, &setting) {
            return Ok(known.point);
        }
        if self.built.is_none() {
            let started = Instant::now();
            self.built = Some(build(self.task, self.sample, self.candidate, shared)?);
            self.build_seconds = started.elapsed().as_secs_f64();
        }
        let started = Instant::now();
        let point = self.ask(setting, queries)?;
        let seconds = started.elapsed().as_secs_f64();
        state.keep(Measured {
            candidate: self.candidate.clone(),
            rows,
            queries,
            setting,
            point,
            build_seconds: self.build_seconds,
            seconds,
        })?;
        Ok(point)
    }

    fn ask(&mut self, setting: Setting, queries: usize) -> Result<Point> {
        let Some((index, bytes)) = &self.built else { unreachable!("it is built before it is asked") };
        let (task, k) = (self.task, self.task.k);
        let mut seconds = Vec::with_capacity(queries);
        let mut quality = 0.0;
        for (i, asked) in task.asked[..queries].iter().enumerate() {
            let own = self.sample.own(i);
            let params = SearchParams {
                limit: k + usize::from(own.is_some()),
                ef: setting.ef,
                nprobe: setting.nprobe,
                rerank: setting.rerank.map(|n| n + usize::from(own.is_some())),
                hidden: own,
                ..SearchParams::default()
            };
            let mut fastest = f64::INFINITY;
            let mut hits = Vec::new();
            for _ in 0..TIMES {
                let started = Instant::now();
                hits = index.search(&asked.vector, &params, None, &mut self.scratch)?;
                fastest = fastest.min(started.elapsed().as_secs_f64());
            }
            seconds.push(fastest);
            let found: Vec<u32> =
                hits.iter().map(|hit| index.rows().given(hit.row)).filter(|row| Some(*row) != own).take(k).collect();
            quality += self.sample.quality(i, &found);
        }
        let us = 1e6 * seconds.iter().sum::<f64>() / queries as f64;
        seconds.sort_by(f64::total_cmp);
        let p95 = seconds[((0.95 * queries as f64).ceil() as usize).clamp(1, queries) - 1];
        Ok(Point { quality: quality / queries as f64, us, p95_us: 1e6 * p95, bytes: *bytes })
    }
}

fn build(task: &Task, sample: &Sample<'_>, candidate: &Candidate, shared: Option<&mut Shared>) -> Result<(Index, f64)> {
    let rows = sample.view()?;
    let params = candidate.params(rows.rows(), task.metric, task.seed);
    let index_type = candidate.index_type();
    // A graph is the same whatever its rows are kept as, and lists of floats as well.
    let kept = shared.and_then(|shared| match index_type {
        IndexType::Hnsw => Some((&mut shared.graphs, params.ef_construction)),
        IndexType::IvfFlat => Some((&mut shared.lists, params.nlist.unwrap_or(0))),
        _ => None,
    });
    let structure = kept.as_ref().and_then(|(kept, key)| kept.iter().find(|(other, _)| other == key));
    let sections = match structure {
        Some((_, structure)) => Index::keep(structure, rows, &params)?,
        None => Index::build(index_type, rows, &params, &|_, _| ())?,
    };
    let known = structure.is_some();
    let blobs = sections.to_blobs()?;
    let bytes = bytes(&blobs) as f64 / rows.rows().max(1) as f64;
    let shape = Shape { index_type, metric: task.metric, count: rows.rows(), dimension: rows.dimension() };
    let index = Index::open(&shape, &blobs)?;
    if let Some((kept, key)) = kept.filter(|_| !known) {
        kept.push((key, index.structure(rows)?));
    }
    Ok((index, bytes))
}

fn bytes(sections: &Sections<Blob>) -> usize {
    let Sections {
        coarse,
        groups,
        rotation,
        centroids,
        lists,
        codes,
        rows_i8,
        rows_f32,
        graph,
        order,
        extended,
        codebooks,
        calibration,
        rows_bits,
        rows_f16,
        rows_bf16,
    } = sections;
    let rows = [rows_i8, rows_f32, rows_f16, rows_bf16, rows_bits];
    let rest = [coarse, groups, rotation, centroids, lists, codes, graph, order, extended, codebooks, calibration];
    rows.into_iter().chain(rest).flatten().map(|section| section.len()).sum()
}
