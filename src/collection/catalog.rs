//! The catalog of a database: which collections there are, and their aliases. Kept like a manifest, in
//! two files in turn, so that a name or an alias changes in one step or not at all.
//!
//! In an envelope (`docs/collection.md`), little-endian: the number of the next collection; the
//! collections, each a name and its number; the aliases, each a name and that of its collection.
//! Names ascend.

use super::codec::{read_count, read_end, read_text, seal, unseal, write_text};
use super::manifest::newest;
use crate::words::say::quoted;
use crate::words::{Code, Cursor, Error, Result};
use std::collections::BTreeMap;

const MAGIC: [u8; 8] = *b"\x89ELCAT\n\0";
const VERSION: u32 = 1;

/// The longest name of a collection or an alias: Milvus's limit.
pub const MAX_NAME: usize = 255;

/// The collections of a database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    sequence: u64,
    next: u64,
    collections: BTreeMap<String, u64>,
    aliases: BTreeMap<String, String>,
}

impl Catalog {
    /// Counts up with each change.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Names and numbers of the collections, by name.
    pub fn collections(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.collections.iter().map(|(name, &number)| (name.as_str(), number))
    }

    /// Aliases and the collections that they stand for, by alias.
    pub fn aliases(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.aliases.iter().map(|(alias, name)| (alias.as_str(), name.as_str()))
    }

    /// The name and number of the collection that a name or an alias stands for.
    ///
    /// # Errors
    /// `COLLECTION_NOT_FOUND`, with the names there are.
    pub fn find(&self, name: &str) -> Result<(&str, u64)> {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.collections.get_key_value(name).map(|(name, &number)| (name.as_str(), number)).ok_or_else(|| {
            let there: Vec<&str> = self.collections.keys().take(20).map(String::as_str).collect();
            let there = if there.is_empty() { "there are none".to_owned() } else { there.join(", ") };
            Error::new(
                Code::CollectionNotFound,
                format!("there is no collection {}; the collections: {there}", quoted(name)),
            )
        })
    }

    /// Adds a collection; returns its number.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a name that is none, `COLLECTION_EXISTS` for one that is taken.
    pub fn create(&mut self, name: &str) -> Result<u64> {
        self.check_free(name)?;
        let number = self.next;
        self.next += 1;
        self.sequence += 1;
        self.collections.insert(name.to_owned(), number);
        Ok(number)
    }

    /// Gives a collection another name. Its aliases go with it.
    ///
    /// # Errors
    /// `COLLECTION_NOT_FOUND`, and those of [`Self::create`].
    pub fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let (name, number) = self.find(from)?;
        let name = name.to_owned();
        self.check_free(to)?;
        self.collections.remove(&name);
        self.collections.insert(to.to_owned(), number);
        self.aliases.values_mut().filter(|target| **target == name).for_each(|target| *target = to.to_owned());
        self.sequence += 1;
        Ok(())
    }

    /// Takes a collection out, by its own name; returns its number.
    ///
    /// # Errors
    /// `COLLECTION_NOT_FOUND`; `INVALID_ARGUMENT` while aliases stand for it, as in Milvus.
    pub fn drop_collection(&mut self, name: &str) -> Result<u64> {
        if let Some(target) = self.aliases.get(name) {
            return Err(Error::argument(format!(
                "{} is an alias of {}; drop the alias, or the collection by its own name",
                quoted(name),
                quoted(target)
            )));
        }
        self.find(name)?;
        if let Some((alias, _)) = self.aliases.iter().find(|(_, target)| *target == name) {
            return Err(Error::argument(format!(
                "collection {} has the alias {}; drop or alter the alias first",
                quoted(name),
                quoted(alias)
            )));
        }
        self.sequence += 1;
        Ok(self.collections.remove(name).unwrap_or_default())
    }

    /// Lets an alias stand for a collection.
    ///
    /// # Errors
    /// `COLLECTION_NOT_FOUND`; `COLLECTION_EXISTS` if the name is taken, by an alias too.
    pub fn create_alias(&mut self, alias: &str, collection: &str) -> Result<()> {
        let target = self.find(collection)?.0.to_owned();
        self.check_free(alias)?;
        self.aliases.insert(alias.to_owned(), target);
        self.sequence += 1;
        Ok(())
    }

    /// Lets an alias stand for another collection, in one step.
    ///
    /// # Errors
    /// `COLLECTION_NOT_FOUND`, of the collection or the alias.
    pub fn alter_alias(&mut self, alias: &str, collection: &str) -> Result<()> {
        let target = self.find(collection)?.0.to_owned();
        match self.aliases.get_mut(alias) {
            Some(place) => *place = target,
            None => return Err(no_alias(alias)),
        }
        self.sequence += 1;
        Ok(())
    }

    /// Takes an alias out.
    ///
    /// # Errors
    /// `COLLECTION_NOT_FOUND` if there is none of that name.
    pub fn drop_alias(&mut self, alias: &str) -> Result<()> {
        self.aliases.remove(alias).ok_or_else(|| no_alias(alias))?;
        self.sequence += 1;
        Ok(())
    }

    fn check_free(&self, name: &str) -> Result<()> {
        let good = name.len() <= MAX_NAME
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !good {
            return Err(Error::argument(format!(
                "{} is no name of a collection: it has 1 to {MAX_NAME} letters, digits and underscores and starts with no \
                 digit",
                quoted(name)
            )));
        }
        let taken = match (self.collections.contains_key(name), self.aliases.get(name)) {
            (true, _) => format!("there is a collection {}", quoted(name)),
            (_, Some(target)) => format!("{} is an alias of {}", quoted(name), quoted(target)),
            _ => return Ok(()),
        };
        Err(Error::new(Code::CollectionExists, format!("{taken} already; choose another name, or drop it first")))
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.next.to_le_bytes().to_vec();
        out.extend((self.collections.len() as u32).to_le_bytes());
        for (name, number) in &self.collections {
            write_text(&mut out, name);
            out.extend(number.to_le_bytes());
        }
        out.extend((self.aliases.len() as u32).to_le_bytes());
        for (alias, name) in &self.aliases {
            write_text(&mut out, alias);
            write_text(&mut out, name);
        }
        seal(MAGIC, VERSION, self.sequence, &out)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, `UNSUPPORTED_VERSION`, `CORRUPT_FILE`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (sequence, payload) = unseal(MAGIC, VERSION, bytes, "a database's catalog")?;
        let mut c = Cursor::new(payload, "a database's catalog");
        let mut read = Catalog { sequence, next: c.u64()?, ..Catalog::default() };
        let wrong = |error: Error| Error::corrupt(format!("{}; the catalog is damaged", error.message));
        for _ in 0..read_count(&mut c, 12, "collections")? {
            let (name, number) = (read_text(&mut c)?, c.u64()?);
            read.check_free(&name).map_err(wrong)?;
            if number >= read.next || read.collections.values().any(|&other| other == number) {
                return Err(Error::corrupt(format!(
                    "collection number {number} makes no sense; the catalog is damaged"
                )));
            }
            read.collections.insert(name, number);
        }
        for _ in 0..read_count(&mut c, 8, "aliases")? {
            let (alias, name) = (read_text(&mut c)?, read_text(&mut c)?);
            read.check_free(&alias).map_err(wrong)?;
            if !read.collections.contains_key(&name) {
                return Err(Error::corrupt("an alias stands for no collection; the catalog is damaged"));
            }
            read.aliases.insert(alias, name);
        }
        read_end(&c, "a database's catalog")?;
        Ok(read)
    }

    /// The one that counts of two files; an empty catalog if neither is there.
    ///
    /// # Errors
    /// That of the first file that is there if neither is whole.
    pub fn newest(files: [Option<&[u8]>; 2]) -> Result<Self> {
        match files {
            [None, None] => Ok(Catalog::default()),
            files => newest(files, Catalog::decode, |catalog| catalog.sequence, "catalog"),
        }
    }
}

fn no_alias(alias: &str) -> Error {
    Error::new(Code::CollectionNotFound, format!("there is no alias {}; create it first", quoted(alias)))
}
