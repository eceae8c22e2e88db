//! `like` patterns: `%` is any run of characters, `_` any one, and a backslash makes either plain.

/// A pattern, cut at its `%`s.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    /// At least one; the first is held to the start of the text and the last to its end.
    segments: Vec<Vec<Piece>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece {
    Byte(u8),
    /// One character, however many bytes it has.
    Any,
}

impl Pattern {
    /// Reads a pattern. A backslash before anything but `%`, `_` and itself is plain.
    pub(super) fn new(pattern: &str) -> Self {
        let mut segments = vec![Vec::new()];
        let mut bytes = pattern.bytes().peekable();
        while let Some(byte) = bytes.next() {
            let last = segments.len() - 1;
            match byte {
                b'%' => segments.push(Vec::new()),
                b'_' => segments[last].push(Piece::Any),
                b'\\' => segments[last].push(Piece::Byte(bytes.next_if(|b| b"%_\\".contains(b)).unwrap_or(b'\\'))),
                plain => segments[last].push(Piece::Byte(plain)),
            }
        }
        Pattern { segments }
    }

    /// The start that every matching text has and only they have, if the pattern says no more than
    /// that; with it sorted texts needn't be looked at one by one.
    pub(super) fn as_prefix(&self) -> Option<Vec<u8>> {
        match self.segments.as_slice() {
            [first, rest @ ..] if !rest.is_empty() && rest.iter().all(Vec::is_empty) => first
                .iter()
                .map(|piece| match piece {
                    Piece::Byte(byte) => Some(*byte),
                    Piece::Any => None,
                })
                .collect(),
            _ => None,
        }
    }

    /// Whether the whole text matches. Each inner segment takes the first place it fits, which is
    /// never worse than a later one, so the time is at most text × pattern.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let (first, rest) = self.segments.split_first().expect("a pattern has at least one segment");
        let Some(mut at) = fit(first, text, 0) else { return false };
        let Some((last, inner)) = rest.split_last() else { return at == text.len() };
        for segment in inner {
            match (at..=text.len()).filter(|&start| is_start(text, start)).find_map(|start| fit(segment, text, start)) {
                Some(end) => at = end,
                None => return false,
            }
        }
        fit_end(last, text).is_some_and(|start| start >= at)
    }
}

fn is_start(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| byte & 0xC0 != 0x80)
}

/// Where the segment ends if it starts at `at`.
fn fit(segment: &[Piece], text: &[u8], mut at: usize) -> Option<usize> {
    for piece in segment {
        match piece {
            Piece::Byte(byte) if text.get(at) == Some(byte) => at += 1,
            Piece::Byte(_) => return None,
            Piece::Any if at < text.len() => {
                at += 1;
                while !is_start(text, at) {
                    at += 1;
                }
            }
            Piece::Any => return None,
        }
    }
    Some(at)
}

/// Where the segment starts if it ends with the text.
fn fit_end(segment: &[Piece], text: &[u8]) -> Option<usize> {
    let mut at = text.len();
    for piece in segment.iter().rev() {
        at = at.checked_sub(1)?;
        match piece {
            Piece::Byte(byte) if text[at] == *byte => {}
            Piece::Byte(_) => return None,
            Piece::Any => {
                while !is_start(text, at) {
                    at = at.checked_sub(1)?;
                }
            }
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, on characters; exponential, so for short texts only.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            (['%', rest @ ..], text) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            (['\\', c @ ('%' | '_' | '\\'), rest @ ..], [t, tail @ ..]) => c == t && naive(rest, tail),
            (['\\', '%' | '_' | '\\', ..], []) => false,
            (['_', rest @ ..], [_, tail @ ..]) => naive(rest, tail),
            ([c, rest @ ..], [t, tail @ ..]) => c == t && naive(rest, tail),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab%_\\\\é→]{0,7}", text in "[ab%_\\\\é→]{0,7}") {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            let compiled = Pattern::new(&pattern);
            prop_assert_eq!(compiled.matches(text.as_bytes()), naive(&chars(&pattern), &chars(&text)));
            if let Some(prefix) = compiled.as_prefix() {
                prop_assert_eq!(compiled.matches(text.as_bytes()), text.as_bytes().starts_with(&prefix));
            }
        }

        #[test]
        fn damaged_text_is_no_panic(pattern in "[a%_é]{0,6}", text in prop::collection::vec(any::<u8>(), 0..8)) {
            Pattern::new(&pattern).matches(&text);
        }
    }

    #[test]
    fn many_runs_take_no_exponential_time() {
        let pattern = Pattern::new(&"%a".repeat(200));
        assert!(!pattern.matches(&[b'a'; 199]));
        assert!(pattern.matches(&[b'a'; 5000]));
        let pattern = Pattern::new(&("%a_".repeat(100) + "b"));
        assert!(!pattern.matches(&[b'a'; 5000]));
    }

    #[test]
    fn only_a_bare_start_is_a_prefix() {
        assert_eq!(Pattern::new("ab%").as_prefix().as_deref(), Some(&b"ab"[..]));
        assert_eq!(Pattern::new("a\\%%%").as_prefix().as_deref(), Some(&b"a%"[..]));
        for other in ["ab", "a_%", "a%b", "%a%"] {
            assert_eq!(Pattern::new(other).as_prefix(), None, "{other}");
        }
    }
}
