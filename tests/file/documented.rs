//! Holds `docs/format.md` to its word: its example is a real file, and a second reader, written from
//! the page alone and slow on purpose, finds in files what the crate finds.

use crate::data::{INDEX_TYPES, NLIST, Wanted, bits, file, open, part, vectors};
use elanus::index::BuildParams;
use elanus::segment::{Input, Key, PrimaryKeys, Request, Scratch, build};
use elanus::words::{IndexType, MatrixView, Metric, Precision};
use xxhash_rust::xxh64::xxh64;

const PAGE: &str = include_str!("../../docs/format.md");

fn hexdump(bytes: &[u8]) -> String {
    let line = |(i, sixteen): (usize, &[u8])| {
        let hex: Vec<String> = sixteen.iter().map(|b| format!("{b:02x}")).collect();
        let text: String = sixteen.iter().map(|&b| if b.is_ascii_graphic() { b as char } else { '.' }).collect();
        format!("{:03x}  {}  {}  {text}\n", i * 16, hex[..8].join(" "), hex[8..].join(" "))
    };
    bytes.chunks_exact(16).enumerate().map(line).collect()
}

#[test]
fn the_example_is_a_real_file() {
    let input = Input {
        rows: Some(MatrixView::new(&[1.0, 2.0, -3.0, 0.5], 2).unwrap()),
        bits: None,
        sparse: None,
        text: None,
        index_type: IndexType::Flat,
        params: BuildParams {
            metric: Metric::L2,
            precisions: vec![Precision::F32],
            seed: 42,
            ..BuildParams::default()
        },
        keys: PrimaryKeys::Int64(vec![7, -1]),
        columns: None,
        fields: None,
        card: Some("{\"name\":\"tiny\"}".into()),
    };
    let bytes = build(input, &|_, _| {}).unwrap().into_bytes();
    open(&bytes);
    let (_, rest) = PAGE.split_once("```hexdump\n").expect("the page has an example");
    let (example, _) = rest.split_once("```").unwrap();
    assert_eq!(example, hexdump(&bytes), "put this into docs/format.md:\n{}", hexdump(&bytes));
}

/// The rows of a layer's nodes, with the rows that each links to.
type Links = Vec<(usize, Vec<usize>)>;

/// The second reader: offsets and formulas as the page gives them, in f64, without care for speed.
struct Second<'a> {
    file: &'a [u8],
}

impl<'a> Second<'a> {
    fn u32(bytes: &[u8], at: usize) -> usize {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    }

    fn u64(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    fn f32(bytes: &[u8], i: usize) -> f64 {
        f32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().unwrap()).into()
    }

    fn floats(bytes: &[u8], count: usize) -> Vec<f64> {
        (0..count).map(|i| Self::f32(bytes, i)).collect()
    }

    fn count(&self) -> usize {
        Self::u64(self.file, 24) as usize
    }

    fn dimension(&self) -> usize {
        Self::u32(self.file, 32)
    }

    fn metric(&self) -> Metric {
        [Metric::L2, Metric::Ip, Metric::Cosine][usize::from(self.file[36])]
    }

    /// "The header" and "the section table" of the page, to the letter.
    fn check_container(&self) {
        let file = self.file;
        assert_eq!(file[..8], *b"\x89ELANUS\n");
        let version = match (self.section(0), self.section(24)) {
            (_, Some(_)) => 3,
            (Some(_), None) => 2,
            (None, None) => 1,
        };
        assert_eq!((Self::u32(file, 8), Self::u32(file, 12)), (version, 128));
        assert_eq!(Self::u64(file, 16), file.len() as u64);
        let vector_type = if matches!(file[37], 8 | 9) { 4 } else { 0 };
        assert_eq!((file[38], file[39], Self::u32(file, 52)), (vector_type, 0, 0));
        assert_eq!(Self::u64(file, 120), xxh64(&file[..120], 0));
        let sections = Self::u32(file, 48);
        assert_eq!(Self::u64(file, 56), xxh64(&file[128..128 + 32 * sections], 0));
        assert!(file[64..120].iter().all(|&b| b == 0));
        let (mut end, mut last) = (128 + 32 * sections, None);
        for entry in file[128..end].chunks_exact(32) {
            let (kind, offset, length) =
                (Self::u32(entry, 0), Self::u64(entry, 8) as usize, Self::u64(entry, 16) as usize);
            assert!(Some(kind) > last);
            last = Some(kind);
            assert_eq!(offset, end.next_multiple_of(64));
            assert!(file[end..offset].iter().all(|&b| b == 0));
            end = offset + length;
            assert_eq!(Self::u64(entry, 24), xxh64(&file[offset..end], 0));
        }
        assert_eq!(end.next_multiple_of(64), file.len());
        assert!(file[end..].iter().all(|&b| b == 0));
    }

    fn section(&self, kind: usize) -> Option<&'a [u8]> {
        let table = &self.file[128..128 + 32 * Self::u32(self.file, 48)];
        let entry = table.chunks_exact(32).find(|entry| Self::u32(entry, 0) == kind)?;
        let offset = Self::u64(entry, 8) as usize;
        Some(&self.file[offset..offset + Self::u64(entry, 16) as usize])
    }

    fn stored_query(&self, query: &[f32]) -> Vec<f64> {
        let query: Vec<f64> = query.iter().map(|&x| x.into()).collect();
        let length = if self.metric() == Metric::Cosine { dot(&query, &query).sqrt() } else { 1.0 };
        query.into_iter().map(|x| x / length).collect()
    }

    fn distance_f32(&self, query: &[f64], row: usize) -> f64 {
        let d = self.dimension();
        let row = Self::floats(&self.section(8).unwrap()[4 * d * row..], d);
        match self.metric() {
            Metric::L2 => query.iter().zip(&row).map(|(q, o)| (q - o).powi(2)).sum(),
            _ => -dot(query, &row),
        }
    }

    fn distance_i8(&self, query: &[f64], row: usize) -> f64 {
        let (section, count, d, metric) = (self.section(7).unwrap(), self.count(), self.dimension(), self.metric());
        let c = Self::floats(section, d);
        let scales = (4 * d).next_multiple_of(64);
        let squares = scales + (4 * count).next_multiple_of(64);
        let codes = squares + if metric == Metric::L2 { (4 * count).next_multiple_of(64) } else { 0 };
        let code: Vec<f64> = section[codes + row * d..][..d].iter().map(|&b| f64::from(b.cast_signed())).collect();
        let scale = Self::f32(&section[scales..], row);
        match metric {
            Metric::L2 => {
                let from_c: Vec<f64> = query.iter().zip(&c).map(|(q, c)| q - c).collect();
                dot(&from_c, &from_c) - 2.0 * scale * dot(&from_c, &code) + Self::f32(&section[squares..], row)
            }
            _ => -dot(query, &c) - scale * dot(query, &code),
        }
    }

    fn rotate(&self, vector: &[f64]) -> Vec<f64> {
        let signs = self.section(2).unwrap();
        let d = self.dimension().next_multiple_of(8);
        let largest = (0..).map(|k| 1 << k).take_while(|&power| power <= d).last().unwrap();
        let mut x = vector.to_vec();
        x.resize(d, 0.0);
        for r in 0..4 {
            for (i, x) in x.iter_mut().enumerate() {
                let n = r * d + i;
                if signs[n / 8] >> (n % 8) & 1 == 1 {
                    *x = -*x;
                }
            }
            let part = if r % 2 == 0 { 0..largest } else { d - largest..d };
            let before = x[part.clone()].to_vec();
            for (i, y) in x[part].iter_mut().enumerate() {
                let sign = |j: usize| if (i & j).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
                *y = before.iter().enumerate().map(|(j, x)| sign(j) * x).sum::<f64>() / (largest as f64).sqrt();
            }
            if d != largest {
                for i in 0..d / 2 {
                    let (a, b) = (x[i], x[i + d / 2]);
                    (x[i], x[i + d / 2]) = ((a + b) / 2f64.sqrt(), (a - b) / 2f64.sqrt());
                }
            }
        }
        x
    }

    /// The coordinates that the centroids of these numbers have.
    fn centroids_of(&self, books: &[u8], d: usize, centroids: usize, number: impl Fn(usize) -> usize) -> Vec<f64> {
        let (parts, first) = (Self::u32(books, 0), if centroids == 16 { 4 } else { 4 + 16 * d });
        let part = |i: usize| (0..parts).find(|j| (j * d / parts..(j + 1) * d / parts).contains(&i)).unwrap();
        (0..d).map(|i| Self::f32(books, first + i * centroids + number(part(i)))).collect()
    }

    /// *m*.
    fn mean(&self) -> Vec<f64> {
        Self::floats(self.section(0).or(self.section(3)).unwrap(), self.dimension())
    }

    /// *u* and *t* of a list.
    fn shift(&self, list: usize) -> (Vec<f64>, f64) {
        let (lists, dimension) = (self.lists().len(), self.dimension());
        let d = dimension.next_multiple_of(8);
        let Some(coarse) = self.section(0) else {
            let shifts = &self.section(3).unwrap()[4 * dimension..];
            return (Self::floats(&shifts[4 * list * d..], d), Self::f32(shifts, lists * d + list));
        };
        assert!(self.section(3).is_none());
        let (scale, t) = (Self::f32(coarse, dimension + list), Self::f32(coarse, dimension + lists + list));
        let codes = &coarse[4 * dimension + 8 * lists + list * d..][..d];
        (codes.iter().map(|&code| scale * f64::from(code.cast_signed())).collect(), t)
    }

    /// The estimate of a row's distance, its f_error · ‖p‖, and its f_scale: by what a scan reads, or by all bits.
    fn estimate(&self, query: &[f64], row: usize, by_scan: bool) -> (f64, f64, f64) {
        let m = self.mean();
        let from_m: Vec<f64> = query.iter().zip(&m).map(|(q, m)| q - m).collect();
        let p = self.rotate(&from_m);
        let lists = self.lists();
        let list = lists.iter().position(|(rows, _)| rows.contains(&row)).unwrap();
        let (u, t) = match self.file[37] {
            1 => (vec![0.0; p.len()], 0.0),
            _ => self.shift(list),
        };
        let (rows, first_block) = &lists[list];
        let groups = self.section(14).map_or(p.len() / 4, |books| Self::u32(books, 0).next_multiple_of(2));
        let block = &self.section(5).unwrap()[(first_block + (row - rows.start) / 32) * (384 + 16 * groups)..];
        let j = (row - rows.start) % 32;
        let four = |group: usize| {
            let byte = block[384 + 16 * group + j % 16];
            usize::from(if j < 16 { byte & 15 } else { byte >> 4 })
        };
        let signs =
            || (0..p.len()).map(|i| if four(i / 4) >> (i % 4) & 1 == 1 { 1.0 } else { -1.0 }).collect::<Vec<_>>();
        let of_block = [0, 32, 64].map(|kind| Self::f32(block, kind + j));
        let (code, [f_add, f_scale, f_error]) = match (self.section(14), self.section(13)) {
            (Some(books), _) if by_scan => (self.centroids_of(books, p.len(), 16, four), of_block),
            (Some(books), Some(lower)) => {
                let parts = Self::u32(books, 0);
                let lower = &lower[row * (12 + parts.div_ceil(2))..];
                let number = |part: usize| four(part) << 4 | usize::from(lower[12 + part / 2] >> (part % 2 * 4) & 15);
                (self.centroids_of(books, p.len(), 256, number), [0, 1, 2].map(|i| Self::f32(lower, i)))
            }
            (None, Some(_)) => self.extended(row, &signs()),
            _ => (signs(), of_block),
        };
        let apart: Vec<f64> = p.iter().zip(&u).map(|(p, u)| p - u).collect();
        let square = dot(&apart, &apart);
        let added = if self.metric() == Metric::L2 { square } else { -dot(query, &m) - dot(&p, &u) - t };
        (added + f_add - f_scale * dot(&code, &p), f_error * square.sqrt(), f_scale)
    }

    /// The vector that the bits of [`Self::estimate`] and section 13 make, and its factors.
    fn extended(&self, row: usize, signs: &[f64]) -> (Vec<f64>, [f64; 3]) {
        let (section, d) = (self.section(13).unwrap(), signs.len());
        let bits = Self::u32(section, 0);
        let row = &section[16 + row * (12 + d / 8 * (bits - 1))..];
        let v = (0..d).map(|i| {
            let position = i % 4 * (d / 4) + i / 4;
            let (mut level, mut part) = (usize::from(signs[i] > 0.0), &row[12..]);
            for width in [4, 2, 1].into_iter().filter(|width| (bits - 1) & width != 0) {
                let n = d * width / 8;
                let byte = usize::from(part[position % n]);
                level = level << width | byte >> (position / n * width) & ((1 << width) - 1);
                part = &part[n..];
            }
            level as f64 - ((1 << bits) - 1) as f64 / 2.0
        });
        (v.collect(), [0, 1, 2].map(|i| Self::f32(row, i)))
    }

    /// The number that a row was given by.
    fn given(&self, row: usize) -> usize {
        self.section(12).map_or(row, |order| Self::u32(order, 4 * row))
    }

    /// Of each list its rows and the number of its first block.
    fn lists(&self) -> Vec<(std::ops::Range<usize>, usize)> {
        let directory = self.section(4).unwrap();
        assert_eq!((directory.len(), Self::u32(directory, 4)), (8 + 8 * Self::u32(directory, 0), 0));
        let mut next = 0;
        let list = |entry: &[u8]| {
            let rows = next..next + Self::u32(entry, 4);
            next = rows.end;
            (rows, Self::u32(entry, 0))
        };
        directory[8..].chunks_exact(8).map(list).collect()
    }

    fn key(&self, row: usize) -> Key {
        let section = self.section(6).unwrap();
        match Self::u32(section, 0) {
            1 => Key::Int64(Self::u64(section, 8 + 8 * row) as i64),
            _ => {
                let text = 8 + 4 * (self.count() + 1);
                let (start, end) = (Self::u32(section, 8 + 4 * row), Self::u32(section, 12 + 4 * row));
                Key::VarChar(String::from_utf8(section[text + start..text + end].to_vec()).unwrap())
            }
        }
    }

    /// The text of a VarChar column of this name in a row.
    fn text(&self, name: &str, row: usize) -> Option<String> {
        let section = self.section(9).unwrap();
        assert_eq!(Self::u64(section, 8) as usize, self.count());
        let named = |entry: &&[u8]| {
            let at = Self::u64(entry, 8) as usize;
            &section[at..at + Self::u32(entry, 4)] == name.as_bytes()
        };
        let entry = section[16..].chunks_exact(64).take(Self::u32(section, 0)).find(named)?;
        assert_eq!((entry[0], entry[2]), (3, 0), "a VarChar column without nulls");
        let [values, ends, texts] = [24, 40, 48].map(|at| Self::u64(entry, at) as usize);
        let code = section[values + usize::from(entry[1]) * row..][..usize::from(entry[1])].iter().rev();
        let code = code.fold(0, |code, &byte| code << 8 | usize::from(byte));
        let start = if code == 0 { 0 } else { Self::u32(section, ends + 4 * (code - 1)) };
        let end = Self::u32(section, ends + 4 * code);
        Some(String::from_utf8(section[texts + start..texts + end].to_vec()).unwrap())
    }

    fn fields(&self, row: usize) -> String {
        let section = self.section(10).unwrap();
        let blocks = Self::u32(section, 0);
        let entry = |i: usize| &section[8 + 16 * i..24 + 16 * i];
        let i = (0..blocks).find(|&i| Self::u32(entry(i + 1), 8) > row).unwrap();
        let [start, end] = [i, i + 1].map(|i| Self::u64(entry(i), 0) as usize);
        let lines = miniz_oxide::inflate::decompress_to_vec(&section[start..end]).unwrap();
        assert_eq!(lines.len(), Self::u32(entry(i), 12));
        String::from_utf8(lines).unwrap().lines().nth(row - Self::u32(entry(i), 8)).unwrap().to_owned()
    }

    /// Links of each node of each layer, lowest layer first, and the entry.
    fn graph(&self) -> (usize, Vec<Links>) {
        let section = self.section(11).unwrap();
        let n = |i: usize| Self::u32(section, 4 * i);
        let (layers, entry) = (n(0), n(1));
        let mut at = 4 + 2 * layers;
        let mut out = Vec::new();
        for layer in 0..layers {
            let (nodes, links) = (n(4 + 2 * layer), n(5 + 2 * layer));
            let rows: Vec<usize> = if layer == 0 { (0..nodes).collect() } else { (at..at + nodes).map(n).collect() };
            at += if layer == 0 { 0 } else { nodes };
            let (ends, first) = (at, at + nodes);
            let start = |i: usize| if i == 0 { 0 } else { n(ends + i - 1) };
            let of = |i: usize| (rows[i], (start(i)..n(ends + i)).map(|link| n(first + link)).collect());
            out.push((0..nodes).map(of).collect());
            at = first + links;
        }
        assert_eq!(4 * at, section.len());
        (entry, out)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn variants() -> impl Iterator<Item = Wanted> {
    let with = |index_type, varchar_keys| {
        // 12 dimensions are no power of two when padded; 16 are.
        [12, 16].into_iter().flat_map(move |dimension| {
            Metric::DENSE.iter().map(move |&metric| Wanted {
                dimension,
                metric,
                index_type,
                varchar_keys,
                ..Wanted::default()
            })
        })
    };
    INDEX_TYPES.iter().flat_map(move |&index_type| with(index_type, index_type == IndexType::Flat))
}

#[test]
fn a_second_reader_finds_the_same() {
    for wanted in variants() {
        let bytes = file(&wanted);
        let (sealed, second) = (open(&bytes), Second { file: &bytes });
        second.check_container();
        assert_eq!((second.count(), second.dimension()), (wanted.rows, wanted.dimension));
        for row in [0, 1, 31, 32, 69] {
            assert_eq!(sealed.key(row as u32), Ok(second.key(row)), "{wanted:?}");
            assert_eq!(sealed.fields(&[row as u32]).unwrap(), [second.fields(row)]);
            assert_eq!(sealed.given(row as u32), Ok(second.given(row) as u32), "{wanted:?}");
            assert_eq!(second.text("part", row).as_deref(), Some(part(second.given(row))));
        }
        for query in vectors(3, wanted.dimension, 55).chunks_exact(wanted.dimension) {
            let request = Request { exact: true, limit: wanted.rows, ..Request::new(query) };
            let stored = second.stored_query(query);
            for hit in sealed.search(&request, &mut Scratch::default()).unwrap() {
                let (found, row) = (f64::from(hit.distance), hit.row as usize);
                let exact = second.distance_f32(&stored, row);
                assert!((found - exact).abs() < 1e-5 * exact.abs().max(1.0), "{wanted:?}: {found} {exact}");
            }
        }
    }
}

#[test]
fn a_second_reader_gets_the_same_distances_from_8_bits() {
    for wanted in variants().filter(|w| w.index_type == IndexType::Flat) {
        let wanted = Wanted { precisions: &[Precision::Int8], ..wanted };
        let bytes = file(&wanted);
        let (sealed, second) = (open(&bytes), Second { file: &bytes });
        for query in vectors(3, wanted.dimension, 56).chunks_exact(wanted.dimension) {
            let stored = second.stored_query(query);
            let request = Request { exact: true, limit: wanted.rows, ..Request::new(query) };
            for hit in sealed.search(&request, &mut Scratch::default()).unwrap() {
                let (found, own) = (f64::from(hit.distance), second.distance_i8(&stored, hit.row as usize));
                assert!((found - own).abs() < 1e-3 * own.abs().max(1.0), "{wanted:?}: {found} {own}");
            }
        }
    }
}

#[test]
fn a_second_reader_estimates_the_same_from_codes() {
    let wanted = variants().filter(|w| matches!(w.index_type, IndexType::ScanRabitq | IndexType::IvfRabitq));
    for wanted in wanted.flat_map(|wanted| [false, true].map(|in_parts| Wanted { in_parts, ..wanted })) {
        let bytes = file(&wanted);
        let (sealed, second) = (open(&bytes), Second { file: &bytes });
        let (mut off, mut deviations) = (0.0, 0.0);
        for query in vectors(10, wanted.dimension, 57).chunks_exact(wanted.dimension) {
            let stored = second.stored_query(query);
            let p = second.rotate(&stored.iter().zip(second.mean()).map(|(q, c)| q - c).collect::<Vec<_>>());
            // Tables have 32 steps for the largest group of four: the crate's own rounding.
            let step =
                2.0 * p.chunks(4).map(|four| four.iter().map(|x| x.abs()).sum::<f64>()).fold(0.0, f64::max) / 31.0;
            let request = Request { rerank: Some(0), limit: wanted.rows, nprobe: Some(NLIST), ..Request::new(query) };
            let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
            assert_eq!(hits.len(), wanted.rows);
            for hit in hits {
                let row = hit.row as usize;
                let (estimate, deviation, f_scale) = second.estimate(&stored, row, true);
                let rounding = f_scale * step * p.len() as f64 / 4.0 / 2.0;
                assert!(
                    (f64::from(hit.distance) - estimate).abs() <= rounding + 1e-4,
                    "{wanted:?}: {} {estimate}",
                    hit.distance
                );
                off += (estimate - second.distance_f32(&stored, row)).powi(2);
                deviations += deviation.powi(2);
            }
        }
        // The stated deviation is that of the estimate: within what so few rotations can tell.
        let ratio = (off / deviations).sqrt();
        assert!((0.5..1.5).contains(&ratio), "{wanted:?}: {ratio}");
    }
}

#[test]
fn a_second_reader_estimates_the_same_from_codes_of_several_bits() {
    for wanted in variants().filter(|w| matches!(w.index_type, IndexType::ScanRabitq | IndexType::IvfRabitq)) {
        for bits in 2..=8 {
            let wanted = Wanted { bits, ..wanted };
            let bytes = file(&wanted);
            let (sealed, second) = (open(&bytes), Second { file: &bytes });
            assert_eq!(Second::u32(second.section(13).unwrap(), 0), bits as usize);
            let (mut off, mut deviations) = (0.0, 0.0);
            for query in vectors(5, wanted.dimension, 57).chunks_exact(wanted.dimension) {
                let stored = second.stored_query(query);
                let request =
                    Request { rerank: Some(0), limit: wanted.rows, nprobe: Some(NLIST), ..Request::new(query) };
                let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
                assert_eq!(hits.len(), wanted.rows);
                for hit in hits {
                    let (estimate, deviation, _) = second.estimate(&stored, hit.row as usize, false);
                    let found = f64::from(hit.distance);
                    assert!(
                        (found - estimate).abs() < 1e-3 * estimate.abs().max(1.0),
                        "{wanted:?}: {found} {estimate}"
                    );
                    off += (estimate - second.distance_f32(&stored, hit.row as usize)).powi(2);
                    deviations += deviation.powi(2);
                }
            }
            let ratio = (off / deviations).sqrt();
            assert!((0.4..1.6).contains(&ratio), "{wanted:?}: {ratio}");
        }
    }
}

#[test]
fn a_second_reader_estimates_the_same_from_parts() {
    for wanted in variants().filter(|w| w.index_type == IndexType::IvfPq) {
        for (parts, part_bits) in [(3, 4), (wanted.dimension, 4), (3, 8), (6, 8)] {
            let wanted = Wanted { rows: 400, parts: Some(parts), part_bits, in_parts: parts == 3, ..wanted };
            let bytes = file(&wanted);
            let (sealed, second) = (open(&bytes), Second { file: &bytes });
            let books = second.section(14).unwrap();
            assert_eq!((Second::u32(books, 0), Second::u32(books, 4)), (parts, part_bits as usize));
            let (mut off, mut deviations) = (0.0, 0.0);
            for query in vectors(5, wanted.dimension, 57).chunks_exact(wanted.dimension) {
                let stored = second.stored_query(query);
                let request =
                    Request { rerank: Some(0), limit: wanted.rows, nprobe: Some(NLIST), ..Request::new(query) };
                let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
                assert_eq!(hits.len(), wanted.rows);
                for hit in hits {
                    let row = hit.row as usize;
                    let (estimate, deviation, f_scale) = second.estimate(&stored, row, part_bits == 4);
                    let found = f64::from(hit.distance);
                    // Of 4 bits the tables are rounded, to 32 steps for the widest: the crate's own affair.
                    let widest = 4.0 * stored.iter().map(|x| x.abs()).sum::<f64>().max(1.0);
                    let rounding = if part_bits == 4 { f_scale * widest * parts as f64 / 31.0 } else { 0.0 };
                    assert!(
                        (found - estimate).abs() <= rounding + 1e-3 * estimate.abs().max(1.0),
                        "{wanted:?}: {found} {estimate}"
                    );
                    off += (estimate - second.distance_f32(&stored, row)).powi(2);
                    deviations += deviation.powi(2);
                }
            }
            let ratio = (off / deviations).sqrt();
            assert!((0.4..1.6).contains(&ratio), "{wanted:?}: {ratio}");
        }
    }
}

#[test]
fn a_second_reader_trusts_lists_and_rows_by_checksums_of_their_own() {
    for wanted in variants().filter(|w| w.index_type == IndexType::IvfRabitq) {
        for precisions in [&[Precision::Int8][..], &[Precision::Int8, Precision::F32], &[Precision::F16], &[]] {
            let bytes = file(&Wanted { in_parts: true, precisions, ..wanted });
            open(&bytes);
            let second = Second { file: &bytes };
            second.check_container();
            let (count, dimension, lists) = (second.count(), second.dimension(), second.lists());
            let d = dimension.next_multiple_of(8);
            let (coarse, bundles) = (second.section(0).unwrap(), second.section(0x8000_0080).unwrap());
            let sums = &coarse[4 * dimension + lists.len() * (8 + d)..];
            let has_squares = wanted.metric == Metric::L2;
            let mut kinds: Vec<(&[u8], usize)> = Vec::new();
            let mut beside = 4;
            if let Some(rows) = second.section(7) {
                let column = (4 * count).next_multiple_of(64);
                let codes = (4 * dimension).next_multiple_of(64) + column * if has_squares { 2 } else { 1 };
                kinds.push((&rows[codes..], dimension));
                beside += if has_squares { 8 } else { 4 };
                assert_eq!(coarse[coarse.len() - 4 * dimension..], rows[..4 * dimension]);
            }
            for (kind, width) in [(8, 4), (16, 2), (17, 2)] {
                kinds.extend(second.section(kind).map(|rows| (rows, width * dimension)));
            }
            let mut rest = bundles;
            for (list, (rows, _)) in lists.iter().enumerate().filter(|(_, (rows, _))| !rows.is_empty()) {
                let codes = rows.len().div_ceil(32) * (384 + 4 * d);
                let (bundle, after) = rest.split_at(codes + rows.len() * (beside + 4 * kinds.len()));
                rest = after;
                assert_eq!(xxh64(bundle, 0), Second::u64(sums, 8 * list));
                let own = &bundle[codes + rows.len() * beside..];
                for (nth, (all, bytes)) in kinds.iter().enumerate() {
                    for (i, row) in rows.clone().enumerate() {
                        let sum = xxh64(&all[row * bytes..(row + 1) * bytes], 0) as u32;
                        assert_eq!(sum as usize, Second::u32(own, 4 * (nth * rows.len() + i)));
                    }
                }
            }
            assert!(rest.is_empty());
        }
    }
}

#[test]
fn a_second_reader_finds_lists_and_their_checksums_in_groups() {
    for wanted in variants().filter(|w| w.index_type == IndexType::IvfRabitq) {
        let grouped = Wanted { in_parts: true, groups: Some(2), ..wanted };
        let bytes = file(&grouped);
        open(&bytes);
        let second = Second { file: &bytes };
        second.check_container();
        let (count, dimension, lists) = (second.count(), second.dimension(), second.lists());
        let d = dimension.next_multiple_of(8);
        let (root, parts) = (second.section(0).unwrap(), second.section(24).unwrap());
        let groups = (root.len() - 8 * dimension - 12) / (d + 28);
        assert_eq!(root.len(), 8 * dimension + 12 + groups * (d + 28));
        let sums = &root[4 * dimension + groups * (8 + d)..];
        let table = &sums[8 * groups + 4 * dimension..];
        let mut sizes: Vec<usize> = lists.iter().map(|(rows, _)| rows.len()).collect();
        let bundles = second.section(0x8000_0080).unwrap();
        let (mut first, mut at, mut bundle) = (0, 0, 0);
        for group in 0..groups {
            let [own, rows, blocks] = [0, 4, 8].map(|offset| Second::u32(table, 12 * group + offset));
            let some = &sizes[first..first + own];
            assert_eq!((rows, blocks), (some.iter().sum(), some.iter().map(|rows| rows.div_ceil(32)).sum()));
            let part = &parts[at..at + own * (d + 20)];
            assert_eq!(xxh64(part, 0), Second::u64(sums, 8 * group));
            for (list, &rows) in some.iter().enumerate() {
                assert_eq!(Second::u32(part, own * (16 + d) + 4 * list), rows);
                // The rest of its length is what is beside codes; all lists together make the section.
                let bytes = rows.div_ceil(32) * (384 + 4 * d) + rows * (bundles.len() - lists_codes(&sizes, d)) / count;
                assert_eq!(xxh64(&bundles[bundle..bundle + bytes], 0), Second::u64(part, own * (8 + d) + 8 * list));
                bundle += bytes;
            }
            (first, at) = (first + own, at + part.len());
        }
        assert_eq!((first, at, bundle), (sizes.len(), parts.len(), bundles.len()));
        sizes.sort_unstable();
        let stated = [0, 4, 8].map(|offset| Second::u32(table, 12 * groups + offset));
        assert_eq!(stated, [sizes[0], sizes[sizes.len() / 2], sizes[sizes.len() - 1]]);
    }
}

/// Bytes of the codes of lists of these sizes.
fn lists_codes(sizes: &[usize], d: usize) -> usize {
    sizes.iter().map(|rows| rows.div_ceil(32) * (384 + 4 * d)).sum()
}

#[test]
fn a_second_reader_looks_into_the_same_lists() {
    for wanted in variants().filter(|w| matches!(w.index_type, IndexType::IvfFlat | IndexType::IvfSq8)) {
        let bytes = file(&wanted);
        let (sealed, second) = (open(&bytes), Second { file: &bytes });
        let lists = second.lists();
        let d = wanted.dimension;
        assert_eq!(second.section(3).unwrap().len(), 4 * d * lists.len());
        for query in vectors(5, d, 58).chunks_exact(d) {
            let stored = second.stored_query(query);
            let distance = |list: usize| {
                let c = Second::floats(&second.section(3).unwrap()[4 * d * list..], d);
                match wanted.metric {
                    Metric::Ip => -dot(&stored, &c),
                    _ => stored.iter().zip(&c).map(|(q, c)| (q - c).powi(2)).sum(),
                }
            };
            let nearest = (0..lists.len()).min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap();
            let rows = &lists[nearest].0;
            let request = Request { nprobe: Some(1), limit: rows.len().max(1), ..Request::new(query) };
            let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
            assert!(hits.iter().all(|hit| rows.contains(&(hit.row as usize))), "{wanted:?}");
        }
    }
}

#[test]
fn a_second_reader_counts_the_same_bits_and_looks_into_the_same_lists() {
    for (index_type, metric) in
        IndexType::BINARY.iter().flat_map(|&index_type| Metric::BINARY.iter().map(move |&metric| (index_type, metric)))
    {
        let wanted = Wanted { index_type, metric, dimension: 9, ..Wanted::default() };
        let bytes = file(&wanted);
        let (sealed, second) = (open(&bytes), Second { file: &bytes });
        second.check_container();
        assert_eq!((second.count(), second.dimension()), (wanted.rows, 72));
        let rows: Vec<&[u8]> = second.section(15).unwrap().chunks_exact(9).collect();
        let bit = |bytes: &[u8], i: usize| f64::from(bytes[i / 8] >> (i % 8) & 1);
        let both = |a: &[u8], b: &[u8]| (0..72).map(|i| bit(a, i) * bit(b, i)).sum::<f64>();
        for query in bits(5, 72, 0.3, 58).chunks_exact(9) {
            let request = Request { exact: true, limit: wanted.rows, ..Request::new(query) };
            let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
            assert_eq!(hits.len(), wanted.rows);
            for hit in hits {
                let row = rows[hit.row as usize];
                let [n, m, common] = [both(query, query), both(row, row), both(query, row)];
                let own = match metric {
                    Metric::Hamming => n + m - 2.0 * common,
                    _ => 1.0 - common / (n + m - common),
                };
                assert!((f64::from(hit.distance) - own).abs() < 1e-6, "{wanted:?}");
            }
            if index_type == IndexType::BinFlat {
                continue;
            }
            let lists = second.lists();
            let section = second.section(3).unwrap();
            let start = (4 * lists.len()).next_multiple_of(64);
            assert_eq!(section.len(), start + 72 * lists.len());
            let distance = |list: usize| {
                let shares = &section[start + 72 * list..start + 72 * (list + 1)];
                let sum: f64 = shares.iter().map(|&share| f64::from(share)).sum();
                assert_eq!(f64::from(u32::from_le_bytes(section[4 * list..4 * list + 4].try_into().unwrap())), sum);
                for (i, &share) in shares.iter().enumerate() {
                    let has = lists[list].0.clone().map(|row| bit(rows[row], i)).sum::<f64>();
                    assert!((127.0 * has / lists[list].0.len() as f64 - f64::from(share)).abs() < 0.501);
                }
                let product: f64 = (0..72).map(|i| bit(query, i) * f64::from(shares[i])).sum();
                let all = 127.0 * both(query, query) + sum;
                if metric == Metric::Hamming { all - 2.0 * product } else { -product / (all - product) }
            };
            let nearest = (0..lists.len()).min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap();
            let members = &lists[nearest].0;
            let request = Request { nprobe: Some(1), limit: members.len(), ..Request::new(query) };
            let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
            assert!(hits.iter().all(|hit| members.contains(&(hit.row as usize))), "{wanted:?}");
        }
    }
}

#[test]
fn a_second_reader_walks_the_graph_to_every_row() {
    for wanted in variants().filter(|w| matches!(w.index_type, IndexType::Hnsw | IndexType::HnswSq8)) {
        let bytes = file(&Wanted { rows: 300, ..wanted });
        let second = Second { file: &bytes };
        let (entry, layers) = second.graph();
        assert_eq!(layers[0].len(), 300);
        assert!(layers.last().unwrap().iter().any(|(row, _)| *row == entry));
        let mut reached = vec![false; 300];
        let mut next = vec![entry];
        while let Some(row) = next.pop() {
            if !std::mem::replace(&mut reached[row], true) {
                next.extend(&layers[0][row].1);
            }
        }
        let reached = reached.iter().filter(|r| **r).count();
        assert!(reached >= 298, "{reached} of 300 can be reached");
    }
}
