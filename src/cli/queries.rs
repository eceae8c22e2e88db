//! Reads queries: vector files, or JSON from the command line or standard input.

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::vectors::{self, Shape};
use elanus::segment::{Query, Sealed};
use serde::Deserialize;
use std::io::Read;
use std::path::Path;

/// One vector, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Json {
    One(Vec<f32>),
    Many(Vec<Vec<f32>>),
}

/// A query as an index takes it.
#[derive(Debug)]
pub enum Asked {
    Floats(Vec<f32>),
    Bits(Vec<u8>),
}

impl Asked {
    pub fn query(&self) -> Query<'_> {
        match self {
            Asked::Floats(query) => Query::Dense(query),
            Asked::Bits(query) => Query::Bits(query),
        }
    }

    /// Its numbers as bytes, whatever file they came in.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Asked::Floats(query) => query.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Asked::Bits(query) => query.clone(),
        }
    }
}

/// The queries that an argument names, for this file.
pub fn read_for(source: &str, sealed: &Sealed, progress: Progress) -> Result<Vec<Asked>> {
    let header = sealed.header();
    let queries = read(source, header.dimension as usize, progress)?.into_iter();
    match header.index_type.is_binary() {
        true => queries.map(|query| bits(&query).map(Asked::Bits)).collect(),
        false => Ok(queries.map(Asked::Floats).collect()),
    }
}

/// A query of bits, eight to a number.
pub fn bits(query: &[f32]) -> Result<Vec<u8>> {
    vectors::bytes(query).map_err(|at| {
        Failure::input(format!(
            "the index holds bits, but the query has {} at position {at}: write it as bytes, 8 bits each, packed as the \
             index's vectors are, such as [255, 3]",
            query[at]
        ))
    })
}

/// The queries that an argument names: `-` is standard input, `[…]` is JSON, all else is a path.
pub fn read(source: &str, dimension: usize, progress: Progress) -> Result<Vec<Vec<f32>>> {
    if source.trim_start().starts_with('[') {
        return parse(source).map_err(|e| e.at("the query"));
    }
    if source == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|e| Failure::io("read", Path::new("standard input"), &e))?;
        return parse(&text).map_err(|e| e.at("standard input"));
    }
    let path = Path::new(source);
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json") || e.eq_ignore_ascii_case("jsonl")) {
        let text = std::fs::read_to_string(path).map_err(|e| Failure::io("read", path, &e))?;
        return parse(&text).map_err(|e| e.at(path.display()));
    }
    if !vectors::is_vector_file(path) && !path.exists() {
        return Err(Failure::input(format!(
            "{source:?} is no query: give a file ({}, .json), a JSON list such as [0.1, 0.2], or - for standard input",
            vectors::ENDINGS
        )));
    }
    let raw = path.extension().is_some_and(|e| ["f32", "bin", "f16"].iter().any(|raw| e.eq_ignore_ascii_case(raw)));
    let read = vectors::read_queries(path, Shape { dimension: raw.then_some(dimension), array: None }, progress)?;
    Ok(read.data.chunks_exact(read.dimension).map(<[f32]>::to_vec).collect())
}

/// Lists of numbers, or lists of lists, one after the other.
fn parse(text: &str) -> Result<Vec<Vec<f32>>> {
    let mut queries = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter() {
        match value {
            Ok(Json::One(query)) => queries.push(query),
            Ok(Json::Many(many)) => queries.extend(many),
            Err(e) => {
                return Err(Failure::input(format!(
                    "this is no list of numbers, nor a list of such lists ({e}); write a query as [0.1, 0.2, …]"
                )));
            }
        }
    }
    if queries.is_empty() {
        return Err(Failure::input("there is no query in it; write one as [0.1, 0.2, …]"));
    }
    Ok(queries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_one_query_or_many() {
        assert_eq!(parse("[1, 2.5]").unwrap(), [[1.0, 2.5]]);
        assert_eq!(parse("[[1, 2], [3, 4]]").unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(parse("[1, 2]\n[3, 4]\n").unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
        for text in ["", "{}", "[1, \"2\"]", "[[1], 2]", "[1, 2", "[[[1]]]"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
