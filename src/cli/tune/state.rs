//! What was measured so far, in a file: a run that is broken off goes on where it was.

use crate::failure::{Failure, Result};
use elanus::tune::front::Point;
use elanus::tune::space::{Candidate, Setting};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const SCHEMA_VERSION: u32 = 1;

/// The first line.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema_version: u32,
    tool: String,
    /// Of vectors, queries and what else decides what is measured.
    task: String,
}

/// A measurement, one a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    pub candidate: Candidate,
    pub rows: usize,
    pub queries: usize,
    pub setting: Setting,
    pub point: Point,
    /// What the build and this measurement took.
    pub build_seconds: f64,
    pub seconds: f64,
}

/// The file, and what is in it.
pub struct State {
    file: Option<(PathBuf, File)>,
    known: Vec<Measured>,
    /// How much of it was there at the beginning.
    pub resumed: usize,
}

impl State {
    /// Without a path nothing is kept. A file of another task is refused; a last line that was cut counts for nothing.
    pub fn open(path: Option<&Path>, task: String) -> Result<Self> {
        let head = Head { schema_version: SCHEMA_VERSION, tool: env!("CARGO_PKG_VERSION").into(), task };
        let Some(path) = path else { return Ok(State { file: None, known: Vec::new(), resumed: 0 }) };
        let io = |e: std::io::Error| Failure::io("write", path, &e);
        let mut known = Vec::new();
        let mut whole = 0;
        if let Ok(text) = std::fs::read_to_string(path) {
            for (i, line) in text.split_inclusive('\n').enumerate().filter(|(_, line)| line.ends_with('\n')) {
                let at = |e: serde_json::Error| Failure::input(format!("{}, line {}: {e}", path.display(), i + 1));
                if i == 0 {
                    let found: Head = serde_json::from_str(line).map_err(at)?;
                    if found != head {
                        return Err(Failure::input(format!(
                            "{} is of other vectors, queries or options, or of another version; give --state another path, \
                             or delete it",
                            path.display()
                        )));
                    }
                } else {
                    known.push(serde_json::from_str::<Measured>(line).map_err(at)?);
                }
                whole += line.len();
            }
        }
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(io)?;
        file.set_len(whole as u64).and_then(|()| file.seek(SeekFrom::End(0))).map_err(io)?;
        if whole == 0 {
            writeln!(file, "{}", serde_json::to_string(&head).unwrap_or_default()).map_err(io)?;
        }
        let resumed = known.len();
        Ok(State { file: Some((path.to_owned(), file)), known, resumed })
    }

    /// What was measured of this.
    pub fn find(&self, candidate: &Candidate, rows: usize, queries: usize, setting: &Setting) -> Option<&Measured> {
        let same = |m: &&Measured| {
            m.rows == rows && m.queries == queries && m.setting == *setting && m.candidate == *candidate
        };
        self.known.iter().find(same)
    }

    /// Keeps a measurement: on the disk before anything is made of it.
    pub fn keep(&mut self, measured: Measured) -> Result<()> {
        if let Some((path, file)) = &mut self.file {
            let line = serde_json::to_string(&measured).unwrap_or_default() + "\n";
            file.write_all(line.as_bytes()).map_err(|e| Failure::io("write", path, &e))?;
        }
        self.known.push(measured);
        Ok(())
    }

    /// All that was measured.
    pub fn all(&self) -> &[Measured] {
        &self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elanus::tune::space::grid;

    #[test]
    fn what_was_measured_is_found_again_whatever_the_file_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.jsonl");
        let point = Point { quality: 0.9, us: 3.25, p95_us: 4.0, bytes: 52.0 };
        let setting = Setting { rerank: Some(20), ..Setting::default() };
        let measured = |i: usize| Measured {
            candidate: grid(32)[i].clone(),
            rows: 100,
            queries: 10,
            setting,
            point,
            build_seconds: 0.1,
            seconds: 0.2,
        };
        let mut state = State::open(Some(&path), "task".into()).unwrap();
        (0..3).for_each(|i| state.keep(measured(i)).unwrap());
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut state = State::open(Some(&path), "task".into()).unwrap();
            let lines = whole[..length].iter().filter(|&&b| b == b'\n').count();
            assert_eq!(state.resumed, lines.saturating_sub(1), "{length} bytes");
            for i in state.resumed..3 {
                state.keep(measured(i)).unwrap();
            }
            drop(state);
            assert_eq!(std::fs::read(&path).unwrap(), whole, "{length} bytes");
        }
        let state = State::open(Some(&path), "task".into()).unwrap();
        assert_eq!(state.find(&grid(32)[1], 100, 10, &setting), Some(&measured(1)));
        assert_eq!(state.find(&grid(32)[1], 100, 10, &Setting::default()), None);
        assert!(State::open(Some(&path), "other".into()).err().unwrap().message.contains("--state"));
    }
}
