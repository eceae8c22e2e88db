//! What a collection answers.

use super::entity::Entity;
use super::part::Part;
use super::store::Collection;
use crate::filter::{Params, Parsed};
use crate::index::prepare_query;
use crate::segment::{Key, Request};
use crate::words::{Error, Result, TopK};

/// Where an entity is, until the collection changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub(super) part: u32,
    pub(super) row: u32,
}

/// A hit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Where it is.
    pub place: Place,
    /// As callers know it.
    pub distance: f32,
}

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// As many numbers as the vector field has dimensions.
    pub vector: &'a [f32],
    /// How many hits, at most.
    pub limit: usize,
    /// How many of the nearest are passed over.
    pub offset: usize,
    /// Only entities for which this is true.
    pub filter: Condition<'a>,
    /// Only those nearer than this: see [`Request::radius`].
    pub radius: Option<f32>,
    /// Only those not nearer than this: see [`Request::range_filter`].
    pub range_filter: Option<f32>,
    /// Compare every entity, also those of sealed segments.
    pub exact: bool,
}

/// Which entities are meant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Condition<'a> {
    /// Those for which this expression is true; all without one.
    pub text: Option<&'a str>,
    /// What `{names}` in it stand for: a JSON object.
    pub params: Option<&'a str>,
}

impl<'a> From<Option<&'a str>> for Condition<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Condition { text, params: None }
    }
}

/// A condition that was read.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) filter: Option<Parsed>,
    /// All that was said, to know it again.
    pub(super) said: String,
}

impl Chosen {
    fn new(Condition { text, params }: Condition<'_>) -> Result<Self> {
        let Some(text) = text else { return Ok(Chosen { filter: None, said: String::new() }) };
        let said = format!("{text}\n{}", params.unwrap_or_default());
        let params = params.map_or(Ok(Params::default()), Params::parse)?;
        Ok(Chosen { filter: Some(Parsed::new(text, &params)?), said })
    }
}

impl<'a> Search<'a> {
    /// The ten nearest.
    pub fn new(vector: &'a [f32]) -> Self {
        Search {
            vector,
            limit: 10,
            offset: 0,
            filter: Condition::default(),
            radius: None,
            range_filter: None,
            exact: false,
        }
    }
}

impl Collection {
    /// The nearest entities, nearest first, equally near ones in the order in which they came.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR`, `INVALID_ARGUMENT`, `INVALID_FILTER`,
    /// `FIELD_NOT_FOUND`.
    pub fn search(&mut self, search: &Search<'_>) -> Result<Vec<Found>> {
        let Search { vector, limit, offset, filter, radius, range_filter, exact } = *search;
        let metric = self.schema.vector.metric;
        let asked = Request { limit, offset, radius, range_filter, exact, ..Request::new(vector) };
        let chosen = Chosen::new(filter)?;
        let params = asked.params(metric)?;
        let mut query = Vec::new();
        prepare_query(vector, self.schema.dimension(), metric, &mut query)?;
        let mut hits = Vec::new();
        for (number, part) in (0u32..).zip(&mut self.parts) {
            let allowed = part.allowed(&chosen)?;
            match part {
                Part::Sealed(part) => {
                    let mut others = allowed;
                    others.invert();
                    let each = Request { limit: asked.depth(), offset: 0, deleted: Some(&others), ..asked.clone() };
                    for hit in part.sealed.search(&each, &mut part.scratch)? {
                        hits.push((hit.distance, number, part.sealed.given(hit.row)?, hit.row));
                    }
                }
                Part::Growing(part) => {
                    let mut top = TopK::new(asked.depth(), part.live());
                    top.reset_within(asked.depth(), params.window);
                    part.search(&query, &allowed, &mut top);
                    hits.extend(top.into_sorted().into_iter().map(|hit| (hit.distance, number, hit.row, hit.row)));
                }
            }
        }
        hits.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let found =
            |(distance, part, _, row)| Found { place: Place { part, row }, distance: metric.to_public(distance) };
        Ok(hits.into_iter().skip(offset).take(limit).map(found).collect())
    }

    /// The entities for which a filter is true, all without one, in the order of their keys.
    ///
    /// # Errors
    /// `INVALID_FILTER`, `FIELD_NOT_FOUND`.
    pub fn query<'a>(
        &mut self,
        filter: impl Into<Condition<'a>>,
        limit: Option<usize>,
        offset: usize,
    ) -> Result<Vec<Place>> {
        let chosen = Chosen::new(filter.into())?;
        let mut found = Vec::new();
        for (number, part) in (0u32..).zip(&mut self.parts) {
            for row in part.allowed(&chosen)?.iter() {
                let row = row as u32;
                found.push((part.key(row)?, Place { part: number, row }));
            }
        }
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let places = found.into_iter().skip(offset).map(|(_, place)| place);
        Ok(places.take(limit.unwrap_or(usize::MAX)).collect())
    }

    /// How many entities a filter is true for.
    ///
    /// # Errors
    /// `INVALID_FILTER`, `FIELD_NOT_FOUND`.
    pub fn count<'a>(&mut self, filter: impl Into<Condition<'a>>) -> Result<usize> {
        let chosen = Chosen::new(filter.into())?;
        match chosen.filter {
            None => Ok(self.live()),
            Some(_) => self.parts.iter_mut().try_fold(0, |sum, part| Ok(sum + part.allowed(&chosen)?.count())),
        }
    }

    /// The key of an entity.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is nothing at the place.
    pub fn key(&self, place: Place) -> Result<Key> {
        self.part(place)?.key(place.row)
    }

    /// Writes the vector of an entity to `out`: normalised for COSINE.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is nothing at the place; `DIMENSION_MISMATCH` if `out` has another length.
    pub fn vector(&self, place: Place, out: &mut [f32]) -> Result<()> {
        if out.len() != self.schema.dimension() {
            return Err(Error::dimension(self.schema.dimension(), out.len()));
        }
        self.part(place)?.vector(place.row, out)
    }

    /// The entities of these places, in their order, with or without their JSON objects.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is nothing at a place; `CORRUPT_FILE` if a segment is damaged.
    pub fn entities(&self, places: &[Place], documents: bool) -> Result<Vec<Entity>> {
        let mut out: Vec<Option<Entity>> = vec![None; places.len()];
        for number in 0..self.parts.len() as u32 {
            // Of each part at once: rows that lie together are unpacked together.
            let mine = || (0..places.len()).filter(|&i| places[i].part == number);
            let rows: Vec<u32> = mine().map(|i| places[i].row).collect();
            if let Some(&row) = rows.first() {
                self.part(Place { part: number, row })?;
                mine().zip(self.parts[number as usize].entities(&rows, documents)?).for_each(|(i, e)| out[i] = Some(e));
            }
        }
        out.into_iter().collect::<Option<_>>().ok_or_else(nothing_there)
    }

    fn part(&self, place: Place) -> Result<&Part> {
        let part = self.parts.get(place.part as usize).ok_or_else(nothing_there)?;
        let rows = match part {
            Part::Sealed(part) => part.len(),
            Part::Growing(part) => part.len(),
        };
        if place.row as usize >= rows { Err(nothing_there()) } else { Ok(part) }
    }
}

fn nothing_there() -> Error {
    Error::argument("there is no entity at this place: the collection has changed since it was found; look again")
}
