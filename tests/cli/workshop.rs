//! A directory of its own for each test, files to put there, and the command to run there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub struct Workshop {
    directory: TempDir,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// Failed with this exit code, and said these things.
    #[track_caller]
    pub fn failed(self, code: i32, parts: &[&str]) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert_eq!(self.out, "", "a failure must leave standard output alone");
        assert!(parts.iter().all(|part| self.err.contains(part)), "{parts:?} in {}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self.err
    }
}

impl Workshop {
    pub fn new() -> Self {
        Workshop { directory: TempDir::new().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs the command here with these arguments, split at spaces.
    pub fn run(&self, arguments: &str) -> Ran {
        self.run_with(&arguments.split_whitespace().collect::<Vec<_>>(), &[], "")
    }

    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Ran {
        let mut child = command(self.directory.path())
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses its arguments may be gone before it reads its input.
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Vectors and metadata of a small collection, as `vectors.npy` and `rows.jsonl`.
    pub fn with_collection(self, rows: usize, dimension: usize) -> Self {
        self.put("vectors.npy", npy("<f4", rows, dimension, &little(&vectors(rows, dimension, 1))));
        let line = |row: usize| {
            format!(
                "{{\"id\": \"w{row}\", \"pos\": \"{}\", \"year\": {}, \"gloss\": \"meaning {row} {}\"}}\n",
                ["noun", "verb"][row % 2],
                1900 + row,
                "x".repeat(130 * (row % 2)),
            )
        };
        self.put("rows.jsonl", (0..rows).map(line).collect::<String>());
        self
    }
}

pub fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elanus"));
    command.current_dir(directory);
    command
}

/// Numbers that are the same in every run, spread over −1..1.
pub fn vectors(rows: usize, dimension: usize, seed: u64) -> Vec<f32> {
    let mut random = elanus::words::random::SplitMix64::new(seed);
    (0..rows * dimension).map(|_| random.normal_f32()).collect()
}

pub fn little(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// A NumPy file of these bytes.
pub fn npy(dtype: &str, rows: usize, dimension: usize, data: &[u8]) -> Vec<u8> {
    npy_with(&format!("'descr': '{dtype}', 'fortran_order': False, 'shape': ({rows}, {dimension})"), data)
}

pub fn npy_with(header: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{{header}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

pub fn fvecs(rows: &[&[f32]]) -> Vec<u8> {
    rows.iter().flat_map(|row| [&(row.len() as i32).to_le_bytes()[..], &little(row)].concat()).collect()
}
