//! How vectors are to be indexed: the options of every command that builds an index.

use crate::failure::{Failure, Result};
use elanus::index::BuildParams;
use elanus::tune::{self, Wish};
use elanus::words::{Error, IndexType, Metric, Precision};
use serde_json::Value;

const EF_CONSTRUCTION: usize = 200;
const CALIBRATE: usize = 200;
const SEED: u64 = 42;

/// Options beside the index type.
#[derive(Debug, PartialEq, Eq, clap::Args)]
pub struct Recipe {
    /// AUTOINDEX: how many bytes of the file a vector may take, without its keys and fields.
    #[arg(long)]
    max_bytes_per_vector: Option<usize>,

    /// What rows are stored as for exact distances: int8, one of bf16, f16 and f32, both (int8,f16) or
    /// none. Default: f32 for FLAT and IVF_FLAT, else int8.
    #[arg(long, value_parser = parse_precisions)]
    rerank: Option<Precisions>,

    /// HNSW: how many candidates an insertion keeps. More make a better graph and a longer build.
    #[arg(long, default_value_t = EF_CONSTRUCTION)]
    ef_construction: usize,

    /// How many of the vectors the recall of searches is measured with, so that a search can ask for a
    /// recall; 0 measures nothing. Each is compared with all others: with 200, a build of 100,000
    /// vectors takes a few seconds longer.
    #[arg(long, default_value_t = CALIBRATE)]
    calibrate: usize,

    /// IVF: how many lists the vectors are parted into. Default: 1.5 times the root of their number.
    #[arg(long)]
    nlist: Option<usize>,

    /// With --checks, IVF_RABITQ of 1 bit and IVF_PQ of 4: how many groups the lists are parted into, so that a search in ranges
    /// fetches the centroids of the nearest groups alone; 0 for none. Default: a 32nd of the lists, if they are 2,048 or more.
    #[arg(long)]
    ngroups: Option<usize>,

    /// SCAN_RABITQ, IVF_RABITQ: bits a dimension of the codes, 1 to 8. With 5 or more a file can do without rows
    /// (--rerank none).
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    bits: u32,

    /// IVF_PQ: parts that a vector's code has, 1 to its dimension; they needn't divide it. Default: so many
    /// that a code takes a bit a dimension.
    #[arg(long)]
    m: Option<usize>,

    /// IVF_PQ: bits of a part, 4 or 8. Default: 8. Of 8 a search scans 4, and reads the others of the best.
    #[arg(long)]
    nbits: Option<u32>,

    /// Seed of every random choice.
    #[arg(long, default_value_t = SEED)]
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            max_bytes_per_vector: None,
            rerank: None,
            ef_construction: EF_CONSTRUCTION,
            calibrate: CALIBRATE,
            nlist: None,
            ngroups: None,
            bits: 1,
            m: None,
            nbits: None,
            seed: SEED,
        }
    }
}

/// What `--index-type` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Auto,
    Type(IndexType),
}

pub fn parse_index_type(text: &str) -> std::result::Result<Wanted, Error> {
    if text.eq_ignore_ascii_case("AUTOINDEX") {
        return Ok(Wanted::Auto);
    }
    IndexType::parse(text).map(Wanted::Type).map_err(|e| Error::argument(format!("{}, or AUTOINDEX", e.message)))
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Precisions(Vec<Precision>);

fn parse_precisions(text: &str) -> std::result::Result<Precisions, Error> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Precisions(Vec::new()));
    }
    let mut list =
        text.split(',').map(|name| Precision::parse(name.trim())).collect::<std::result::Result<Vec<_>, _>>()?;
    list.sort();
    list.dedup();
    Ok(Precisions(list))
}

/// What is built.
#[derive(Debug)]
pub struct Decision {
    pub index_type: IndexType,
    pub precisions: Vec<Precision>,
    /// Bits a dimension of RaBitQ codes.
    pub bits: u32,
    /// Why, if it was chosen here.
    pub reason: Option<String>,
}

impl Recipe {
    /// The index type and the rows of so many vectors.
    pub fn decide(&self, wanted: Wanted, count: usize, dimension: usize, metric: Metric) -> Result<Decision> {
        match wanted {
            Wanted::Auto if self.rerank.is_some() => {
                Err(Failure::usage("AUTOINDEX chooses the rows, too; leave out --rerank, or name an index type"))
            }
            Wanted::Auto if self.bits > 1 => {
                Err(Failure::usage("AUTOINDEX chooses the bits of codes, too; leave out --bits, or name an index type"))
            }
            Wanted::Auto => {
                let choice = tune::choose(&Wish { count, dimension, metric, max_bytes: self.max_bytes_per_vector })?;
                let reason = Some(choice.reason);
                Ok(Decision { index_type: choice.index_type, precisions: choice.precisions, bits: choice.bits, reason })
            }
            Wanted::Type(_) if self.max_bytes_per_vector.is_some() => {
                Err(Failure::usage("--max-bytes-per-vector is for --index-type AUTOINDEX; leave it out, or name that"))
            }
            Wanted::Type(index_type) => {
                let precisions = match (&self.rerank, index_type) {
                    (Some(Precisions(list)), _) => list.clone(),
                    (None, IndexType::Flat) => vec![Precision::F32],
                    (None, _) => vec![*index_type.needed_precisions().first().unwrap_or(&Precision::Int8)],
                };
                Ok(Decision { index_type, precisions, bits: self.bits, reason: None })
            }
        }
    }

    /// The same of vectors of bits, which have rows of one kind.
    pub fn decide_for_bits(&self, index_type: IndexType) -> Result<Decision> {
        match self.rerank {
            Some(_) => Err(Failure::usage(format!("--rerank is for vectors of floats; {index_type} has none"))),
            None => Ok(Decision { index_type, precisions: Vec::new(), bits: self.bits, reason: None }),
        }
    }

    /// Adds to the card's word on the build what was asked for, and refuses what the type has no use for.
    pub fn note(&self, &Decision { index_type, bits, .. }: &Decision, card: &mut Value) -> Result<()> {
        if matches!(index_type, IndexType::Hnsw | IndexType::HnswSq8) {
            card["ef_construction"] = self.ef_construction.into();
        }
        if let Some(nlist) = self.nlist {
            if !index_type.has_lists() {
                return Err(Failure::usage(format!("--nlist is for indexes of lists; {index_type} has none")));
            }
            card["nlist"] = nlist.into();
        }
        if let Some(ngroups) = self.ngroups {
            let has_groups = index_type == IndexType::IvfRabitq && bits == 1
                || index_type == IndexType::IvfPq && self.nbits == Some(4);
            if !has_groups {
                return Err(Failure::usage(format!(
                    "--ngroups is for IVF_RABITQ of 1 bit and IVF_PQ with --nbits 4; lists of {index_type} are in no groups"
                )));
            }
            card["ngroups"] = ngroups.into();
        }
        if bits > 1 {
            if !index_type.has_bits() {
                return Err(Failure::usage(format!("--bits is for RaBitQ codes; {index_type} has none")));
            }
            card["bits"] = bits.into();
        }
        for (name, value) in [("m", self.m), ("nbits", self.nbits.map(|bits| bits as usize))] {
            let Some(value) = value else { continue };
            if index_type != IndexType::IvfPq {
                return Err(Failure::usage(format!("--{name} is for IVF_PQ; {index_type} has no parts")));
            }
            card[name] = value.into();
        }
        Ok(())
    }

    /// The same for the build.
    pub fn params(&self, metric: Metric, Decision { precisions, bits, .. }: Decision) -> BuildParams {
        BuildParams {
            metric,
            precisions,
            ef_construction: self.ef_construction,
            calibration_queries: self.calibrate,
            nlist: self.nlist,
            ngroups: self.ngroups,
            bits,
            m: self.m,
            nbits: self.nbits.unwrap_or(8),
            seed: self.seed,
            ..BuildParams::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_are_a_set() {
        let parse = |text| parse_precisions(text).map(|p| p.0);
        assert_eq!(parse("none"), Ok(vec![]));
        assert_eq!(parse("f32,int8,F32"), Ok(vec![Precision::Int8, Precision::F32]));
        assert!(parse("int4").unwrap_err().message.contains("int8, bf16, f16, f32"));
    }

    #[test]
    fn the_default_is_that_of_the_command_line() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            recipe: Recipe,
        }
        assert_eq!(<Line as clap::Parser>::parse_from(["build"]).recipe, Recipe::default());
    }
}
