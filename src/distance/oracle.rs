//! The plain definitions in f64: slow, and right.

/// Inner product.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

/// Squared Euclidean distance.
pub fn l2(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum()
}

/// Inner product of integers.
pub fn dot_i8(row: &[i8], query: &[i16]) -> i64 {
    row.iter().zip(query).map(|(&x, &y)| i64::from(x) * i64::from(y)).sum()
}

/// How many bits `has` says are counted, of a bit of each vector at a time.
pub fn bits(a: &[u8], b: &[u8], has: impl Fn(bool, bool) -> bool) -> u32 {
    let bit = |bytes: &[u8], i: usize| bytes[i / 8] >> (i % 8) & 1 == 1;
    (0..8 * a.len()).filter(|&i| has(bit(a, i), bit(b, i))).count() as u32
}

/// Sum of the table entries that row `row` of a block selects.
pub fn table_sum(codes: &[u8], tables: &[u8], row: usize) -> u64 {
    let groups = codes.chunks_exact(16).zip(tables.chunks_exact(16));
    groups.map(|(code, table)| u64::from(table[usize::from(code[row % 16] >> (row / 16 * 4) & 15)])).sum()
}

/// The level of a dimension of a row of `dimensions`, from where the documentation says its bits are.
pub fn level(row: &super::Levels<'_>, dimensions: usize, dimension: usize) -> u64 {
    let position = dimension % 4 * (dimensions / 4) + dimension / 4;
    let mut level = u64::from(row.signs[dimension / 4] >> (row.upper as usize + dimension % 4) & 1);
    let mut from = 0;
    for width in [4, 2, 1].into_iter().filter(|width| row.bits & width != 0) {
        let bytes = dimensions * width as usize / 8;
        let byte = row.low[from + position % bytes];
        level = level << width | u64::from(byte >> (position / bytes * width as usize)) & ((1 << width) - 1);
        from += bytes;
    }
    level
}
