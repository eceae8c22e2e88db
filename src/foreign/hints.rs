//! What a caller knows of a file that the file itself doesn't say.

use super::Format;
use crate::words::{Code, Error, Result};

/// How nearness is measured, as libraries name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Euclidean distance, squared or not: as the library gives it.
    L2,
    /// Inner product, or one minus it: as the library gives it.
    Ip,
    /// Cosine or angle: as the library gives it.
    Cosine,
    /// Sum of absolute differences.
    L1,
    /// Number of bits that differ.
    Hamming,
}

impl Space {
    /// Every space, with the names that it goes by in the libraries; the first is Milvus's.
    const NAMES: [(Space, &'static [&'static str]); 5] = [
        (Space::L2, &["L2", "EUCLIDEAN"]),
        (Space::Ip, &["IP", "DOT"]),
        (Space::Cosine, &["COSINE", "ANGULAR"]),
        (Space::L1, &["L1", "MANHATTAN"]),
        (Space::Hamming, &["HAMMING"]),
    ];

    /// The name that users see.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(space, _)| *space == self).map_or("", |(_, names)| names[0])
    }

    /// The space of a name, in any case.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, with the names that there are.
    pub fn parse(name: &str) -> Result<Self> {
        let known = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        Self::NAMES.iter().find(|(_, names)| known(names)).map(|(space, _)| *space).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMES.iter().flat_map(|(_, names)| names.iter().copied()).collect();
            Error::argument(format!("{name:?} is no metric of a foreign file; there are {}", names.join(", ")))
        })
    }
}

/// What a caller says of a file. What the file says itself must agree with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// Whose file it is. Needed where the content doesn't show it: Annoy.
    pub format: Option<Format>,
    /// Numbers (or bits) in a vector. Needed for Annoy.
    pub dimension: Option<usize>,
    /// How nearness is measured. Needed for hnswlib and Annoy.
    pub metric: Option<Space>,
}

impl Hints {
    /// Refuses a dimension that isn't the file's.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`.
    pub(super) fn check_dimension(&self, found: usize) -> Result<()> {
        match self.dimension {
            Some(hint) if hint != found => Err(Error::new(
                Code::DimensionMismatch,
                format!("the file holds vectors of {found} dimensions, not of the {hint} that were given"),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_go_by_the_names_of_their_libraries() {
        assert_eq!(Space::parse("angular"), Ok(Space::Cosine));
        assert_eq!(Space::parse("l2").unwrap().name(), "L2");
        let error = Space::parse("cosinus").unwrap_err();
        assert!(error.message.contains("COSINE") && error.message.contains("MANHATTAN"), "{error}");
    }
}
