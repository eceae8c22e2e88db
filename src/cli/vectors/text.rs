//! Vectors as text: JSON Lines and separated values, a line each.

use super::{Vectors, shape};
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use serde_json::Value;
use std::io::{BufRead, Read};
use std::path::Path;

/// A line of more bytes isn't one of vectors.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// Collects rows of one length.
#[derive(Default)]
struct Rows {
    data: Vec<f32>,
    dimension: usize,
    rows: u64,
}

impl Rows {
    /// Checks the row that was appended last.
    fn end_row(&mut self, place: &dyn Fn(String) -> Failure) -> Result<()> {
        let length = self.data.len() - self.rows as usize * self.dimension;
        if self.rows == 0 {
            self.dimension = length;
        }
        if length != self.dimension || length == 0 {
            return Err(place(format!("{length} numbers, where {} were expected", self.dimension.max(1))));
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(self, path: &Path) -> Result<Vectors> {
        let dimension = shape(path, self.rows, self.dimension as u64)?;
        Ok(Vectors { data: self.data, dimension })
    }
}

/// Gives each line that isn't empty to `take`, with its number from 1.
fn each_line(
    path: &Path,
    reader: &mut impl BufRead,
    progress: Progress,
    bytes: u64,
    mut take: impl FnMut(&str, usize) -> Result<()>,
) -> Result<()> {
    let bar = progress.bytes("reading vectors", bytes);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        let mut limited = reader.by_ref().take(MAX_LINE_BYTES);
        let read = limited.read_line(&mut line).map_err(|e| Failure::io("read", path, &e))?;
        if read == 0 {
            break;
        }
        if read as u64 == MAX_LINE_BYTES {
            return Err(Failure::input(format!("{}: line {number} is too long to be a vector", path.display())));
        }
        bar.inc(read as u64);
        let trimmed = line.trim_start_matches('\u{FEFF}').trim();
        if !trimmed.is_empty() {
            take(trimmed, number)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// Lines that are lists of numbers, or objects with a field that is one: the field of this name, or the
/// only one.
pub fn json_lines(
    path: &Path,
    reader: &mut impl BufRead,
    array: Option<&str>,
    progress: Progress,
    bytes: u64,
) -> Result<Vectors> {
    let mut rows = Rows::default();
    let mut field = array.map(str::to_owned);
    each_line(path, reader, progress, bytes, |line, number| {
        let place = |what: String| Failure::input(format!("{}: line {number}: {what}", path.display()));
        let value: Value = serde_json::from_str(line).map_err(|e| place(format!("this is no JSON ({e})")))?;
        let list = match value {
            Value::Array(list) => list,
            Value::Object(mut object) => {
                if field.is_none() {
                    let mut lists = object.iter().filter(|(_, value)| is_vector(value)).map(|(name, _)| name);
                    field = lists.next().filter(|_| lists.next().is_none()).cloned();
                }
                let name = field.as_deref().unwrap_or_default();
                match object.remove(name) {
                    Some(Value::Array(list)) => list,
                    _ => {
                        let names: Vec<&str> = object.keys().map(String::as_str).collect();
                        return Err(place(format!(
                            "choose with --array the field that holds the vector, a list of numbers; there are: {}",
                            names.join(", ")
                        )));
                    }
                }
            }
            _ => return Err(place("this is neither a list of numbers nor an object".into())),
        };
        for value in list {
            let number = value.as_f64().ok_or_else(|| place(format!("{value} is no number")))?;
            rows.data.push(number as f32);
        }
        rows.end_row(&place)
    })?;
    rows.finish(path)
}

fn is_vector(value: &Value) -> bool {
    value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_number))
}

/// Lines of numbers between commas, semicolons, tabs or spaces. A first line without any number is a head.
pub fn separated(path: &Path, reader: &mut impl BufRead, progress: Progress, bytes: u64) -> Result<Vectors> {
    let mut rows = Rows::default();
    each_line(path, reader, progress, bytes, |line, number| {
        let place = |what: String| Failure::input(format!("{}: line {number}: {what}", path.display()));
        let separator = [',', ';', '\t'].into_iter().find(|&c| line.contains(c)).unwrap_or(' ');
        let parts = || line.split(separator).map(str::trim).filter(|part| separator != ' ' || !part.is_empty());
        if number == 1 && parts().all(|part| part.parse::<f32>().is_err()) {
            return Ok(());
        }
        for part in parts() {
            let value = part.parse::<f32>().map_err(|_| {
                place(format!(
                    "{part:?} is no number; a file of vectors has nothing else, metadata goes into --metadata"
                ))
            })?;
            rows.data.push(value);
        }
        rows.end_row(&place)
    })?;
    rows.finish(path)
}
