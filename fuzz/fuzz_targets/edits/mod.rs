//! Edits of bytes as an input tells of them: eight bytes each, a place, how many bytes are meant, what is done, and the bytes.

/// Makes the edits.
pub fn apply(bytes: &mut Vec<u8>, edits: &[u8]) {
    for edit in edits.chunks_exact(8) {
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        let value = &edit[4..4 + usize::from(edit[2] % 5)];
        match edit[3] % 16 {
            0 => bytes.truncate(place),
            1 => bytes.extend_from_slice(value),
            _ if place + value.len() <= bytes.len() => bytes[place..place + value.len()].copy_from_slice(value),
            _ => {}
        }
    }
}
