//! Sorting by 64-bit keys.
//!
//! A sort of the standard library is some ten kilobytes for each type and comparison that it is made
//! for, a fifth of a browser module all told. So whatever is sorted while searching is put into whole
//! numbers of one type first; comparing those is also quicker.

use super::Hit;

/// A float as a whole number that compares as [`f32::total_cmp`] does.
#[inline]
pub fn ordered(value: f32) -> u32 {
    let bits = value.to_bits();
    bits ^ ((bits.cast_signed() >> 31).cast_unsigned() | 1 << 31)
}

/// The float that [`ordered`] was given.
#[inline]
pub fn from_ordered(number: u32) -> f32 {
    // What was negative has lost its topmost bit.
    let flipped = if number >> 31 == 0 { u32::MAX } else { 1 << 31 };
    f32::from_bits(number ^ flipped)
}

/// Sorts whole numbers, ascending.
#[inline(never)]
pub fn sort(keys: &mut [u64]) {
    keys.sort_unstable();
}

/// Sorts hits, nearest first, ties by row.
pub fn sort_hits(hits: &mut [Hit]) {
    through_keys(hits, sort);
}

/// Puts the `count` nearest hits first, in no order, and the next one behind them.
///
/// # Panics
/// If there are not more than `count` hits.
pub fn select_hits(hits: &mut [Hit], count: usize) {
    through_keys(hits, |keys| {
        keys.select_nth_unstable(count);
    });
}

fn through_keys(hits: &mut [Hit], order: impl FnOnce(&mut [u64])) {
    let mut keys: Vec<u64> = hits.iter().map(|hit| hit.key()).collect();
    order(&mut keys);
    for (hit, key) in hits.iter_mut().zip(keys) {
        *hit = Hit::from_key(key);
    }
}

/// Where each number is in an order of the numbers from 0 up.
pub fn inverse(order: &[u32]) -> Vec<u32> {
    let mut places = vec![0; order.len()];
    (0u32..).zip(order).for_each(|(place, &number)| places[number as usize] = place);
    places
}

/// The positions of numbers in ascending order of the numbers, equal ones by position.
pub fn sort_numbers(count: u32, number: impl Fn(u32) -> i64) -> Vec<u32> {
    sort_by_pieces(count, |i, at| {
        let key = number(i).cast_unsigned() ^ 1 << 63;
        if at == 0 { ((key >> 32) as u32, true) } else { (key as u32, false) }
    })
}

/// The positions of texts in ascending order of their bytes, equal ones by position.
pub fn sort_texts<'a>(count: u32, text: impl Fn(u32) -> &'a [u8]) -> Vec<u32> {
    sort_by_pieces(count, |i, at| {
        let rest = text(i).get(3 * at..).unwrap_or_default();
        let byte = |i: usize| rest.get(i).map_or(0, |&byte| u32::from(byte));
        // Three bytes, and how many there are: a text comes before those that it begins.
        let piece = byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | rest.len().min(4) as u32;
        (piece, rest.len() > 3)
    })
}

/// Sorts positions by keys that come in pieces of 32 bits: by the first piece, then those whose
/// pieces are equal by the next. `piece` is given a position and which piece; it says whether there
/// may be another one.
fn sort_by_pieces(count: u32, piece: impl Fn(u32, usize) -> (u32, bool)) -> Vec<u32> {
    let mut keys: Vec<u64> = (0..u64::from(count)).collect();
    // Runs of which all pieces before this one are equal.
    let mut runs = vec![(0, keys.len(), 0)];
    while let Some((from, to, at)) = runs.pop() {
        for key in &mut keys[from..to] {
            let position = *key as u32;
            *key = u64::from(piece(position, at).0) << 32 | u64::from(position);
        }
        sort(&mut keys[from..to]);
        let mut first = from;
        while first < to {
            let same = keys[first] >> 32;
            let end = first + keys[first..to].iter().take_while(|&&key| key >> 32 == same).count();
            if end - first > 1 && piece(keys[first] as u32, at).1 {
                runs.push((first, end, at + 1));
            }
            first = end;
        }
    }
    keys.into_iter().map(|key| key as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn floats_keep_their_order(a in any::<u32>(), b in any::<u32>()) {
            let (x, y) = (f32::from_bits(a), f32::from_bits(b));
            prop_assert_eq!(ordered(x).cmp(&ordered(y)), x.total_cmp(&y));
            prop_assert_eq!(from_ordered(ordered(x)).to_bits(), a);
        }

        #[test]
        fn hits_are_sorted_and_selected(distances in prop::collection::vec(-3i8..3, 1..100), at in any::<prop::sample::Index>()) {
            let hits: Vec<Hit> =
                distances.iter().enumerate().map(|(row, &d)| Hit { row: row as u32 % 50, distance: d.into() }).collect();
            let (mut sorted, mut ours, mut selected) = (hits.clone(), hits.clone(), hits);
            sorted.sort_by(Hit::order);
            sort_hits(&mut ours);
            prop_assert_eq!(&ours, &sorted);
            let count = at.index(distances.len());
            select_hits(&mut selected, count);
            prop_assert_eq!(selected[count], sorted[count]);
            sort_hits(&mut selected[..count]);
            prop_assert_eq!(&selected[..count], &sorted[..count]);
        }

        #[test]
        fn numbers_are_sorted(numbers in prop::collection::vec(prop_oneof![-2i64..2, any::<i64>(), (-2i64..2).prop_map(|n| n << 32)], 0..60)) {
            let mut sorted: Vec<u32> = (0..numbers.len() as u32).collect();
            sorted.sort_by_key(|&i| numbers[i as usize]);
            prop_assert_eq!(sort_numbers(numbers.len() as u32, |i| numbers[i as usize]), sorted);
        }

        #[test]
        fn texts_are_sorted_as_bytes(texts in prop::collection::vec("[a\0é]{0,9}", 0..60)) {
            let mut sorted: Vec<u32> = (0..texts.len() as u32).collect();
            sorted.sort_by_key(|&i| texts[i as usize].as_bytes());
            prop_assert_eq!(sort_texts(texts.len() as u32, |i| texts[i as usize].as_bytes()), sorted);
        }
    }
}
