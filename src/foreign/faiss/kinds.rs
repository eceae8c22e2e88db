//! The tags of all classes that Faiss writes, so that one that isn't read is refused by its name.

use crate::foreign::reader::Reader;
use crate::words::{Code, Error};

/// Tags with the names of their classes; of those that have several, the oldest tag stands last.
const KINDS: &[(&[u8; 4], &str)] = &[
    (b"null", "no index at all"),
    (b"IxFI", "IndexFlatIP"),
    (b"IxF2", "IndexFlatL2"),
    (b"IxFl", "IndexFlat"),
    (b"IxFP", "IndexFlatL2Panorama"),
    (b"IxFp", "IndexFlatIPPanorama"),
    (b"IxHe", "IndexLSH"),
    (b"IxHE", "IndexLSH"),
    (b"IxPq", "IndexPQ"),
    (b"IxPo", "IndexPQ"),
    (b"IxPQ", "IndexPQ"),
    (b"IxRq", "IndexResidualQuantizer"),
    (b"IxRQ", "IndexResidualQuantizer"),
    (b"IxLS", "IndexLocalSearchQuantizer"),
    (b"IxPR", "IndexProductResidualQuantizer"),
    (b"IxPL", "IndexProductLocalSearchQuantizer"),
    (b"ImRQ", "ResidualCoarseQuantizer"),
    (b"ILfs", "IndexLocalSearchQuantizerFastScan"),
    (b"IRfs", "IndexResidualQuantizerFastScan"),
    (b"IPRf", "IndexProductResidualQuantizerFastScan"),
    (b"IPLf", "IndexProductLocalSearchQuantizerFastScan"),
    (b"IVLf", "IndexIVFLocalSearchQuantizerFastScan"),
    (b"IVRf", "IndexIVFResidualQuantizerFastScan"),
    (b"NPLf", "IndexIVFProductLocalSearchQuantizerFastScan"),
    (b"NPRf", "IndexIVFProductResidualQuantizerFastScan"),
    (b"IwFl", "IndexIVFFlat"),
    (b"IvFl", "IndexIVFFlat as written before 1.5"),
    (b"IvFL", "IndexIVFFlat as written before 1.5"),
    (b"IwFd", "IndexIVFFlatDedup"),
    (b"IwPn", "IndexIVFFlatPanorama"),
    (b"IwP2", "IndexIVFFlatPanorama"),
    (b"IxSQ", "IndexScalarQuantizer"),
    (b"IxLa", "IndexLattice"),
    (b"IwSq", "IndexIVFScalarQuantizer"),
    (b"IwSQ", "IndexIVFScalarQuantizer"),
    (b"IvSQ", "IndexIVFScalarQuantizer as written before 1.5"),
    (b"IwLS", "IndexIVFLocalSearchQuantizer"),
    (b"IwRQ", "IndexIVFResidualQuantizer"),
    (b"IwPL", "IndexIVFProductLocalSearchQuantizer"),
    (b"IwPR", "IndexIVFProductResidualQuantizer"),
    (b"IwSh", "IndexIVFSpectralHash"),
    (b"IwPQ", "IndexIVFPQ"),
    (b"IwQR", "IndexIVFPQR"),
    (b"IvPQ", "IndexIVFPQ as written before 1.5"),
    (b"IvQR", "IndexIVFPQR as written before 1.5"),
    (b"IwIQ", "IndexIVFIndependentQuantizer"),
    (b"IxPT", "IndexPreTransform"),
    (b"Imiq", "MultiIndexQuantizer"),
    (b"IxRF", "IndexRefine"),
    (b"IxRP", "IndexRefinePanorama"),
    (b"IxMp", "IndexIDMap"),
    (b"IxM2", "IndexIDMap2"),
    (b"Ix2L", "Index2Layer"),
    (b"IHNf", "IndexHNSWFlat"),
    (b"IHfP", "IndexHNSWFlatPanorama"),
    (b"IHNp", "IndexHNSWPQ"),
    (b"IHNs", "IndexHNSWSQ"),
    (b"IHN2", "IndexHNSW2Level"),
    (b"IHNc", "IndexHNSWCagra"),
    (b"IHc2", "IndexHNSWCagra"),
    (b"IH00", "IndexHNSW"),
    (b"INSf", "IndexNSGFlat"),
    (b"INSp", "IndexNSGPQ"),
    (b"INSs", "IndexNSGSQ"),
    (b"INNf", "IndexNNDescentFlat"),
    (b"IPfs", "IndexPQFastScan"),
    (b"IwPf", "IndexIVFPQFastScan"),
    (b"IRMf", "IndexRowwiseMinMax"),
    (b"IRMh", "IndexRowwiseMinMaxFP16"),
    (b"IxEd", "IndexEDEN"),
    (b"IxEe", "IndexEDEN"),
    (b"IwEd", "IndexIVFEDEN"),
    (b"IwEe", "IndexIVFEDEN"),
    (b"Ixrq", "IndexRaBitQ"),
    (b"Ixrr", "IndexRaBitQ of several bits"),
    (b"Irfn", "IndexRaBitQFastScan"),
    (b"Irfs", "IndexRaBitQFastScan"),
    (b"Iwrq", "IndexIVFRaBitQ"),
    (b"Iwrr", "IndexIVFRaBitQ of several bits"),
    (b"Iwrn", "IndexIVFRaBitQFastScan"),
    (b"Iwrf", "IndexIVFRaBitQFastScan"),
    (b"ILVQ", "IndexSVSVamanaLVQ"),
    (b"ISVL", "IndexSVSVamanaLeanVec"),
    (b"ISVD", "IndexSVSVamana"),
    (b"ISV2", "IndexSVSVamana"),
    (b"ISVF", "IndexSVSFlat"),
    (b"ISIQ", "IndexSVSIVFLVQ"),
    (b"ISIL", "IndexSVSIVFLeanVec"),
    (b"ISID", "IndexSVSIVF"),
    (b"IBxF", "IndexBinaryFlat"),
    (b"IBwF", "IndexBinaryIVF"),
    (b"IBFf", "IndexBinaryFromFloat"),
    (b"IBHf", "IndexBinaryHNSW"),
    (b"IBHc", "IndexBinaryHNSWCagra"),
    (b"IBMp", "IndexBinaryIDMap"),
    (b"IBM2", "IndexBinaryIDMap2"),
    (b"IBHh", "IndexBinaryHash"),
    (b"IBHm", "IndexBinaryMultiHash"),
];

/// The class that writes this tag.
pub(super) fn name(tag: [u8; 4]) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| **known == tag).map(|&(_, name)| name)
}

/// Why an index with this tag isn't read.
pub(super) fn refuse(tag: [u8; 4], reader: &Reader<'_>) -> Error {
    match name(tag) {
        Some(name) => unsupported(format!("{name} ({})", tag.escape_ascii())),
        None => reader.corrupt(format!("the tag {:?} of no known class", tag.escape_ascii().to_string())),
    }
}

/// What a file holds that isn't read.
pub(super) fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::new(Code::UnsupportedFormat, format!("the Faiss file holds {what}, which isn't read"))
}
