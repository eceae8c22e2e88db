//! A few stored queries with the keys that they must find: who loads a release can see that it answers as it
//! did when it was released.

use crate::failure::{Failure, Result};
use crate::queries::{Asked, bits};
use elanus::segment::{Key, Request, Scratch, Sealed};
use elanus::words::random::SplitMix64;
use serde::{Deserialize, Serialize};

/// How many queries: each costs some bytes a dimension in the manifest, and one search at every opening.
const QUERIES: usize = 3;
const LIMIT: usize = 10;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTest {
    pub limit: usize,
    pub queries: Vec<SelfQuery>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfQuery {
    /// Numbers; of bits, their bytes.
    pub vector: Vec<f32>,
    /// Keys as texts, nearest first.
    pub ids: Vec<String>,
}

impl SelfTest {
    /// Of random directions, for an index of which no queries are known yet. None without dense vectors.
    pub fn of_directions(sealed: &Sealed) -> Result<Option<SelfTest>> {
        let header = sealed.header();
        let mut random = SplitMix64::new(sealed.layout().checksum);
        let mut direction = || match header.index_type.is_binary() {
            true => Asked::Bits((0..header.dimension / 8).map(|_| (random.next_u64() >> 56) as u8).collect()),
            // Three digits are as good a direction, and shorter.
            false => Asked::Floats((0..header.dimension).map(|_| (random.normal_f32() * 1e3).round() / 1e3).collect()),
        };
        let queries: Vec<Asked> = (0..QUERIES).map(|_| direction()).collect();
        SelfTest::of(sealed, &queries)
    }

    /// Of the first of these queries.
    pub fn of(sealed: &Sealed, queries: &[Asked]) -> Result<Option<SelfTest>> {
        if sealed.header().dimension == 0 {
            return Ok(None);
        }
        let stored = |asked: &Asked| {
            let vector = match asked {
                Asked::Floats(vector) => vector.clone(),
                Asked::Bits(bytes) => bytes.iter().map(|&byte| byte.into()).collect(),
            };
            Ok(SelfQuery { ids: found(sealed, asked, LIMIT)?, vector })
        };
        let queries = queries.iter().take(QUERIES).map(stored).collect::<Result<Vec<_>>>()?;
        Ok(Some(SelfTest { limit: LIMIT, queries }))
    }

    /// Asks the queries again.
    pub fn check(&self, sealed: &Sealed) -> Result<()> {
        for (i, SelfQuery { vector, ids }) in self.queries.iter().enumerate() {
            let asked = match sealed.header().index_type.is_binary() {
                true => Asked::Bits(bits(vector)?),
                false => Asked::Floats(vector.clone()),
            };
            let found = found(sealed, &asked, self.limit)?;
            if found != *ids {
                return Err(Failure::check(
                    "SELF_TEST_FAILED",
                    format!("stored query {i} finds {} where it must find {}", found.join(", "), ids.join(", ")),
                ));
            }
        }
        Ok(())
    }
}

fn found(sealed: &Sealed, asked: &Asked, limit: usize) -> Result<Vec<String>> {
    let request = Request { limit, ..Request::new(asked.query()) };
    let hits = sealed.search(&request, &mut Scratch::default())?;
    let text = |row| {
        Ok(match sealed.key(row)? {
            Key::Int64(key) => key.to_string(),
            Key::VarChar(key) => key,
        })
    };
    hits.iter().map(|hit| text(hit.row)).collect()
}
