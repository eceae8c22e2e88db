//! The manifest of a release: what it is made of, where it came from, how good it was found to be.
//! It is an object like the files that it names, so a name and a hash pin all of a release.

use super::digest::{digest, is_digest};
use super::self_test::SelfTest;
use super::state::{SCHEMA_VERSION, check_version, damaged};
use crate::evaluate::Evaluation;
use crate::failure::Result;
use elanus::segment::Sealed;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `objects/<sha256>.json`; its shape is published as `docs/schema/manifest-1.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub schema_version: u32,
    pub release: String,
    /// RFC 3339, in UTC.
    pub created: String,
    pub author: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The index first.
    pub files: Vec<FileEntry>,
    pub index: IndexCard,
    /// What made the vectors, from the index's card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataCard>,
    /// The build's parameters and its seed, from the index's card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<Evaluation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_test: Option<SelfTest>,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Index,
    Model,
    /// Of the reference queries and the corpus: `docs/schema/sketch-1.json`.
    Sketch,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    pub role: Role,
    /// The name it had when it was added.
    pub name: String,
    /// From the registry's root.
    pub path: String,
    pub sha256: String,
    pub bytes: u64,
}

/// What the index file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexCard {
    pub count: u32,
    pub dimension: u32,
    pub metric: String,
    pub index_type: String,
    /// XXH64 of the file's header and section table.
    pub checksum: String,
}

impl IndexCard {
    pub fn of(sealed: &Sealed) -> Self {
        let header = sealed.header();
        IndexCard {
            count: header.count,
            dimension: header.dimension,
            metric: header.metric.name().into(),
            index_type: header.index_type.name().into(),
            checksum: format!("{:016x}", sealed.layout().checksum),
        }
    }
}

/// Where the rows came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCard {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    pub rows: u32,
}

impl Manifest {
    pub fn parse(bytes: &[u8], sha256: &str) -> Result<Self> {
        let found = digest(bytes);
        if found != sha256 {
            return Err(damaged(format!("the manifest {sha256} has the hash {found}: it was changed or cut")));
        }
        let what = format!("the manifest {sha256}");
        let text = std::str::from_utf8(bytes).map_err(|_| damaged(format!("{what} is no UTF-8")))?;
        check_version(text, &what)?;
        let manifest: Manifest = serde_json::from_str(text).map_err(|e| damaged(format!("{what}: {e}")))?;
        let places = manifest.files.iter().all(|f| is_digest(&f.sha256) && f.path == object_path(&f.sha256, &f.path));
        let count = |role| manifest.files.iter().filter(|file| file.role == role).count();
        let roles = count(Role::Index) == 1 && count(Role::Sketch) <= 1;
        if !places || !roles || manifest.files[0].role != Role::Index {
            return Err(damaged(format!("{what} doesn't name its files as a registry does")));
        }
        Ok(manifest)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        // Maps of texts and numbers always have a text.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The index file. `parse` has seen that there is one.
    pub fn index_file(&self) -> &FileEntry {
        &self.files[0]
    }

    /// What its reference queries and its corpus were like, if that was stored.
    pub fn sketch(&self) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.role == Role::Sketch)
    }

    /// Puts a sketch in the place of the one that was there.
    pub fn set_sketch(&mut self, entry: FileEntry) {
        self.files.retain(|file| file.role != Role::Sketch);
        self.files.push(entry);
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Where an object lies. Of the name only a plain ending is kept, since hosts choose the type by it.
pub fn object_path(sha256: &str, name: &str) -> String {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let plain = !ending.is_empty() && ending.len() <= 12 && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    format!("objects/{sha256}.{}", if plain { ending.to_ascii_lowercase() } else { "bin".into() })
}

impl Manifest {
    /// A manifest of this version without evaluations.
    pub fn new(release: String, created: String, author: String, files: Vec<FileEntry>, index: IndexCard) -> Self {
        Manifest {
            schema_version: SCHEMA_VERSION,
            release,
            created,
            author,
            commit: None,
            notes: None,
            files,
            index,
            model: None,
            data: None,
            build: None,
            evaluations: Vec::new(),
            self_test: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_keep_plain_endings() {
        for (name, ending) in [
            ("words.elanus", "elanus"),
            ("model.ONNX", "onnx"),
            ("README", "bin"),
            ("a.tar/b", "bin"),
            (".", "bin"),
            ("x.é", "bin"),
        ] {
            assert_eq!(object_path("00", name), format!("objects/00.{ending}"));
        }
    }
}
