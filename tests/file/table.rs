//! Every cell of metric × index type × rows × filter × save and load, against the plain definition. The cells and the
//! recall that each must reach are in `tests/table.json`, which the package's tests read, too.

use crate::data::{distances, open};
use elanus::filter::{ColumnsBuilder, FieldType, Value};
use elanus::index::BuildParams;
use elanus::segment::{Input, PrimaryKeys, Request, Scratch, Sealed, build};
use elanus::words::random::SplitMix64;
use elanus::words::{Code, Hit, IndexType, MatrixView, Metric, Precision};
use serde::Deserialize;

#[derive(Deserialize)]
struct Table {
    k: usize,
    metrics: Vec<String>,
    types: Vec<Type>,
    others: Other,
    filters: Vec<Filter>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    index_type: String,
    #[serde(flatten)]
    how: Other,
}

/// How a type is built and searched, and the recall that it must reach: of those without a line of their own, too.
#[derive(Deserialize)]
struct Other {
    rerank: Vec<String>,
    #[serde(default = "one")]
    bits: u32,
    m: Option<usize>,
    #[serde(default = "eight")]
    nbits: u32,
    floor: f64,
    search: Search,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    #[serde(default)]
    exact: bool,
    ef: Option<usize>,
    nprobe: Option<usize>,
}

fn one() -> u32 {
    1
}

fn eight() -> u32 {
    8
}

#[derive(Deserialize)]
struct Filter {
    expression: Option<String>,
    modulus: usize,
    below: usize,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    count: usize,
    dimension: usize,
    /// So many of the first rows are zero, and so many of the last are copies of others.
    zeros: usize,
    copies: usize,
}

const QUERIES: usize = 12;

impl Case {
    /// Rows in clusters, and queries like them.
    fn draw(&self) -> (Vec<f32>, Vec<f32>) {
        let mut random = SplitMix64::new(self.count as u64);
        let d = self.dimension;
        let centres: Vec<f32> = (0..20 * d).map(|_| random.normal_f32()).collect();
        let mut data: Vec<f32> = Vec::new();
        for _ in 0..self.count + QUERIES {
            let centre = random.below(20) as usize * d;
            data.extend((0..d).map(|i| centres[centre + i] + 0.5 * random.normal_f32()));
        }
        let queries = data.split_off(self.count * d);
        data[..self.zeros * d].fill(0.0);
        for copy in 0..self.copies {
            let (from, to) = (self.zeros.min(self.count - 1) + copy / 3, self.count - 1 - copy);
            data.copy_within(from * d..(from + 1) * d, to * d);
        }
        (data, queries)
    }
}

/// The file's bytes; `None` if the type isn't for such vectors.
fn file(case: &Case, data: &[f32], index_type: IndexType, metric: Metric, how: &Other) -> Option<Vec<u8>> {
    let mut columns = ColumnsBuilder::new([("n", FieldType::Int64), ("third", FieldType::Int64)]).unwrap();
    for row in 0..case.count as i64 {
        columns.push(0, Value::Int64(row)).unwrap();
        columns.push(1, Value::Int64(row % 3)).unwrap();
    }
    let precisions = how.rerank.iter().map(|name| Precision::parse(name).unwrap()).collect();
    let input = Input {
        rows: Some(MatrixView::new(data, case.dimension).unwrap()),
        bits: None,
        sparse: None,
        text: None,
        index_type,
        params: BuildParams {
            metric,
            precisions,
            bits: how.bits,
            m: how.m.map(|m| m.min(case.dimension)),
            nbits: how.nbits,
            seed: 1,
            ef_construction: 60,
            ..BuildParams::default()
        },
        keys: PrimaryKeys::RowNumbers,
        columns: Some(columns),
        fields: None,
        card: None,
    };
    match build(input, &|_, _| {}) {
        Ok(file) => Some(file.into_bytes()),
        Err(error) => {
            assert_eq!(error.code, Code::InvalidArgument, "{index_type} {metric}: {error}");
            None
        }
    }
}

/// Mean recall, ties counted by distance; each search must give as many rows as there are, in order.
fn recall(
    table: &Table,
    case: &Case,
    sealed: &Sealed,
    data: &[f32],
    queries: &[f32],
    filter: &Filter,
    how: &Other,
) -> f64 {
    let metric = sealed.header().metric;
    let allowed = |row: usize| row.is_multiple_of(filter.modulus) && row < filter.below;
    let (mut scratch, mut sum) = (Scratch::default(), 0.0);
    for query in queries.chunks_exact(case.dimension) {
        // The definition divides by the length, which a zero vector hasn't: its similarity is 0.
        let mut all = distances(data, case.dimension, query, metric);
        all.iter_mut().filter(|distance| distance.is_nan()).for_each(|distance| *distance = 0.0);
        let mut sorted: Vec<f64> = (0..case.count).filter(|&row| allowed(row)).map(|row| all[row]).collect();
        sorted.sort_by(f64::total_cmp);
        sorted.truncate(table.k);
        let request = Request {
            limit: table.k,
            filter: filter.expression.as_deref(),
            exact: how.search.exact,
            ef: how.search.ef,
            nprobe: how.search.nprobe,
            ..Request::new(query)
        };
        let hits = sealed.search(&request, &mut scratch).unwrap();
        // By the numbers that rows were given by: where they lie in lists they have others in the file.
        let hits: Vec<Hit> = hits.iter().map(|hit| Hit { row: sealed.given(hit.row).unwrap(), ..*hit }).collect();
        assert_eq!(hits.len(), sorted.len());
        assert!(hits.is_sorted_by(|a, b| a.order(b).is_lt()) && hits.iter().all(|hit| allowed(hit.row as usize)));
        let Some(&kth) = sorted.last() else { return 1.0 };
        let near = kth + 1e-5 * kth.abs().max(1.0);
        sum += hits.iter().filter(|hit| all[hit.row as usize] <= near).count() as f64 / sorted.len() as f64;
    }
    sum / QUERIES as f64
}

#[test]
fn every_cell_reaches_its_floor() {
    let table: Table = serde_json::from_str(include_str!("../table.json")).unwrap();
    let mut cells = 0;
    for case in &table.cases {
        let (data, queries) = case.draw();
        for &index_type in IndexType::DENSE {
            let own: Vec<&Other> =
                table.types.iter().filter(|t| t.index_type == index_type.name()).map(|t| &t.how).collect();
            for how in if own.is_empty() { vec![&table.others] } else { own } {
                for metric in &table.metrics {
                    let metric = Metric::parse(metric).unwrap();
                    let Some(bytes) = file(case, &data, index_type, metric, how) else { continue };
                    let sealed = open(&bytes);
                    // What was opened is saved and opened again.
                    let again = open(sealed.bytes());
                    for filter in &table.filters {
                        let of = |sealed| recall(&table, case, sealed, &data, &queries, filter, how);
                        let (reached, later) = (of(&sealed), of(&again));
                        assert_eq!(reached, later);
                        assert!(
                            reached >= how.floor,
                            "{}, {index_type} {metric} in {} bits, {:?} parts of {}, {:?} {:?}: recall {reached}",
                            case.name,
                            how.bits,
                            how.m,
                            how.nbits,
                            how.rerank,
                            filter.expression
                        );
                        cells += 1;
                    }
                }
            }
        }
    }
    assert!(cells >= 10 * table.metrics.len() * table.cases.len() * table.filters.len(), "{cells} cells");
}
