//! Reads metadata: JSON Lines, one object a row. Values keep the text that they were written with.

use crate::failure::{Failure, Result};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// One row: names and the JSON texts of their values, in the order of the line.
#[derive(Debug, Default)]
pub struct Row {
    pub members: Vec<(String, Box<RawValue>)>,
}

impl Row {
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.members.iter().find(|(n, _)| n == name).map(|(_, value)| &**value)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Row, A::Error> {
                let mut row = Row::default();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if row.get(&name).is_some() {
                        return Err(A::Error::custom(format!("the name {name:?} appears twice")));
                    }
                    row.members.push((name, value));
                }
                Ok(row)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The rows of a file, one after the other; counts lines for messages.
pub struct Rows {
    path: PathBuf,
    reader: BufReader<File>,
    text: String,
    line: usize,
}

impl Rows {
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Failure::io("read", path, &e))?;
        Ok(Rows {
            path: path.to_owned(),
            reader: BufReader::with_capacity(1 << 20, file),
            text: String::new(),
            line: 0,
        })
    }

    /// Where the row read last stands, as `path:line`.
    pub fn place(&self) -> String {
        self.place_of(self.line)
    }

    /// A line as `path:line`.
    pub fn place_of(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    /// The next row; none at the end.
    pub fn next(&mut self) -> Result<Option<Row>> {
        self.text.clear();
        self.line += 1;
        let read = self.reader.read_line(&mut self.text);
        match read {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                return Err(Failure::input("the line isn't UTF-8; write the file as UTF-8").at(self.place()));
            }
            Err(e) => return Err(Failure::io("read", &self.path, &e)),
        }
        // A mark that some editors put at the start of a file.
        let text = if self.line == 1 { self.text.trim_start_matches('\u{FEFF}') } else { &self.text };
        match serde_json::from_str(text) {
            Ok(row) => Ok(Some(row)),
            Err(e) => {
                Err(Failure::input(format!("{}; each line must be one JSON object", describe(&e, text)))
                    .at(self.place()))
            }
        }
    }
}

fn describe(error: &serde_json::Error, text: &str) -> String {
    if text.trim().is_empty() {
        return "the line is empty".into();
    }
    // serde_json counts lines of the text it was given: always the first here.
    let message = error.to_string();
    let message = message.split(" at line 1 column").next().unwrap_or_default();
    format!("column {}: {message}", error.column())
}
