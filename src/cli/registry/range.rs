//! The `Range` header of HTTP (RFC 9110, section 14).

/// What is asked for of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole of it: no range, one that can't be read, or several, which a server may pass over.
    All,
    /// These bytes, at least one.
    Some { from: u64, count: u64 },
    /// Nothing that there is.
    None,
}

/// What a header asks for of a file of so many bytes.
pub fn part(header: Option<&str>, length: u64) -> Part {
    let Some(range) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else { return Part::All };
    let Some((first, last)) = range.trim().split_once('-') else { return Part::All };
    let number = |text: &str| match text {
        "" => Some(None),
        text if text.bytes().all(|b| b.is_ascii_digit()) => Some(Some(text.parse::<u64>().unwrap_or(u64::MAX))),
        _ => None,
    };
    let (from, to) = match (number(first), number(last)) {
        // The last bytes, as many as are asked for.
        (Some(None), Some(Some(0))) => return Part::None,
        (Some(None), Some(Some(count))) => (length.saturating_sub(count), u64::MAX),
        (Some(Some(from)), Some(to)) if to.is_none_or(|to| to >= from) => (from, to.unwrap_or(u64::MAX)),
        _ => return Part::All,
    };
    match length.checked_sub(1) {
        Some(end) if from <= end => Part::Some { from, count: to.min(end) - from + 1 },
        _ => Part::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_those_of_the_specification() {
        let some = |from, count| Part::Some { from, count };
        for (header, expected) in [
            ("bytes=0-0", some(0, 1)),
            ("bytes=2-4", some(2, 3)),
            ("bytes=9-", some(9, 1)),
            ("bytes=0-99", some(0, 10)),
            ("bytes=-3", some(7, 3)),
            ("bytes=-99", some(0, 10)),
            ("bytes=5-99999999999999999999999", some(5, 5)),
            ("bytes=10-", Part::None),
            ("bytes=99999999999999999999-", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=4-2", Part::All),
            ("bytes=0-1,3-4", Part::All),
            ("bytes=a-b", Part::All),
            ("bytes=-", Part::All),
            ("bytes=+1-2", Part::All),
            ("lines=1-2", Part::All),
            ("", Part::All),
        ] {
            assert_eq!(part(Some(header), 10), expected, "{header}");
        }
        assert_eq!(part(None, 10), Part::All);
        assert_eq!(part(Some("bytes=0-"), 0), Part::None);
    }

    proptest! {
        #[test]
        fn what_is_given_is_there(header in "bytes=[0-9]{0,20}-[0-9]{0,20}|.{0,30}", length: u64) {
            if let Part::Some { from, count } = part(Some(&header), length) {
                prop_assert!(count > 0 && from.checked_add(count).is_some_and(|end| end <= length));
            }
        }
    }
}
