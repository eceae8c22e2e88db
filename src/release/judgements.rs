//! Relevance judgements as TREC writes them: a line for each query and document, `query 0 document grade`.

use crate::words::say::quoted;
use crate::words::{Code, Error, Result};
use std::collections::BTreeMap;

/// Which documents are how relevant for which query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgements {
    queries: BTreeMap<String, BTreeMap<String, i64>>,
}

impl Judgements {
    /// Reads lines of four columns, separated by blanks: query, an iteration that nobody looks at,
    /// document, and a whole number, of which those above 0 mean relevant.
    ///
    /// # Errors
    /// `INVALID_INPUT`, with the line.
    pub fn parse(text: &str) -> Result<Judgements> {
        let mut judgements = Judgements::default();
        for (i, line) in text.lines().enumerate() {
            let wrong = |what: String| Error::new(Code::InvalidInput, format!("line {}: {what}", i + 1));
            let columns: Vec<&str> = line.split_ascii_whitespace().take(5).collect();
            let [query, _, document, grade] = columns[..] else {
                match columns[..] {
                    [] => continue,
                    _ => {
                        let found = if columns.len() > 4 { "more".into() } else { columns.len().to_string() };
                        return Err(wrong(format!(
                            "a judgement has four columns (query, 0, document, grade), but here are {found}"
                        )));
                    }
                }
            };
            let grade = grade.parse().map_err(|_| {
                wrong(format!("the grade must be a whole number, such as 0 or 1, not {}", quoted(grade)))
            })?;
            let of_query = judgements.queries.entry(query.to_owned()).or_default();
            if let Some(before) = of_query.insert(document.to_owned(), grade).filter(|before| *before != grade) {
                return Err(wrong(format!(
                    "document {} is judged {grade} for query {}, but {before} in a line before; keep one of them",
                    quoted(document),
                    quoted(query)
                )));
            }
        }
        if judgements.queries.is_empty() {
            return Err(Error::new(
                Code::InvalidInput,
                "there is no judgement in it; a line reads: query 0 document grade",
            ));
        }
        Ok(judgements)
    }

    /// What is judged for a query: grades by document.
    pub fn of(&self, query: &str) -> Option<&BTreeMap<String, i64>> {
        self.queries.get(query)
    }

    /// The queries that are judged.
    pub fn queries(&self) -> impl Iterator<Item = &str> {
        self.queries.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn lines_are_judgements() {
        let read = Judgements::parse("q1 0 d1 2\r\nq1\tQ0  d2 0\n\n  q2 0 d1 -1\n").unwrap();
        assert_eq!(read.queries().collect::<Vec<_>>(), ["q1", "q2"]);
        assert_eq!((read.of("q1").unwrap()["d1"], read.of("q2").unwrap()["d1"]), (2, -1));
        assert!(read.of("q3").is_none());
        for (text, part) in [
            ("", "no judgement"),
            ("q 0 d", "line 1: a judgement has four columns (query, 0, document, grade), but here are 3"),
            (
                "q 0 d 1\nq 0 d 1 2",
                "line 2: a judgement has four columns (query, 0, document, grade), but here are more",
            ),
            ("q 0 d 0.5", "not \"0.5\""),
            ("q 0 d 99999999999999999999", "whole number"),
            ("q 0 d 1\nq 0 d 2", "judged 2 for query \"q\", but 1"),
        ] {
            let error = Judgements::parse(text).unwrap_err();
            assert!(error.code == Code::InvalidInput && error.message.contains(part), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[q0-9d \\t\\n-]{0,60}|\\PC{0,60}") {
            if let Ok(read) = Judgements::parse(&text) {
                let written: String = read
                    .queries()
                    .flat_map(|q| read.of(q).unwrap().iter().map(move |(d, grade)| format!("{q} 0 {d} {grade}\n")))
                    .collect();
                prop_assert_eq!(Judgements::parse(&written).unwrap(), read);
            }
        }
    }
}
