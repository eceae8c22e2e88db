//! Puts together an index file: rows and what belongs to them in, a file ready to be written out.

use super::bundles::in_parts;
use super::fields::FieldsWriter;
use super::keys::PrimaryKeys;
use super::sealed::MAX_CARD_BYTES;
use crate::filter::ColumnsBuilder;
use crate::format::{FileWriter, Header, Kind, Section};
use crate::index::sparse::{SparseBuilder, TextBuilder};
use crate::index::{BuildParams, Built, Index, Progress, Structure, binary};
use crate::words::{BitsView, Code, Error, IndexType, MatrixView, Metric, Result};

/// What a file is built from. Of vectors of floats or bits, sparse vectors and texts there must be one; all else may be
/// left out.
#[derive(Debug)]
pub struct Input<'a> {
    /// The vectors of floats.
    pub rows: Option<MatrixView<'a>>,
    /// How dense vectors are to be searched. Without any the file is a `SPARSE_INVERTED_INDEX`,
    /// whatever this says, and its metric IP if it has sparse vectors and BM25 if it has texts only.
    pub index_type: IndexType,
    /// Vectors of bits, in place of those of floats.
    pub bits: Option<BitsView<'a>>,
    /// Sparse vectors, one a row.
    pub sparse: Option<SparseBuilder>,
    /// Texts that are found by their words, one a row.
    pub text: Option<TextBuilder>,
    /// Metric, precisions, seed.
    pub params: BuildParams,
    /// What callers know the rows by.
    pub keys: PrimaryKeys,
    /// Typed fields for filters, a value a row.
    pub columns: Option<ColumnsBuilder>,
    /// Fields that come back with hits, a text a row.
    pub fields: Option<FieldsWriter>,
    /// JSON that describes the file. Stored as it is.
    pub card: Option<String>,
}

/// Builds the index and lays out the file. `progress` is told of the index's steps, which take
/// nearly all of the time.
///
/// # Errors
/// `INVALID_INPUT` if rows can't be used, keys repeat, or counts differ; `INVALID_ARGUMENT` if a
/// parameter can't be honoured.
pub fn build<'a>(input: Input<'a>, progress: Progress<'_>) -> Result<FileWriter<'a>> {
    let index_type = input.index_type;
    assemble(input, |rows, params| Index::build(index_type, rows, params, progress), progress)
}

/// [`build`] with an arrangement of the rows that is there already: the index's type is that which keeps
/// it, whatever `input` says.
///
/// # Errors
/// Those of [`build`].
pub fn keep<'a>(input: Input<'a>, structure: &Structure) -> Result<FileWriter<'a>> {
    let input = Input { index_type: structure.index_type(), ..input };
    assemble(input, |rows, params| Index::keep(structure, rows, params), &|_, _| ())
}

/// Lays out the file around the sections that `index` makes of vectors of floats.
fn assemble<'a>(
    input: Input<'a>,
    index: impl FnOnce(MatrixView<'a>, &BuildParams) -> Result<Built<'a>>,
    progress: Progress<'_>,
) -> Result<FileWriter<'a>> {
    let Input { rows, bits, index_type, mut sparse, mut text, params, mut keys, mut columns, mut fields, card } = input;
    if rows.is_some() && bits.is_some() {
        return Err(Error::argument("a file has vectors of floats or of bits, not both; leave out one of them"));
    }
    let vectors = rows.map(|rows| rows.rows()).or(bits.map(|bits| bits.rows()));
    let counts = [vectors, sparse.as_ref().map(|s| s.rows()), text.as_ref().map(|t| t.rows())];
    let Some(&rows_given) = counts.iter().flatten().next() else {
        return Err(Error::argument("there is nothing to build from: give vectors, sparse vectors or texts"));
    };
    if let Some(other) = counts.iter().flatten().find(|&&count| count != rows_given) {
        return Err(Error::new(
            Code::InvalidInput,
            format!("there are {rows_given} rows of vectors or texts but {other} of others; give one of each a row"),
        ));
    }
    let count = u32::try_from(rows_given).map_err(|_| {
        Error::new(
            Code::InvalidInput,
            format!("{rows_given} rows; one index file holds at most {}: split them over several", u32::MAX),
        )
    })?;
    let (dimension, metric, index_type) = match (rows, bits, &sparse) {
        (Some(rows), ..) => (rows.dimension() as u32, params.metric, index_type),
        (_, Some(bits), _) => (bits.dimension() as u32, params.metric, index_type),
        (.., Some(_)) => (0, Metric::Ip, IndexType::SparseInvertedIndex),
        (.., None) => (0, Metric::Bm25, IndexType::SparseInvertedIndex),
    };
    if rows.is_some() && !Metric::DENSE.contains(&metric) {
        let what = if Metric::BINARY.contains(&metric) { "vectors of bits" } else { "texts" };
        return Err(Error::argument(format!("{metric} is for {what}; vectors of floats have L2, IP or COSINE")));
    }
    let mut file = FileWriter::new(Header { count, dimension, metric, index_type, seed: params.seed });
    // What is quickly refused comes before the index is built.
    if let Some(card) = card {
        if card.len() > MAX_CARD_BYTES {
            return Err(Error::new(
                Code::InvalidInput,
                format!("the card has {} bytes; {MAX_CARD_BYTES} is the most: shorten it", card.len()),
            ));
        }
        file.section(Kind::CARD, card.into_bytes());
    }
    keys.check(rows_given)?;
    if let Some(columns) = &columns {
        columns.check(rows_given)?;
    }
    if let Some(fields) = fields.as_ref().filter(|fields| fields.rows() != count) {
        return Err(Error::new(
            Code::InvalidInput,
            format!("there are stored fields for {} rows but {count} vectors; give one each", fields.rows()),
        ));
    }
    let sections = match (rows, bits) {
        (Some(rows), _) => Some(index(rows, &params)?),
        (_, Some(bits)) => Some(binary::build(index_type, bits, &params, progress)?),
        _ => None,
    };
    // All that belongs to a row lies where the index put it.
    if let Some(order) = sections.as_ref().and_then(|sections| sections.order.as_ref()) {
        let order: Vec<u32> = order.as_chunks().0.iter().map(|&row| u32::from_le_bytes(row)).collect();
        keys = keys.reordered(&order);
        columns = columns.map(|columns| columns.reordered(&order));
        fields = fields.map(|fields| fields.reordered(&order)).transpose()?;
        sparse = sparse.map(|sparse| sparse.reordered(&order));
        text = text.map(|text| text.reordered(&order));
    }
    if let Some(keys) = keys.encode(rows_given)? {
        file.section(Kind::KEYS, keys);
    }
    if let Some(columns) = columns {
        file.section(Kind::COLUMNS, columns.finish(rows_given)?);
    }
    if let Some(fields) = fields {
        file.section(Kind::FIELDS, fields.finish());
    }
    if let Some(sparse) = sparse {
        file.section(Kind::SPARSE, sparse.finish());
    }
    if let Some(text) = text {
        let (postings, terms) = text.finish()?;
        file.section(Kind::POSTINGS, postings);
        file.section(Kind::TERMS, terms);
    }
    for Section { kind, bytes } in sections.into_iter().flat_map(|sections| sections.into_sections()) {
        file.section(kind, bytes);
    }
    if params.in_parts { in_parts(file) } else { Ok(file) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{FieldType, Value};
    use crate::segment::{Request, Scratch, Sealed};
    use crate::words::random::SplitMix64;
    use crate::words::{Blob, Metric, Precision};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const ROWS: usize = 150;
    const DIMENSION: usize = 20;

    /// Multiples of 2⁻⁸, so that every machine starts from the same bits.
    fn vectors() -> Vec<f32> {
        let mut random = SplitMix64::new(11);
        (0..ROWS * DIMENSION).map(|_| (random.below(1024) as f32 - 500.0) / 256.0).collect()
    }

    fn file(index_type: IndexType, metric: Metric) -> Vec<u8> {
        let data = vectors();
        let mut columns = ColumnsBuilder::new([("third", FieldType::VarChar)]).unwrap();
        (0..ROWS).for_each(|row| columns.push(0, Value::from(["a", "b", "c"][row % 3])).unwrap());
        let input = Input {
            rows: Some(MatrixView::new(&data, DIMENSION).unwrap()),
            bits: None,
            sparse: None,
            text: None,
            index_type,
            params: BuildParams {
                metric,
                precisions: vec![Precision::Int8, Precision::F32],
                nlist: Some(6),
                seed: 9,
                ..BuildParams::default()
            },
            keys: PrimaryKeys::Int64((0..ROWS as i64).map(|row| row * row).collect()),
            columns: Some(columns),
            fields: None,
            card: Some("{}".into()),
        };
        build(input, &|_, _| {}).unwrap().into_bytes()
    }

    /// The checksum of a file covers all of it. This runs natively and in a browser: the same input
    /// and seed give the same bytes on both, and a change of the format can't happen unseen. Bytes
    /// that change without a new format version must still be read by the readers there are.
    ///
    /// A graph is the exception: instant-distance draws the order of its insertions from a generator
    /// that differs between 32 and 64-bit machines, so there are two files, one for each.
    #[test]
    fn a_file_is_the_same_on_every_machine() {
        let graph = |on_64_bits, on_32_bits| if usize::BITS == 64 { on_64_bits } else { on_32_bits };
        let expected: [(IndexType, Metric, u64); 16] = [
            (IndexType::Flat, Metric::L2, 0x656c_a1a8_d0ad_a1fa),
            (IndexType::Flat, Metric::Ip, 0x937f_33a7_cccf_a837),
            (IndexType::Flat, Metric::Cosine, 0x48c2_02ab_89dd_f77a),
            (IndexType::ScanRabitq, Metric::L2, 0x6dbe_602b_a6bd_69ff),
            (IndexType::ScanRabitq, Metric::Ip, 0xcb50_2423_cde2_e5e1),
            (IndexType::ScanRabitq, Metric::Cosine, 0xd353_bd2c_81d2_60b6),
            (IndexType::Hnsw, Metric::L2, graph(0x44c0_df8e_4ce8_cc98, 0x8208_e2e6_ee6d_5906)),
            (IndexType::Hnsw, Metric::Ip, graph(0xcb5f_2f7c_4d7d_1139, 0x27d7_1a20_fcf1_67f9)),
            (IndexType::Hnsw, Metric::Cosine, graph(0xd218_8e06_3d57_fb42, 0xf5ba_a181_4b35_0697)),
            (IndexType::IvfFlat, Metric::L2, 0xbda8_e2b0_6510_7957),
            (IndexType::IvfSq8, Metric::Cosine, 0x6da6_e16d_3ac5_69d3),
            (IndexType::IvfPq, Metric::L2, 0xcf62_19df_ac57_e49b),
            (IndexType::IvfPq, Metric::Ip, 0xcdd2_e35a_c4a1_c70e),
            (IndexType::IvfRabitq, Metric::L2, 0x1655_0333_b615_6cce),
            (IndexType::IvfRabitq, Metric::Ip, 0x7f5a_b855_3171_9cd1),
            (IndexType::IvfRabitq, Metric::Cosine, 0x9a19_8024_b431_1ca3),
        ];
        let found = expected.map(|(index_type, metric, _)| {
            let sealed = Sealed::open(Blob::copy_of(&file(index_type, metric)).unwrap()).unwrap();
            sealed.verify().unwrap();
            (index_type, metric, sealed.layout().checksum)
        });
        assert_eq!(found, expected, "{found:#x?}");
    }

    #[test]
    fn what_is_built_finds_its_own_rows() {
        let data = vectors();
        for &index_type in IndexType::DENSE {
            let sealed = Sealed::open(Blob::copy_of(&file(index_type, Metric::L2)).unwrap()).unwrap();
            let mut scratch = Scratch::default();
            for (row, query) in data.chunks_exact(DIMENSION).enumerate() {
                let request = Request { filter: Some("third in [\"a\", \"c\"]"), limit: 1, ..Request::new(query) };
                let hits = sealed.search(&request, &mut scratch).unwrap();
                let found = sealed.given(hits[0].row).unwrap() as usize;
                assert_eq!(found == row, row % 3 != 1, "{index_type} row {row}");
            }
        }
    }

    #[test]
    fn counts_that_differ_are_refused() {
        let data = vectors();
        let input = || Input {
            rows: Some(MatrixView::new(&data, DIMENSION).unwrap()),
            bits: None,
            sparse: None,
            text: None,
            index_type: IndexType::Flat,
            params: BuildParams::default(),
            keys: PrimaryKeys::RowNumbers,
            columns: None,
            fields: None,
            card: None,
        };
        let code = |input: Input<'_>| build(input, &|_, _| {}).err().map(|e| e.code);
        assert_eq!(code(input()), None);
        let keys = PrimaryKeys::Int64(vec![1]);
        assert_eq!(code(Input { keys, ..input() }), Some(Code::InvalidInput));
        let fields = Some(FieldsWriter::new());
        assert_eq!(code(Input { fields, ..input() }), Some(Code::InvalidInput));
        let columns = Some(ColumnsBuilder::new([("a", FieldType::Bool)]).unwrap());
        assert_eq!(code(Input { columns, ..input() }), Some(Code::InvalidInput));
        let card = Some(" ".repeat(MAX_CARD_BYTES + 1));
        assert_eq!(code(Input { card, ..input() }), Some(Code::InvalidInput));
    }
}
