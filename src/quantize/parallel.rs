//! Work over disjoint parts of an output: on all cores where there are threads, else in order. The
//! result doesn't depend on which.

/// Calls `f` with the number and the bytes of each chunk of `size` bytes (the last may be shorter);
/// returns what it returned, in order.
pub fn map_chunks<T: Send>(bytes: &mut [u8], size: usize, f: impl Fn(usize, &mut [u8]) -> T + Sync) -> Vec<T> {
    #[cfg(not(target_arch = "wasm32"))]
    {
        use rayon::prelude::*;
        bytes.par_chunks_mut(size).enumerate().map(|(i, chunk)| f(i, chunk)).collect()
    }
    #[cfg(target_arch = "wasm32")]
    bytes.chunks_mut(size).enumerate().map(|(i, chunk)| f(i, chunk)).collect()
}

/// Calls `f` with each number below `count`; returns what it returned, in order.
pub fn map_range<T: Send>(count: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    #[cfg(not(target_arch = "wasm32"))]
    {
        use rayon::prelude::*;
        (0..count).into_par_iter().map(f).collect()
    }
    #[cfg(target_arch = "wasm32")]
    (0..count).map(f).collect()
}
