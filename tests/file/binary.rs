//! Vectors of bits: every cell of metric × index type × filter × save and load against the plain
//! definition, and what else a search of such can be asked.

use crate::data::{bit_distances, bits, open};
use elanus::filter::{ColumnsBuilder, FieldType, Value};
use elanus::index::BuildParams;
use elanus::segment::{Grouping, Input, Iteration, PrimaryKeys, Request, Scratch, Sealed, build};
use elanus::words::{BitsView, Code, Hit, IndexType, MatrixView, Metric, Result};
use serde::Deserialize;

const QUERIES: usize = 6;

#[derive(Deserialize)]
struct Table {
    k: usize,
    binary: Binary,
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
struct Binary {
    metrics: Vec<String>,
    types: Vec<Type>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    index_type: String,
    floor: f64,
    search: Search,
}

#[derive(Deserialize)]
struct Search {
    nprobe: Option<usize>,
    #[serde(default)]
    exact: bool,
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
    ones: f32,
    zeros: usize,
    copies: usize,
}

impl Case {
    /// Rows, the first of them zero, the last copies of others; and queries like them, one of them zero.
    fn draw(&self) -> (Vec<u8>, Vec<u8>) {
        let bytes = self.dimension / 8;
        let mut data = bits(self.count + QUERIES, self.dimension, self.ones, self.count as u64);
        let mut queries = data.split_off(self.count * bytes);
        data[..self.zeros * bytes].fill(0);
        for copy in 0..self.copies {
            let from = self.zeros.min(self.count - 1) + copy / 3;
            data.copy_within(from * bytes..(from + 1) * bytes, (self.count - 1 - copy) * bytes);
        }
        queries[..bytes].fill(0);
        (data, queries)
    }
}

fn input<'a>(
    data: &'a [u8],
    dimension: usize,
    index_type: IndexType,
    metric: Metric,
    nlist: Option<usize>,
) -> Input<'a> {
    let mut columns = ColumnsBuilder::new([("n", FieldType::Int64), ("third", FieldType::Int64)]).unwrap();
    for row in 0..data.len() / (dimension / 8) {
        columns.push(0, Value::Int64(row as i64)).unwrap();
        columns.push(1, Value::Int64(row as i64 % 3)).unwrap();
    }
    Input {
        rows: None,
        bits: Some(BitsView::new(data, dimension).unwrap()),
        sparse: None,
        text: None,
        index_type,
        params: BuildParams { metric, nlist, seed: 1, ..BuildParams::default() },
        keys: PrimaryKeys::RowNumbers,
        columns: Some(columns),
        fields: None,
        card: None,
    }
}

fn sealed(data: &[u8], dimension: usize, index_type: IndexType, metric: Metric, nlist: Option<usize>) -> Sealed {
    open(&build(input(data, dimension, index_type, metric, nlist), &|_, _| {}).unwrap().into_bytes())
}

/// Hits by the numbers that rows were given by.
fn given(sealed: &Sealed, hits: &[Hit]) -> Vec<Hit> {
    hits.iter().map(|hit| Hit { row: sealed.given(hit.row).unwrap(), ..*hit }).collect()
}

#[test]
fn every_cell_reaches_its_floor() {
    let table: Table = serde_json::from_str(include_str!("../table.json")).unwrap();
    let mut cells = 0;
    for case in &table.binary.cases {
        let (data, queries) = case.draw();
        for how in &table.binary.types {
            let index_type = IndexType::parse(&how.index_type).unwrap();
            for metric in &table.binary.metrics {
                let metric = Metric::parse(metric).unwrap();
                let sealed = sealed(&data, case.dimension, index_type, metric, None);
                let again = open(sealed.bytes());
                for filter in &table.filters {
                    let mut scratch = Scratch::default();
                    let mut sum = 0.0;
                    for query in queries.chunks_exact(case.dimension / 8) {
                        let all = bit_distances(&data, query, metric);
                        let allowed = |row: usize| row.is_multiple_of(filter.modulus) && row < filter.below;
                        let mut sorted: Vec<Hit> = (0..case.count)
                            .filter(|&row| allowed(row))
                            .map(|row| Hit { row: row as u32, distance: all[row] as f32 })
                            .collect();
                        sorted.sort_by(Hit::order);
                        sorted.truncate(table.k);
                        let request = Request {
                            limit: table.k,
                            filter: filter.expression.as_deref(),
                            exact: how.search.exact,
                            nprobe: how.search.nprobe,
                            ..Request::new(query)
                        };
                        let hits = given(&sealed, &sealed.search(&request, &mut scratch).unwrap());
                        let later = given(&again, &again.search(&request, &mut Scratch::default()).unwrap());
                        assert_eq!(hits, later);
                        assert_eq!(hits.len(), sorted.len());
                        assert!(hits.is_sorted_by(|a, b| a.order(b).is_lt()));
                        for hit in &hits {
                            assert!(allowed(hit.row as usize));
                            assert!((f64::from(hit.distance) - all[hit.row as usize]).abs() < 1e-6);
                        }
                        if how.floor == 1.0 {
                            let rows = |hits: &[Hit]| hits.iter().map(|hit| hit.row).collect::<Vec<_>>();
                            assert_eq!(rows(&hits), rows(&sorted), "{}, {index_type} {metric}", case.name);
                        }
                        let near = sorted.last().map_or(0.0, |kth| kth.distance);
                        let found = hits.iter().filter(|hit| hit.distance <= near + 1e-6).count();
                        sum += found as f64 / sorted.len().max(1) as f64 + f64::from(u8::from(sorted.is_empty()));
                    }
                    let reached = sum / QUERIES as f64;
                    assert!(
                        reached >= how.floor,
                        "{}, {index_type} {metric}, {:?}: recall {reached}",
                        case.name,
                        filter.expression
                    );
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, 7 * 4 * 2 * 5);
}

#[test]
fn rings_iterations_and_groups_are_those_of_all_rows() {
    let (count, dimension) = (300, 72);
    let data = bits(count, dimension, 0.2, 4);
    let query = bits(1, dimension, 0.2, 5);
    for &metric in Metric::BINARY {
        let all = bit_distances(&data, &query, metric);
        let mut sorted: Vec<Hit> =
            (0u32..).zip(&all).map(|(row, &distance)| Hit { row, distance: distance as f32 }).collect();
        sorted.sort_by(Hit::order);
        for (index_type, nlist) in [(IndexType::BinFlat, None), (IndexType::BinIvfFlat, Some(7))] {
            let sealed = sealed(&data, dimension, index_type, metric, nlist);
            let mut scratch = Scratch::default();
            let plain = Request { nprobe: Some(7), ..Request::new(&query[..]) };
            let (inner, outer) = (sorted[20].distance, sorted[90].distance);
            let ring = Request { radius: Some(outer), range_filter: Some(inner), limit: 1000, ..plain.clone() };
            let hits = given(&sealed, &sealed.search(&ring, &mut scratch).unwrap());
            let wanted: Vec<Hit> =
                sorted.iter().filter(|hit| hit.distance >= inner && hit.distance < outer).copied().collect();
            assert_eq!(hits, wanted, "{index_type} {metric}");
            assert!(!hits.is_empty());

            let request = Request { limit: 41, ..plain.clone() };
            let mut iteration = Iteration::new(&sealed, &request, None).unwrap();
            let mut iterated = Vec::new();
            loop {
                let batch = iteration.next(&sealed, &request, &mut scratch).unwrap();
                if batch.is_empty() {
                    break;
                }
                iterated.extend(given(&sealed, &batch));
            }
            assert_eq!(iterated, sorted, "{index_type} {metric}");

            let group = Some(Grouping { field: "third", size: 2, strict: true });
            let grouped = sealed.search(&Request { group, limit: 3, ..plain }, &mut scratch).unwrap();
            let mut of_groups: Vec<u32> = given(&sealed, &grouped).iter().map(|hit| hit.row).collect();
            of_groups.sort_unstable();
            let mut nearest: Vec<u32> = (0..3u32)
                .flat_map(|third| sorted.iter().map(|hit| hit.row).filter(move |row| row % 3 == third).take(2))
                .collect();
            nearest.sort_unstable();
            assert_eq!(of_groups, nearest, "{index_type} {metric}");
        }
    }
}

#[test]
fn one_probed_list_of_rare_bits_has_most_of_the_nearest() {
    // Bits so rare that no list has one that most of its rows have.
    let (count, dimension) = (4000, 512);
    let data = bits(count, dimension, 0.02, 6);
    for &metric in Metric::BINARY {
        let sealed = sealed(&data, dimension, IndexType::BinIvfFlat, metric, Some(8));
        let mut found = 0;
        for query in data.chunks_exact(dimension / 8).step_by(100) {
            let all = bit_distances(&data, query, metric);
            let mut sorted = all.clone();
            sorted.sort_by(f64::total_cmp);
            let request = Request { nprobe: Some(1), ..Request::new(query) };
            let hits = given(&sealed, &sealed.search(&request, &mut Scratch::default()).unwrap());
            found += hits.iter().filter(|hit| all[hit.row as usize] <= sorted[9]).count();
        }
        // An eighth of the rows by chance.
        assert!(found >= 320, "{metric}: {found} of 400");
    }
}

#[test]
fn lists_are_no_more_than_rows_and_none_is_empty() {
    for (count, nlist) in [(0, Some(5)), (1, Some(5)), (3, Some(65_536)), (40, Some(40)), (5000, None)] {
        let data = bits(count, 16, 0.5, 2);
        for &metric in Metric::BINARY {
            let sealed = sealed(&data, 16, IndexType::BinIvfFlat, metric, nlist);
            let lists = sealed.index().lists().unwrap();
            assert!(lists.count() <= count.max(1) && (count == 0 || lists.iter().all(|list| list.rows > 0)));
            let hits = sealed.search(&Request::new(&[0b1010_1010u8, 7][..]), &mut Scratch::default()).unwrap();
            assert_eq!(hits.len(), count.min(10));
        }
    }
}

#[test]
fn the_same_rows_give_the_same_file() {
    let data = bits(2000, 64, 0.5, 3);
    for &index_type in IndexType::BINARY {
        let bytes = |seed| {
            let mut input = input(&data, 64, index_type, Metric::Jaccard, None);
            input.params.seed = seed;
            build(input, &|_, _| {}).unwrap().into_bytes()
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }
}

#[test]
fn vectors_of_the_other_kind_are_refused() {
    let data = bits(20, 24, 0.5, 1);
    let binary = sealed(&data, 24, IndexType::BinFlat, Metric::Hamming, None);
    let mut scratch = Scratch::default();
    let mut code = |sealed: &Sealed, request: Request<'_>| sealed.search(&request, &mut scratch).map_err(|e| e.code);
    assert_eq!(code(&binary, Request::new(&[0.5; 24])), Err(Code::InvalidVector));
    assert_eq!(code(&binary, Request::new(&[1u8, 2][..])), Err(Code::DimensionMismatch));
    assert_eq!(code(&binary, Request::new("words")), Err(Code::InvalidArgument));
    assert!(code(&binary, Request { recall: Some(1.0), ..Request::new(&[1u8, 2, 3][..]) }).is_ok());
    assert_eq!(binary.bits(3), Ok(&data[9..12]));
    assert_eq!(binary.vector(3, &mut [0.0; 24]).map_err(|e| e.code), Err(Code::InvalidArgument));

    let floats = [0.5; 24];
    let refused = |index_type, metric, rows: Option<MatrixView<'_>>, bits: Option<BitsView<'_>>| -> Result<()> {
        let input = Input { rows, bits, columns: None, ..input(&[1], 8, index_type, metric, None) };
        build(input, &|_, _| {}).map(drop)
    };
    let (rows, bits) = (MatrixView::new(&floats, 8).ok(), BitsView::new(&data, 24).ok());
    assert_eq!(refused(IndexType::Flat, Metric::L2, rows, None), Ok(()));
    for (index_type, metric, rows, bits, part) in [
        (IndexType::BinFlat, Metric::L2, rows, None, "is for vectors of bits"),
        (IndexType::Flat, Metric::Hamming, rows, None, "HAMMING is for vectors of bits"),
        (IndexType::Flat, Metric::Hamming, None, bits, "BIN_FLAT and BIN_IVF_FLAT"),
        (IndexType::BinFlat, Metric::Cosine, None, bits, "HAMMING and JACCARD"),
        (IndexType::BinFlat, Metric::Jaccard, rows, bits, "not both"),
    ] {
        let error = refused(index_type, metric, rows, bits).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.contains(part), "{error}");
    }
    let float_file = open(
        &build(
            Input { rows, bits: None, columns: None, ..input(&[1], 8, IndexType::Flat, Metric::L2, None) },
            &|_, _| {},
        )
        .unwrap()
        .into_bytes(),
    );
    let error = float_file.search(&Request::new(&[1u8][..]), &mut Scratch::default()).unwrap_err();
    assert_eq!(error.code, Code::InvalidVector);
    assert!(float_file.bits(0).is_err());
}
