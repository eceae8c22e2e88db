//! Apache Arrow's IPC format: files, which Feather of version 2 are as well, and streams.
//!
//! Both are made of messages, each with a head in FlatBuffers and a body; a file has a footer that says
//! where they are. Messages are found and checked here, and decoded by `arrow-ipc`.

use super::Vectors;
use super::columns::{Column, choose, decoding};
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::read_record_batch;
use arrow_ipc::{Endianness, MetadataVersion, root_as_footer, root_as_message};
use arrow_schema::{Schema, SchemaRef};
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

const MAGIC: &[u8; 6] = b"ARROW1";

/// Before the length of each message; writers of before 2019 left it out.
const CONTINUATION: [u8; 4] = [0xFF; 4];

/// The parts of a batch may be so large whatever they are packed into, and [`MAX_RATIO`] times as large as that.
const SMALL: u64 = 8 << 20;
const MAX_RATIO: u64 = 1024;

/// The vectors of the column of this name, or of the only one that holds some.
pub fn read(
    path: &Path,
    reader: &mut (impl Read + Seek),
    bytes: u64,
    array: Option<&str>,
    progress: Progress,
) -> Result<Vectors> {
    let messages = Messages { path, reader, bytes, at: 0 };
    decoding(path, || messages.vectors(array, progress))
}

/// A head, and the bytes behind it.
type Message = (Vec<u8>, Buffer);

struct Messages<'a, R> {
    path: &'a Path,
    reader: &'a mut R,
    /// Bytes of the file.
    bytes: u64,
    at: u64,
}

impl<R: Read + Seek> Messages<'_, R> {
    fn vectors(mut self, array: Option<&str>, progress: Progress) -> Result<Vectors> {
        let start = self.take(self.bytes.min(8))?;
        if start.starts_with(MAGIC) {
            return self.file(array, progress);
        }
        if start.starts_with(&CONTINUATION) {
            self.at = 0;
            return self.stream(array, progress);
        }
        Err(self.refused(match start.get(..4) {
            Some(b"PAR1") => "it is a Parquet file: give it the ending .parquet".into(),
            Some(b"FEA1") => {
                "it is Feather of version 1: write it with pyarrow.feather.write_feather, which writes version 2".into()
            }
            _ => "this is neither a file nor a stream of Arrow; write it with pyarrow.feather.write_feather".into(),
        }))
    }

    /// A file: the footer says where the batches are.
    fn file(mut self, array: Option<&str>, progress: Progress) -> Result<Vectors> {
        let tail = (MAGIC.len() + 4) as u64;
        self.at = self.bytes.checked_sub(tail).filter(|&at| at >= 8).ok_or_else(|| self.cut())?;
        let (end, tail) = (self.at, self.take(tail)?);
        let length = tail.first_chunk().map_or(0, |&length| u32::from_le_bytes(length));
        if !tail.ends_with(MAGIC) {
            return Err(self.cut());
        }
        self.at = end.checked_sub(length.into()).filter(|&at| at >= 8).ok_or_else(|| self.cut())?;
        let footer = self.take(length.into())?;
        let footer = root_as_footer(&footer).map_err(|e| self.damaged(e))?;
        let (schema, column) = self.schema(footer.schema(), array)?;
        let blocks = footer.recordBatches();
        let bar = progress.count("reading vectors", blocks.map_or(0, |blocks| blocks.len() as u64));
        let mut vectors = Column::new(self.path, schema.field(column).name(), self.bytes);
        for block in blocks.into_iter().flatten() {
            self.at = u64::try_from(block.offset()).map_err(|e| self.damaged(e))?;
            let message = self.message()?.ok_or_else(|| self.damaged("a batch is missing"))?;
            self.batch(&message, &schema, column, &mut vectors)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        vectors.finish()
    }

    /// A stream: messages one behind the other, up to a mark.
    fn stream(mut self, array: Option<&str>, progress: Progress) -> Result<Vectors> {
        let (head, _) = self.message()?.ok_or_else(|| self.damaged("it has no schema"))?;
        let message = root_as_message(&head).map_err(|e| self.damaged(e))?;
        let (schema, column) = self.schema(message.header_as_schema(), array)?;
        let mut vectors = Column::new(self.path, schema.field(column).name(), self.bytes);
        let bar = progress.bytes("reading vectors", self.bytes);
        while let Some(message) = self.message()? {
            self.batch(&message, &schema, column, &mut vectors)?;
            bar.set_position(self.at);
        }
        bar.finish_and_clear();
        vectors.finish()
    }

    fn schema(&self, schema: Option<arrow_ipc::Schema<'_>>, array: Option<&str>) -> Result<(SchemaRef, usize)> {
        let schema = schema.ok_or_else(|| self.damaged("it has no schema"))?;
        if schema.endianness() != Endianness::Little {
            return Err(self.refused("its numbers are big-endian; write it on a little-endian machine".into()));
        }
        let schema: Schema = try_fb_to_schema(schema).map_err(|e| self.damaged(e))?;
        let column = choose(self.path, schema.fields(), array)?;
        Ok((Arc::new(schema), column))
    }

    /// The message at `at`; none at the mark that ends a stream.
    fn message(&mut self) -> Result<Option<Message>> {
        let mut length = self.take(4)?;
        if length == CONTINUATION {
            length = self.take(4)?;
        }
        let length = length.first_chunk().map_or(0, |&length| u32::from_le_bytes(length));
        if length == 0 {
            return Ok(None);
        }
        let head = self.take(length.into())?;
        let body = root_as_message(&head).map_err(|e| self.damaged(e))?.bodyLength();
        let body = self.take(u64::try_from(body).map_err(|e| self.damaged(e))?)?;
        Ok(Some((head, Buffer::from_vec(body))))
    }

    /// Takes the vectors of a batch. Dictionaries, of other columns, are passed over.
    fn batch(&self, (head, body): &Message, schema: &SchemaRef, column: usize, vectors: &mut Column<'_>) -> Result<()> {
        let message = root_as_message(head).map_err(|e| self.damaged(e))?;
        let Some(batch) = message.header_as_record_batch() else { return Ok(()) };
        let mut unpacked = 0u64;
        for buffer in batch.buffers().into_iter().flatten() {
            let range = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
            let part = range.and_then(|(start, length)| body.get(start..start.checked_add(length)?));
            let part = part.ok_or_else(|| self.damaged("a part of a batch is said to be where there is nothing"))?;
            // A part that is compressed has its length without compression in front; −1 is for one that isn't.
            if let Some(&length) = part.first_chunk().filter(|_| batch.compression().is_some()) {
                unpacked = unpacked.saturating_add(i64::from_le_bytes(length).max(0) as u64);
            }
        }
        if unpacked > SMALL.saturating_add((body.len() as u64).saturating_mul(MAX_RATIO)) {
            return Err(self.damaged(format!("a batch of {} bytes claims to unpack to {unpacked}", body.len())));
        }
        let version = MetadataVersion(message.version().0);
        let none = HashMap::new();
        let batch = read_record_batch(body, batch, schema.clone(), &none, Some(&[column]), &version);
        vectors.take(batch.map_err(|e| self.damaged(e))?.column(0))
    }

    /// The next so many bytes.
    fn take(&mut self, bytes: u64) -> Result<Vec<u8>> {
        let end = self.at.checked_add(bytes).filter(|&end| end <= self.bytes).ok_or_else(|| self.cut())?;
        let io = |e: std::io::Error| Failure::io("read", self.path, &e);
        self.reader.seek(SeekFrom::Start(self.at)).map_err(io)?;
        let mut out = Vec::new();
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        out.try_reserve_exact(length).map_err(|_| self.damaged(format!("no memory could be had for {bytes} bytes")))?;
        out.resize(length, 0);
        self.reader.read_exact(&mut out).map_err(io)?;
        self.at = end;
        Ok(out)
    }

    fn refused(&self, what: String) -> Failure {
        Failure::input(format!("{}: {what}", self.path.display()))
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Failure {
        self.refused(format!(
            "this is no Arrow file that can be read ({what}); it is damaged, or of a kind that isn't read"
        ))
    }

    fn cut(&self) -> Failure {
        self.refused("it ends before its end is marked; it was cut off, or its writer wasn't closed".into())
    }
}
