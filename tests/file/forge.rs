//! Files that lie: taken apart, changed, and put together again with right checksums.

use elanus::format::{FileReader, FileWriter, Header, Kind};
use elanus::segment::{Key, Partial, Request, Scratch, Sealed, Step, in_parts};
use elanus::words::{Blob, Hit, Result};

/// A file in pieces.
#[derive(Debug, Clone)]
pub struct Pieces {
    pub header: Header,
    pub sections: Vec<(Kind, Vec<u8>)>,
}

impl Pieces {
    pub fn of(file: &[u8]) -> Result<Pieces> {
        let reader = FileReader::open(Blob::copy_of(file)?)?;
        let kinds = reader.layout().entries.iter().map(|e| e.kind);
        let sections = kinds.filter_map(|kind| Some((kind, reader.section(kind)?.to_vec()))).collect();
        Ok(Pieces { header: *reader.header(), sections })
    }

    /// The file, with the checksums that belong to what it now says.
    pub fn seal(&self) -> Vec<u8> {
        let mut writer = FileWriter::new(self.header);
        self.sections.iter().for_each(|(kind, bytes)| writer.section(*kind, bytes));
        writer.into_bytes()
    }

    /// The same with checksums of blocks that belong to it, too; where lists and rows have their own, with bundles that
    /// belong to the other sections, if they still go together.
    pub fn seal_with_checks(&self) -> Vec<u8> {
        let without = |left_out: &[Kind]| {
            let mut writer = FileWriter::new(self.header);
            let others = self.sections.iter().filter(|(kind, _)| !left_out.contains(kind));
            others.for_each(|(kind, bytes)| writer.section(*kind, bytes));
            writer
        };
        if self.sections.iter().any(|(kind, _)| *kind == Kind::COARSE)
            && let Ok(writer) = in_parts(without(&[Kind::CHECKS, Kind::BUNDLES]))
        {
            return writer.into_bytes();
        }
        without(&[Kind::CHECKS]).with_checks().into_bytes()
    }

    pub fn section(&mut self, kind: Kind) -> &mut Vec<u8> {
        let at = self.sections.iter().position(|(k, _)| *k == kind).expect("the file has the section");
        &mut self.sections[at].1
    }
}

/// Does with a file everything that can be done with one. What it returns is what opening and
/// verifying said; answers of files that don't verify needn't be right, but there must be no panic.
pub fn exercise(file: &[u8]) -> Result<()> {
    let sealed = Sealed::open(Blob::copy_of(file)?)?;
    let verified = sealed.verify();
    let header = *sealed.header();
    // A forged dimension must not make the test itself ask for much.
    let query: Vec<f32> = (0..header.dimension).map(|i| (i as f32 * 0.37).sin()).collect();
    let bits: Vec<u8> = (0..header.dimension / 8).map(|i| (i * 37 % 251) as u8).collect();
    let mut scratch = Scratch::default();
    let plain = match header.index_type.is_binary() {
        true => Request::new(&bits[..]),
        false => Request::new(&query),
    };
    let filters =
        [None, Some("part == \"noun\""), Some("row > 5 and not (even)"), Some("part like \"%e%\" or half < 3")];
    for filter in filters {
        for (exact, rerank, ef) in
            [(true, None, None), (false, None, None), (false, Some(0), Some(1)), (false, Some(30), Some(100))]
        {
            let request = Request { filter, exact, rerank, ef, ..plain.clone() };
            let Ok(hits) = sealed.search(&request, &mut scratch) else { continue };
            assert!(hits.len() <= 10, "{} hits", hits.len());
            let mut rows: Vec<u32> = hits.iter().map(|hit| hit.row).collect();
            assert!(rows.iter().all(|&row| row < header.count), "row past the end: {rows:?}");
            for &row in &rows {
                if let Ok(key) = sealed.key(row) {
                    sealed.row(&key);
                }
            }
            let _ = sealed.fields(&rows);
            rows.sort_unstable();
            rows.dedup();
            if verified.is_ok() {
                assert_eq!(rows.len(), hits.len(), "a row came twice");
                let given = |hit: &Hit| Hit { row: sealed.given(hit.row).unwrap(), ..*hit };
                let in_order = |pair: &[Hit]| given(&pair[0]).order(&given(&pair[1])).is_lt();
                assert!(hits.windows(2).all(in_order), "out of order: {hits:?}");
            }
        }
    }
    sealed.row(&Key::Int64(1));
    sealed.row(&Key::VarChar("x".into()));
    let _ = sealed.for_each_fields(|_, _| Ok(()));
    verified
}

/// Searches a file by its parts in every way that there is. There must be no panic, and no row past the end.
pub fn exercise_parts(file: &[u8]) -> Result<()> {
    let mut partial = Partial::open(&file[..file.len().min(1000)], file.len() as u64)?;
    let header = *partial.header();
    let query: Vec<f32> = (0..header.dimension).map(|i| (i as f32 * 0.37).sin()).collect();
    let mut scratch = Scratch::default();
    for (filter, rerank, with_fields) in [
        (None, Some(0), false),
        (None, Some(20), true),
        (Some("row > 5"), None, true),
        (Some("part == \"noun\""), None, false),
    ] {
        let request = Request { filter, rerank, nprobe: Some(3), ..Request::new(&query[..]) };
        let found = fed(file, &mut partial, |partial| partial.search(&request, with_fields, &mut scratch));
        let Ok(hits) = found else { continue };
        let rows: Vec<u32> = hits.iter().map(|hit| hit.row).collect();
        assert!(rows.iter().all(|&row| row < header.count), "row past the end: {rows:?}");
        let _ = fed(file, &mut partial, |partial| partial.read(&rows, with_fields));
    }
    fed(file, &mut partial, Partial::card).map(drop)
}

/// Feeds what a call lacks until it is done.
fn fed<T>(file: &[u8], partial: &mut Partial, mut call: impl FnMut(&mut Partial) -> Result<Step<T>>) -> Result<T> {
    for _ in 0..9 {
        match call(partial)? {
            Step::Done(done) => return Ok(done),
            Step::Lacks(ranges) => {
                for range in ranges.into_iter().rev() {
                    partial.feed(range.start, &file[range.start as usize..range.end as usize])?;
                }
            }
        }
    }
    panic!("it asks for more and more");
}
