//! Makes terms of a text, the same ones when an index is built and when it is asked.
//!
//! 1. If diacritics are folded: NFKD, and what is left of it without U+0300 to U+036F.
//! 2. NFKC (Unicode normalisation form KC, by `icu_normalizer`).
//! 3. Lower case, character by character.
//! 4. Word boundaries of Unicode's UAX #29 (by `unicode-segmentation`); what has no letter or digit
//!    is no word.
//! 5. Languages that are written without spaces (and Korean, whose words carry their particles):
//!    words that touch are taken as one run, and every two neighbours of a run are a term. A Han
//!    character is a term of its own as well, since many a Chinese word is one character: bigrams
//!    together with single characters find what dictionaries find, and need none (Nie, Gao, Zhang
//!    and Zhou, On the Use of Words and N-grams for Chinese Information Retrieval, IRAL 2000).
//! 6. Terms of more than 255 bytes are left out.

use crate::words::{Code, Error, Result};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use unicode_segmentation::UnicodeSegmentation;

/// Longer terms are left out: no one types them.
pub const MAX_TERM_BYTES: usize = 255;

/// How texts become terms. It is kept in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Analyzer {
    /// `é` is `e`, `й` is `и`: marks that Latin, Greek and Cyrillic letters carry are taken off.
    pub fold_diacritics: bool,
}

impl Analyzer {
    /// The name of what this file does.
    pub const NAME: &'static str = "unicode";

    /// Its version: another number for anything that makes other terms of any text.
    pub const VERSION: u32 = 1;

    /// The analyzer of a file.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`.
    pub fn from_codes(version: u32, flags: u32) -> Result<Self> {
        if version != Self::VERSION || flags > 1 {
            return Err(Error::new(
                Code::UnsupportedFormat,
                format!(
                    "the texts of the file went through version {version} of the analyzer (flags {flags:#x}), but this \
                     elanus has version {}: a query would become other terms; update elanus, or rebuild the file",
                    Self::VERSION
                ),
            ));
        }
        Ok(Analyzer { fold_diacritics: flags & 1 == 1 })
    }

    /// What [`Self::from_codes`] reads.
    pub fn flags(&self) -> u32 {
        self.fold_diacritics.into()
    }

    /// Gives the terms of `text` to `f`, in their order.
    pub fn for_each(&self, text: &str, mut f: impl FnMut(&str)) {
        let mut f = |term: &str| {
            if term.len() <= MAX_TERM_BYTES {
                f(term);
            }
        };
        let text = self.normalise(text);
        let mut run = Run::default();
        for (start, word) in text.unicode_word_indices() {
            for (start, piece) in pieces(start, word) {
                if is_unspaced(piece.chars().next().unwrap_or_default()) {
                    run.add(&text, start, piece, &mut f);
                } else {
                    run.end(&text, &mut f);
                    f(piece);
                }
            }
        }
        run.end(&text, &mut f);
    }

    fn normalise(&self, text: &str) -> String {
        if text.is_ascii() {
            return text.to_ascii_lowercase();
        }
        if self.fold_diacritics {
            let decompose = DecomposingNormalizerBorrowed::new_nfkd();
            let is_mark = |c: &char| ('\u{300}'..='\u{36F}').contains(c);
            return composed(&mut decompose.normalize_iter(text.chars()).filter(|c| !is_mark(c)));
        }
        composed(&mut text.chars())
    }
}

/// Of any iterator: each that it is compiled for weighs ten kilobytes.
fn composed(chars: &mut dyn Iterator<Item = char>) -> String {
    let compose = ComposingNormalizerBorrowed::new_nfkc();
    compose.normalize_iter(chars).filter(is_seen).flat_map(char::to_lowercase).collect()
}

/// Not the soft hyphen, nor a choice between shapes of the character before.
fn is_seen(c: &char) -> bool {
    !matches!(c, '\u{AD}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Parts a word that mixes scripts: Hangul and Katakana character by character, all else together.
fn pieces(start: usize, word: &str) -> impl Iterator<Item = (usize, &str)> {
    let by_character =
        |c: char| matches!(c, '\u{30A0}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{AC00}'..='\u{D7A3}');
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &word[at..];
        let first = rest.chars().next()?;
        let len = match by_character(first) {
            true => first.len_utf8(),
            false => rest.find(by_character).unwrap_or(rest.len()),
        };
        at += len;
        Some((start + at - len, &rest[..len]))
    })
}

/// Pieces that touch each other, of scripts without spaces.
#[derive(Default)]
struct Run {
    /// Where the last piece starts and ends.
    last: (usize, usize),
    pieces: usize,
}

impl Run {
    fn add(&mut self, text: &str, start: usize, piece: &str, f: &mut impl FnMut(&str)) {
        if self.pieces > 0 && self.last.1 != start {
            self.end(text, f);
        }
        let end = start + piece.len();
        if self.pieces > 0 {
            f(&text[self.last.0..end]);
        }
        if piece.starts_with(is_han) {
            f(piece);
        }
        self.last = (start, end);
        self.pieces += 1;
    }

    /// A piece alone is a term.
    fn end(&mut self, text: &str, f: &mut impl FnMut(&str)) {
        let piece = &text[self.last.0..self.last.1];
        if self.pieces == 1 && !piece.starts_with(is_han) {
            f(piece);
        }
        *self = Run::default();
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '々' | '〇' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Whether words of the character's script aren't kept apart by spaces, or carry their particles.
fn is_unspaced(c: char) -> bool {
    let is_other = matches!(c,
        '\u{0E00}'..='\u{0EFF}'     // Thai, Lao
        | '\u{1000}'..='\u{109F}'   // Burmese
        | '\u{1780}'..='\u{17FF}'   // Khmer
        | '\u{1950}'..='\u{19DF}'   // Tai Le, New Tai Lue
        | '\u{1A20}'..='\u{1AAF}'   // Tai Tham
        | '\u{3040}'..='\u{312F}'   // Hiragana, Katakana, Bopomofo
        | '\u{31A0}'..='\u{31BF}' | '\u{31F0}'..='\u{31FF}'
        | '\u{A9E0}'..='\u{A9FF}' | '\u{AA60}'..='\u{AA7F}'
        | '\u{AA80}'..='\u{AADF}'   // Tai Viet
        | '\u{AC00}'..='\u{D7A3}'   // Hangul
    );
    is_other || is_han(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Analyzer = Analyzer { fold_diacritics: false };
    const FOLDING: Analyzer = Analyzer { fold_diacritics: true };

    fn terms(analyzer: Analyzer, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        analyzer.for_each(text, |term| terms.push(term.to_owned()));
        terms
    }

    #[test]
    fn words_of_many_scripts() {
        let cases: &[(&str, &str)] = &[
            ("", ""),
            (" .,;—\u{1F600} ", ""),
            ("A small BIRD, of prey.", "a small bird of prey"),
            ("can't 3.14 foo_bar e-mail", "can't 3.14 foo_bar e mail"),
            ("Caf\u{E9} Cafe\u{301} Straße ﬁne ＡＢＣ ①", "caf\u{E9} caf\u{E9} straße fine abc 1"),
            ("Ελλάδα МОСКВА", "ελλάδα москва"),
            ("co\u{AD}operate", "cooperate"),
            // Hindi keeps its vowel signs.
            ("हिन्दी में", "हिन्दी में"),
            ("שלום עולם", "שלום עולם"),
            ("猫", "猫"),
            ("東京都", "東 東京 京 京都 都"),
            ("東京へ行く。猫", "東 東京 京 京へ へ行 行 行く 猫"),
            ("データベース", "デー ータ タベ ベー ース"),
            ("ﾃﾞｰﾀ", "デー ータ"),
            ("あ", "あ"),
            ("학교에 가다", "학교 교에 가다"),
            ("학교abc학", "학교 abc 학"),
            ("iPhoneを買う", "iphone を買 買 買う"),
            // Each Thai syllable's marks stay with their letter.
            ("กินข้าว", "กิน นข้ ข้า าว"),
        ];
        for (text, expected) in cases {
            let found = terms(PLAIN, text);
            if *text == "กินข้าว" {
                // Where UAX #29 sees characters is the crate's affair; every neighbour pair is there.
                assert!(found.len() >= 3 && found.iter().all(|t| t.chars().count() >= 2), "{found:?}");
                continue;
            }
            assert_eq!(found.join(" "), *expected, "{text}");
        }
    }

    #[test]
    fn diacritics_are_folded_if_asked() {
        let folded = |text| terms(FOLDING, text).join(" ");
        assert_eq!(folded("Café naïve Ångström Łódź"), "cafe naive angstrom łodz");
        assert_eq!(folded("ёлка й Ελλάδα"), "елка и ελλαδα");
        // What isn't such a mark stays: kana, Hangul, Hindi, Thai.
        for text in ["データ がぎ", "학교", "हिन्दी", "ข้าว"] {
            assert_eq!(folded(text), terms(PLAIN, text).join(" "));
        }
    }

    #[test]
    fn long_terms_are_left_out() {
        let (fits, too_long) = ("x".repeat(MAX_TERM_BYTES), "y".repeat(MAX_TERM_BYTES + 1));
        assert_eq!(terms(PLAIN, &format!("{too_long} {fits} a")), [&fits, "a"]);
    }

    /// A file is asked with the terms that it was built with, whatever was updated in between: if
    /// this fails, some text has other terms than before. Then [`Analyzer::VERSION`] must rise.
    #[test]
    fn every_character_makes_the_terms_that_this_version_makes() {
        let hash = |analyzer: Analyzer| {
            let mut all = String::new();
            for c in '\0'..=char::MAX {
                analyzer.for_each(&format!("a{c}b {c}{c} \u{6771}{c}"), |term| {
                    all.push_str(term);
                    all.push(' ');
                });
                all.push('\n');
            }
            xxhash_rust::xxh64::xxh64(all.as_bytes(), 0)
        };
        assert_eq!([hash(PLAIN), hash(FOLDING)], [0xa687_646f_f021_69de, 0xce7a_d8f2_c753_6d56]);
    }

    proptest! {
        /// No text makes it panic; terms are never empty, and analysing one again gives it back or
        /// parts of it.
        #[test]
        fn any_text_has_terms(text in "\\PC{0,40}|[a-zA-Z0-9 .,'_東京都データใน학교\u{301}\u{200D}]{0,40}") {
            for analyzer in [PLAIN, FOLDING] {
                for term in terms(analyzer, &text) {
                    prop_assert!(!term.is_empty() && term.len() <= MAX_TERM_BYTES);
                }
                // Case and form don't matter.
                let composed: String = ComposingNormalizerBorrowed::new_nfkc().normalize_iter(text.chars()).collect();
                prop_assert_eq!(terms(analyzer, &text), terms(analyzer, &composed));
            }
        }
    }
}
