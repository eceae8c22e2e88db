//! Ranges of a file, put together for fetching.

use std::ops::Range;

/// Joins neighbours while what lies between costs less than another request, `gap` bytes; then those
/// that are least apart until there are `most` at the most. The ranges don't overlap; they come
/// out sorted.
pub fn merge(mut ranges: Vec<Range<u64>>, mut gap: u64, most: usize) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    if ranges.len() > most.max(1) {
        let mut gaps: Vec<u64> = ranges.windows(2).map(|pair| pair[1].start - pair[0].end).collect();
        // The most - 1 widest stay; equally wide ones may go, too.
        let joined = ranges.len() - most.max(1);
        gap = gap.max(*gaps.select_nth_unstable(joined - 1).1);
    }
    ranges.dedup_by(|next, last| {
        let joins = next.start - last.end <= gap;
        if joins {
            last.end = next.end;
        }
        joins
    });
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_lost_and_few_are_left(steps in prop::collection::vec((1u64..50, 1u64..50), 0..30), gap in 0u64..60, most in 0usize..12) {
            let mut at = 0;
            let ranges: Vec<Range<u64>> = steps.iter().map(|(skip, length)| {
                let range = at + skip..at + skip + length;
                at = range.end;
                range
            }).collect();
            let merged = merge(ranges.clone(), gap, most);
            prop_assert!(merged.len() <= most.max(1));
            prop_assert!(merged.windows(2).all(|pair| pair[1].start > pair[0].end + gap));
            for range in &ranges {
                prop_assert!(merged.iter().any(|m| m.start <= range.start && m.end >= range.end));
            }
            let ends = |all: &[Range<u64>]| (all.first().map(|r| r.start), all.last().map(|r| r.end));
            prop_assert_eq!(ends(&merged), ends(&ranges));
        }
    }

    #[test]
    fn the_narrowest_gaps_go_first() {
        let ranges = vec![0..10, 12..20, 120..130, 135..140];
        assert_eq!(merge(ranges.clone(), 2, 9), [0..20, 120..130, 135..140]);
        assert_eq!(merge(ranges.clone(), 0, 2), [0..20, 120..140]);
        assert_eq!(merge(ranges, 0, 1), vec![0..140]);
    }
}
