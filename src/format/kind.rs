//! What sections there are.

/// A section's code in the table. Sections lie in the file in ascending order of these, which is
/// about the order in which a search wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u32);

impl Kind {
    /// What a search in parts needs before anything else: centroids in 8 bits, and checksums of bundles.
    pub const COARSE: Kind = Kind(0);
    /// JSON that describes the file: its name, its embedding model, its fields.
    pub const CARD: Kind = Kind(1);
    /// Signs of the random rotation.
    pub const ROTATION: Kind = Kind(2);
    /// Centroids that codes are relative to.
    pub const CENTROIDS: Kind = Kind(3);
    /// Where each list's codes begin.
    pub const DIRECTORY: Kind = Kind(4);
    /// Codes in blocks of 32, with their factors.
    pub const CODES: Kind = Kind(5);
    /// Primary keys.
    pub const KEYS: Kind = Kind(6);
    /// Rows as 8-bit integers with a scale each.
    pub const ROWS_I8: Kind = Kind(7);
    /// Rows as 32-bit floats.
    pub const ROWS_F32: Kind = Kind(8);
    /// Typed columns that filters read.
    pub const COLUMNS: Kind = Kind(9);
    /// Stored fields, a JSON text a row, in compressed blocks.
    pub const FIELDS: Kind = Kind(10);
    /// Levels and links of an HNSW graph.
    pub const GRAPH: Kind = Kind(11);
    /// Posting lists of sparse vectors.
    pub const SPARSE: Kind = Kind(20);
    /// Posting lists of a text field's terms.
    pub const POSTINGS: Kind = Kind(21);
    /// A text field's terms and what BM25 needs of its texts.
    pub const TERMS: Kind = Kind(22);
    /// Which parameter reaches which recall.
    pub const CALIBRATION: Kind = Kind(23);
    /// Which row was given as which, where rows lie in the order of lists.
    pub const ORDER: Kind = Kind(12);
    /// Bits of codes past the first, with their factors.
    pub const EXTENDED: Kind = Kind(13);

    /// Centroids of a product quantizer's parts.
    pub const CODEBOOKS: Kind = Kind(14);
    /// Rows of bits, eight a byte.
    pub const ROWS_BITS: Kind = Kind(15);
    /// Rows as f16.
    pub const ROWS_F16: Kind = Kind(16);
    /// Rows as bf16.
    pub const ROWS_BF16: Kind = Kind(17);

    /// What a search in parts reads of lists in groups: their centroids in 8 bits, and checksums of bundles.
    pub const GROUPS: Kind = Kind(24);

    /// What a search reads of each list, together. A reader of whole files may pass over them.
    pub const BUNDLES: Kind = Kind(0x8000_0080);
    /// Checksums of blocks of the file. A reader of whole files may pass over them.
    pub const CHECKS: Kind = Kind(0x8000_0100);

    const NAMES: &[(Kind, &'static str)] = &[
        (Kind::COARSE, "coarse"),
        (Kind::CARD, "card"),
        (Kind::ROTATION, "rotation"),
        (Kind::CENTROIDS, "centroids"),
        (Kind::DIRECTORY, "directory"),
        (Kind::CODES, "codes"),
        (Kind::KEYS, "keys"),
        (Kind::ROWS_I8, "rows_i8"),
        (Kind::ROWS_F32, "rows_f32"),
        (Kind::COLUMNS, "columns"),
        (Kind::FIELDS, "fields"),
        (Kind::GRAPH, "graph"),
        (Kind::SPARSE, "sparse"),
        (Kind::POSTINGS, "postings"),
        (Kind::TERMS, "terms"),
        (Kind::CALIBRATION, "calibration"),
        (Kind::ORDER, "order"),
        (Kind::EXTENDED, "extended"),
        (Kind::CODEBOOKS, "codebooks"),
        (Kind::ROWS_BITS, "rows_bits"),
        (Kind::ROWS_F16, "rows_f16"),
        (Kind::ROWS_BF16, "rows_bf16"),
        (Kind::GROUPS, "groups"),
        (Kind::BUNDLES, "bundles"),
        (Kind::CHECKS, "checks"),
    ];

    /// The name that messages and `elanus info` use; `None` for a code that this version doesn't know.
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map(|&(_, name)| name)
    }

    /// The first format version that has the section.
    pub fn since(self) -> u32 {
        match self {
            Kind::GROUPS => 3,
            Kind::COARSE => 2,
            _ => 1,
        }
    }

    /// Whether a reader that doesn't know the section may pass over it.
    pub fn is_ignorable(self) -> bool {
        self.0 >= 0x8000_0000
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "section {:#x}", self.0),
        }
    }
}
