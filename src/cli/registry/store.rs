//! A registry's folder: objects that never change, and one change at a time to what names them.
//!
//! A change is made when `registry.json` is renamed into place. Before that, objects and a line of the
//! log may be there that nothing counts; a process that is killed leaves no more than these, the next
//! change writes over the line, and `gc` takes the objects away.

use super::digest::{digest, digest_file};
use super::log::{self, Action, Entry};
use super::manifest::{FileEntry, Manifest, Role, object_path};
use super::signature::{Signer, signature_path};
use super::state::{Release, State, damaged};
use crate::failure::{Exit, Failure, Result};
use crate::progress::Progress;
use crate::replace::{UNFINISHED, replace, replace_with};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const STATE: &str = "registry.json";
const LOG: &str = "log.jsonl";
const LOCK: &str = ".lock";
const OBJECTS: &str = "objects";

/// How long a change waits for another one.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Store {
    root: PathBuf,
}

/// What a registry said at one moment.
pub struct Snapshot {
    pub state: State,
    pub entries: Vec<Entry>,
}

/// What a change says of itself; the store adds number, time and hash.
#[derive(Debug, Default)]
pub struct Draft {
    pub alias: Option<String>,
    pub release: Option<String>,
    pub before: Option<String>,
    pub manifest: Option<String>,
    pub forced: bool,
    pub reason: Option<String>,
}

/// The right to change a registry, held until it is dropped or the process ends.
pub struct Changing<'a> {
    store: &'a Store,
    pub now: Snapshot,
    _lock: File,
}

impl Store {
    /// Whether an empty registry can be made here.
    pub fn can_init(root: &Path) -> Result<()> {
        match root.join(STATE).exists() {
            true => Err(Failure::usage(format!("{} is a registry already", root.display()))),
            false if root.exists() && !root.is_dir() => Err(Failure::usage(format!("{} is no folder", root.display()))),
            false => Ok(()),
        }
    }

    /// Makes an empty registry. One that is there already stays as it is, and is refused.
    pub fn init(root: &Path) -> Result<Store> {
        let io = |e: std::io::Error| Failure::io("make", root, &e);
        fs::create_dir_all(root.join(OBJECTS)).map_err(io)?;
        let store = Store { root: root.to_owned() };
        let lock = store.lock()?;
        Store::can_init(root)?;
        let now = Snapshot { state: State::new(), entries: Vec::new() };
        let mut changing = Changing { store: &store, now, _lock: lock };
        changing.commit(Action::Init, Draft::default(), |_| {})?;
        drop(changing);
        Ok(store)
    }

    pub fn open(root: &Path) -> Result<Store> {
        let store = Store { root: root.to_owned() };
        if !store.path(STATE).exists() {
            return Err(Failure::input(format!(
                "{} is no registry: it has no {STATE}; make one with `elanus registry init {}`",
                root.display(),
                root.display()
            )));
        }
        Ok(store)
    }

    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    pub fn read(&self) -> Result<Snapshot> {
        // The log only grows, so one that is read after the state has all that the state counts.
        let text = self.read_file(STATE)?;
        let state = State::parse(std::str::from_utf8(&text).map_err(|_| damaged(format!("{STATE} is no UTF-8")))?)?;
        let entries = log::parse(&self.read_file(LOG)?, &state.log, state.generation)?;
        Ok(Snapshot { state, entries })
    }

    pub fn manifest(&self, release: &Release) -> Result<Manifest> {
        let manifest =
            Manifest::parse(&self.read_file(&object_path(&release.manifest, "manifest.json"))?, &release.manifest)?;
        match manifest.release == release.name {
            true => Ok(manifest),
            false => Err(damaged(format!(
                "release {} has the manifest of {}: they were mixed up",
                release.name, manifest.release
            ))),
        }
    }

    fn read_file(&self, inside: &str) -> Result<Vec<u8>> {
        let path = self.path(inside);
        fs::read(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => damaged(format!("{} is missing", path.display())),
            _ => Failure::io("read", &path, &e),
        })
    }

    /// Waits for its turn to change the registry.
    pub fn change(&self) -> Result<Changing<'_>> {
        let lock = self.lock()?;
        Ok(Changing { store: self, now: self.read()?, _lock: lock })
    }

    fn lock(&self) -> Result<File> {
        let path = self.path(LOCK);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|e| Failure::io("open", &path, &e))?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure {
                        exit: Exit::System,
                        code: "REGISTRY_BUSY",
                        message: format!(
                            "another process has been changing {} for {} s; try again when it is done",
                            self.root.display(),
                            PATIENCE.as_secs()
                        ),
                    });
                }
                Err(TryLockError::Error(e)) => return Err(Failure::io("lock", &path, &e)),
            }
        }
    }

    /// The files under `objects/`, and what unfinished changes left in the root.
    pub fn files(&self) -> Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for (folder, only_unfinished) in [(OBJECTS, false), ("", true)] {
            let path = self.path(folder);
            let io = |e: std::io::Error| Failure::io("list", &path, &e);
            for entry in fs::read_dir(&path).map_err(io)? {
                let entry = entry.map_err(io)?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                if entry.file_type().map_err(io)?.is_file() && (!only_unfinished || name.starts_with(UNFINISHED)) {
                    let inside = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                    files.push((inside, entry.metadata().map_err(io)?.len()));
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

impl Changing<'_> {
    /// Copies a file into the registry.
    pub fn put_file(&self, role: Role, source: &Path, progress: Progress) -> Result<FileEntry> {
        let io = |e: std::io::Error| Failure::io("read", source, &e);
        let mut file = File::open(source).map_err(io)?;
        let bar = progress.bytes("copying", file.metadata().map_err(io)?.len());
        let name = source.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let count = |piece: &[u8]| {
            bar.inc(piece.len() as u64);
            Ok(())
        };
        let (sha256, bytes) = digest_file(&mut file, count).map_err(io)?;
        let path = object_path(&sha256, &name);
        if !fs::metadata(self.store.path(&path)).is_ok_and(|there| there.len() == bytes) {
            bar.set_position(0);
            file.rewind().map_err(io)?;
            replace(&self.store.path(&path), |sink| {
                let copied = digest_file(&mut file, |piece| {
                    bar.inc(piece.len() as u64);
                    sink(piece)
                })?;
                match copied.0 == sha256 {
                    true => Ok(bytes),
                    false => Err(std::io::Error::other("the file that is copied was changed meanwhile")),
                }
            })?;
        }
        bar.finish_and_clear();
        Ok(FileEntry { role, name, path, sha256, bytes })
    }

    /// Puts bytes that are at hand into the registry.
    pub fn put_bytes(&self, role: Role, name: &str, bytes: &[u8]) -> Result<FileEntry> {
        let sha256 = digest(bytes);
        let path = object_path(&sha256, name);
        replace_with(&self.store.path(&path), bytes)?;
        Ok(FileEntry { role, name: name.into(), path, sha256, bytes: bytes.len() as u64 })
    }

    /// Signs a manifest, and puts the signature beside it.
    pub fn put_signature(&self, signer: &Signer, manifest: &Manifest) -> Result<()> {
        let bytes = manifest.to_bytes();
        let text = signer.sign(&bytes, &manifest.release, seconds())?;
        replace_with(&self.store.path(&signature_path(&digest(&bytes))), text.as_bytes())
    }

    /// Puts a manifest into the registry; returns its hash.
    pub fn put_manifest(&self, manifest: &Manifest) -> Result<String> {
        let bytes = manifest.to_bytes();
        let sha256 = digest(&bytes);
        replace_with(&self.store.path(&object_path(&sha256, "manifest.json")), &bytes)?;
        Ok(sha256)
    }

    /// Makes the change. Until the last step nothing of it counts.
    pub fn commit(&mut self, action: Action, draft: Draft, change: impl FnOnce(&mut State)) -> Result<()> {
        let mut state = self.now.state.clone();
        change(&mut state);
        state.generation += 1;
        let Draft { alias, release, before, manifest, forced, reason } = draft;
        let entry = Entry {
            number: state.generation,
            time: time(),
            who: who(),
            action,
            alias,
            release,
            before,
            manifest,
            forced,
            reason,
            previous: state.log.last.clone(),
        };
        let path = self.store.path(LOG);
        self.append(&path, state.log.bytes, entry.to_line().as_bytes()).map_err(|e| Failure::io("write", &path, &e))?;
        state.log = log::advance(&state.log, &entry.to_line());
        replace_with(&self.store.path(STATE), state.to_text().as_bytes())?;
        self.now.state = state;
        self.now.entries.push(entry);
        Ok(())
    }

    fn append(&self, path: &Path, end: u64, line: &[u8]) -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        file.write_all(line)?;
        file.sync_all()
    }

    /// Takes a file away that nothing names.
    pub fn delete(&self, inside: &str) -> Result<()> {
        let path = self.store.path(inside);
        fs::remove_file(&path).map_err(|e| Failure::io("delete", &path, &e))
    }
}

/// Now, or what SOURCE_DATE_EPOCH says, so that a release can be made again bit for bit.
pub fn time() -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds())).to_string()
}

/// The same in seconds since 1970.
fn seconds() -> u64 {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// Who is at work, as far as the machine knows.
pub fn who() -> String {
    let names = ["ELANUS_AUTHOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "GIT_AUTHOR_NAME", "USER", "USERNAME"];
    let said = names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()));
    said.unwrap_or_else(|| "unknown".into())
}
