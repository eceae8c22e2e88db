//! Vectors alone, for whatever reads them: Annoy has its users add rows to it one by one.

use super::{Parts, Sink, floats};

/// A NumPy array of 32-bit floats, of the shape (rows, dimensions): what `numpy.load` reads.
///
/// # Errors
/// Those of `sink`.
pub fn npy<E>(parts: &Parts, sink: &mut Sink<'_, E>) -> Result<(), E> {
    let shape = (parts.rows(), parts.dimension);
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape:?}, }}");
    // The format has the array start at a multiple of 64.
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    sink(b"\x93NUMPY\x01\x00")?;
    sink(&(header.len() as u16).to_le_bytes())?;
    sink(header.as_bytes())?;
    floats(&parts.vectors, sink)
}

/// Each vector with its dimension in front.
///
/// # Errors
/// Those of `sink`.
pub fn fvecs<E>(parts: &Parts, sink: &mut Sink<'_, E>) -> Result<(), E> {
    for vector in parts.vectors.chunks_exact(parts.dimension.max(1)) {
        sink(&(parts.dimension as u32).to_le_bytes())?;
        floats(vector, sink)?;
    }
    Ok(())
}
