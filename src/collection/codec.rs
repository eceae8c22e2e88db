//! Pieces that logs, manifests and catalogs are written of: texts, values, keys, and the envelope
//! that says whether a file is whole.

use crate::filter::Value;
use crate::segment::Key;
use crate::words::{Code, Cursor, Error, Result};
use std::borrow::Cow;
use std::hash::Hasher;
use xxhash_rust::xxh64::Xxh64;

/// Bytes of an envelope's head.
pub(super) const HEAD: usize = 40;

/// Puts a payload into an envelope.
pub(super) fn seal(magic: [u8; 8], version: u32, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + payload.len());
    out.extend(magic);
    out.extend(version.to_le_bytes());
    out.extend(0u32.to_le_bytes());
    out.extend(sequence.to_le_bytes());
    out.extend((payload.len() as u64).to_le_bytes());
    let sum = checksum(&out, payload);
    out.extend(sum.to_le_bytes());
    out.extend(payload);
    out
}

/// Takes sequence and payload out of an envelope. Bytes after the payload don't count: a file that
/// was longer may have been written over.
///
/// # Errors
/// `UNSUPPORTED_FORMAT`, `UNSUPPORTED_VERSION`, `CORRUPT_FILE`.
pub(super) fn unseal<'a>(magic: [u8; 8], version: u32, bytes: &'a [u8], what: &'static str) -> Result<(u64, &'a [u8])> {
    let mut c = Cursor::new(bytes, what);
    if c.take(8)? != magic {
        return Err(Error::new(
            Code::UnsupportedFormat,
            format!("the bytes are no {what}: they don't start as one; give the file that elanus wrote"),
        ));
    }
    let (found, reserved, sequence, length) = (c.u32()?, c.u32()?, c.u64()?, c.size()?);
    if found != version {
        return Err(Error::new(
            Code::UnsupportedVersion,
            format!("{what} has version {found}; this elanus reads version {version}: update it"),
        ));
    }
    let sum = c.u64()?;
    let payload = c.take(length)?;
    if reserved != 0 || checksum(&bytes[..HEAD - 8], payload) != sum {
        return Err(Error::corrupt(format!("the checksum of {what} doesn't fit its bytes; it is damaged")));
    }
    Ok((sequence, payload))
}

fn checksum(head: &[u8], payload: &[u8]) -> u64 {
    let mut hash = Xxh64::new(0);
    hash.write(head);
    hash.write(payload);
    hash.finish()
}

pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

pub(super) fn read_text(c: &mut Cursor<'_>) -> Result<String> {
    let length = c.u32()? as usize;
    let bytes = c.take(length)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Error::corrupt("a text isn't UTF-8; the file is damaged")),
    }
}

pub(super) fn write_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.push(0),
        Value::Bool(value) => out.push(1 + u8::from(*value)),
        Value::Int64(value) => {
            out.push(3);
            out.extend(value.to_le_bytes());
        }
        Value::Double(value) => {
            out.push(4);
            out.extend(value.to_le_bytes());
        }
        Value::VarChar(text) => {
            out.push(5);
            write_text(out, text);
        }
    }
}

pub(super) fn read_value(c: &mut Cursor<'_>) -> Result<Value<'static>> {
    Ok(match c.u8()? {
        0 => Value::Null,
        flag @ (1 | 2) => Value::Bool(flag == 2),
        3 => Value::Int64(c.u64()? as i64),
        4 => Value::Double(f64::from_bits(c.u64()?)),
        5 => Value::VarChar(Cow::Owned(read_text(c)?)),
        other => return Err(Error::corrupt(format!("a value is of kind {other}, which is none; the file is damaged"))),
    })
}

pub(super) fn read_flag(c: &mut Cursor<'_>) -> Result<bool> {
    match c.u8()? {
        bit @ (0 | 1) => Ok(bit == 1),
        other => Err(Error::corrupt(format!("a flag is {other}; the file is damaged"))),
    }
}

pub(super) fn write_key(out: &mut Vec<u8>, key: &Key) {
    match key {
        Key::Int64(key) => out.extend(key.to_le_bytes()),
        Key::VarChar(key) => write_text(out, key),
    }
}

pub(super) fn read_key(c: &mut Cursor<'_>, varchar: bool) -> Result<Key> {
    Ok(if varchar { Key::VarChar(read_text(c)?) } else { Key::Int64(c.u64()? as i64) })
}

/// A count of things that take at least `least` bytes each, so that no more are made room for than
/// the bytes can hold.
pub(super) fn read_count(c: &mut Cursor<'_>, least: usize, what: &str) -> Result<usize> {
    let count = c.u32()? as usize;
    if count > c.remaining() / least {
        return Err(Error::corrupt(format!(
            "{count} {what} are stated, which {} bytes can't hold; the file is damaged",
            c.remaining()
        )));
    }
    Ok(count)
}

/// Refuses bytes after the last thing.
pub(super) fn read_end(c: &Cursor<'_>, what: &str) -> Result<()> {
    match c.remaining() {
        0 => Ok(()),
        left => Err(Error::corrupt(format!("{what} ends {left} bytes early; the file is damaged"))),
    }
}
