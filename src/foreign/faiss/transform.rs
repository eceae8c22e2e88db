//! `IndexPreTransform`: the head, how many transforms there are (i32), the transforms, and the index
//! that is searched with transformed vectors.
//!
//! A transform is a tag, what belongs to its kind, then its dimensions in and out (i32 each) and
//! whether it was trained (u8):
//!
//! | tag | class | |
//! |---|---|---|
//! | `LTra` `rrot` | `LinearTransform` (OPQ as well), `RandomRotationMatrix` | has bias (u8), matrix (array of f32, a row an output), bias (array) |
//! | `PCAm` `PcAm` `Pcam` | `PCAMatrix` | power (f32), [`Pcam`: epsilon (f32)], rotated (u8), [but `PCAm`: bins (i32)], three arrays of f32, then as above |
//! | `Viqm` | `ITQMatrix` | two i32, then as above |
//! | `Viqt` | `ITQTransform` | mean (array), u8, a `Viqm`, and the linear transform that is applied |
//! | `RmDT` | `RemapDimensionsTransform` | array of i32: where each output comes from, −1 for 0 |
//! | `VNrm` | `NormalizationTransform` | the norm (f32), 2 |
//! | `VCnt` | `CenteringTransform` | mean (array of f32) |
//! | `HRot` | `HadamardRotation` | seed (u32) |

use super::head::Head;
use super::kinds::unsupported;
use super::node::{Context, Node};
use super::read;
use crate::distance;
use crate::foreign::library::Groups;
use crate::foreign::reader::{Reader, Span};
use crate::words::random::SplitMix64;
use crate::words::{Bitmap, Hit, Result};

/// Transforms in a row, at most.
const MAX_CHAIN: usize = 16;

#[derive(Debug)]
enum Kind {
    Linear {
        matrix: Span,
        bias: Option<Span>,
    },
    Remap {
        map: Span,
    },
    Normalise,
    Centre {
        mean: Span,
    },
    /// Centred, normalised, and then linear.
    Itq {
        mean: Span,
        matrix: Span,
        bias: Option<Span>,
    },
    /// Three times: signs turned, then the fast Walsh-Hadamard transform.
    Hadamard {
        negated: [Bitmap; 3],
    },
}

/// A change of vectors before they are compared.
#[derive(Debug)]
pub(super) struct Transform {
    kind: Kind,
    from: usize,
    to: usize,
}

impl Transform {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Self::read_nested(reader, 0)
    }

    /// Passes over a linear transform that was perhaps never trained, and gives its dimensions.
    pub(super) fn pass_over(reader: &mut Reader<'_>) -> Result<(usize, usize)> {
        let tag = reader.tag()?;
        if &tag != b"rrot" {
            return Err(reader.corrupt(format!("the transform {:?}", tag.escape_ascii().to_string())));
        }
        linear(reader)?;
        let dimensions = (reader.size32()?, reader.size32()?);
        reader.bool()?;
        Ok(dimensions)
    }

    fn read_nested(reader: &mut Reader<'_>, depth: usize) -> Result<Self> {
        let tag = reader.tag()?;
        let mut seed = 0;
        let mut kind = match &tag {
            b"LTra" | b"rrot" => linear(reader)?,
            b"PCAm" | b"PcAm" | b"Pcam" => {
                reader.f32()?;
                if &tag == b"Pcam" {
                    reader.f32()?;
                }
                reader.bool()?;
                if &tag != b"PCAm" {
                    reader.i32()?;
                }
                (0..3).try_for_each(|_| reader.numbers::<f32>().map(|_| ()))?;
                linear(reader)?
            }
            b"Viqm" => {
                reader.span(8)?;
                linear(reader)?
            }
            b"Viqt" if depth == 0 => {
                let mean = reader.numbers::<f32>()?;
                reader.bool()?;
                Self::read_nested(reader, 1)?;
                match Self::read_nested(reader, 1)?.kind {
                    Kind::Linear { matrix, bias } => Kind::Itq { mean, matrix, bias },
                    _ => return Err(reader.corrupt("an ITQTransform without its matrix")),
                }
            }
            b"RmDT" => Kind::Remap { map: reader.numbers::<i32>()? },
            b"VNrm" => match reader.f32()? {
                2.0 => Kind::Normalise,
                norm => return Err(unsupported(format!("a NormalizationTransform of norm {norm}"))),
            },
            b"VCnt" => Kind::Centre { mean: reader.numbers::<f32>()? },
            b"HRot" => {
                seed = reader.i32()? as u32;
                Kind::Hadamard { negated: [const { 0 }; 3].map(Bitmap::none) }
            }
            other => return Err(reader.corrupt(format!("the transform {:?}", other.escape_ascii().to_string()))),
        };
        let (from, to, trained) = (reader.size32()?, reader.size32()?, reader.bool()?);
        let fits = |kind: &Kind| match kind {
            Kind::Linear { matrix, bias } => {
                Some(matrix.len) == from.checked_mul(4 * to) && bias.is_none_or(|bias| bias.len == 4 * to)
            }
            Kind::Itq { mean, matrix, bias } => {
                mean.len == 4 * from
                    && Some(matrix.len) == from.checked_mul(4 * to)
                    && bias.is_none_or(|bias| bias.len == 4 * to)
            }
            Kind::Remap { map } => {
                let within = |&place: &i32| (-1..from as i32).contains(&place);
                map.len == 4 * to && map.numbers::<i32>(reader.file()).iter().all(within)
            }
            Kind::Normalise => from == to,
            Kind::Centre { mean } => from == to && mean.len == 4 * from,
            Kind::Hadamard { .. } => from.checked_next_power_of_two() == Some(to),
        };
        if !trained || from == 0 || to == 0 || from.max(to) > 1 << 21 || !fits(&kind) {
            return Err(reader.corrupt(format!(
                "the transform {:?} of {from} to {to} dimensions that doesn't fit them",
                tag.escape_ascii().to_string()
            )));
        }
        if let Kind::Hadamard { negated } = &mut kind {
            let mut random = SplitMix64::new(seed.into());
            *negated = [to; 3].map(|to| Bitmap::from_fn(to, |_| random.next_u64().is_multiple_of(2)));
        }
        Ok(Transform { kind, from, to })
    }

    /// Dimensions that go in and come out.
    pub(super) fn dimensions(&self) -> (usize, usize) {
        (self.from, self.to)
    }

    /// Writes the transformed `x` to `out`.
    pub(super) fn apply(&self, file: &[u8], x: &[f32], out: &mut Vec<f32>) {
        out.clear();
        match &self.kind {
            Kind::Linear { matrix, bias } => multiply(file, *matrix, *bias, x, out),
            Kind::Remap { map } => {
                let map: &[i32] = map.numbers(file);
                out.extend(map.iter().map(|&place| usize::try_from(place).map_or(0.0, |place| x[place])));
            }
            Kind::Normalise => {
                out.extend_from_slice(x);
                normalise(out);
            }
            Kind::Centre { mean } => out.extend(x.iter().zip(mean.numbers::<f32>(file)).map(|(x, mean)| x - mean)),
            Kind::Itq { mean, matrix, bias } => {
                let mut centred: Vec<f32> = x.iter().zip(mean.numbers::<f32>(file)).map(|(x, mean)| x - mean).collect();
                normalise(&mut centred);
                multiply(file, *matrix, *bias, &centred, out);
            }
            Kind::Hadamard { negated } => {
                out.extend_from_slice(x);
                out.resize(self.to, 0.0);
                for negated in negated {
                    negated.iter().for_each(|i| out[i] = -out[i]);
                    walsh_hadamard(out);
                }
                let scale = 1.0 / (self.to as f32 * (self.to as f32).sqrt());
                out.iter_mut().for_each(|x| *x *= scale);
            }
        }
    }

    fn describe(&self) -> String {
        match self.kind {
            Kind::Linear { .. } => format!("Linear{}", self.to),
            Kind::Remap { .. } => format!("Remap{}", self.to),
            Kind::Normalise => "L2norm".into(),
            Kind::Centre { .. } => "Centering".into(),
            Kind::Itq { .. } => format!("ITQ{}", self.to),
            Kind::Hadamard { .. } => "HR".into(),
        }
    }
}

fn linear(reader: &mut Reader<'_>) -> Result<Kind> {
    let has_bias = reader.bool()?;
    let matrix = reader.numbers::<f32>()?;
    let bias = reader.numbers::<f32>()?;
    Ok(Kind::Linear { matrix, bias: has_bias.then_some(bias) })
}

fn multiply(file: &[u8], matrix: Span, bias: Option<Span>, x: &[f32], out: &mut Vec<f32>) {
    out.extend(matrix.numbers::<f32>(file).chunks_exact(x.len()).map(|row| distance::dot(row, x)));
    if let Some(bias) = bias {
        out.iter_mut().zip(bias.numbers::<f32>(file)).for_each(|(out, bias)| *out += bias);
    }
}

/// To length 1; zero stays zero.
fn normalise(x: &mut [f32]) {
    let square = distance::dot(x, x);
    if square > 0.0 {
        let scale = 1.0 / square.sqrt();
        x.iter_mut().for_each(|x| *x *= scale);
    }
}

fn walsh_hadamard(x: &mut [f32]) {
    let mut half = 1;
    while half < x.len() {
        for pair in x.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            low.iter_mut().zip(high).for_each(|(a, b)| (*a, *b) = (*a + *b, *a - *b));
        }
        half *= 2;
    }
}

/// An index of transformed vectors.
#[derive(Debug)]
pub(super) struct Transformed {
    head: Head,
    chain: Vec<Transform>,
    inner: Box<dyn Node>,
}

impl Transformed {
    pub(super) fn read(reader: &mut Reader<'_>, depth: usize) -> Result<Self> {
        let head = Head::read(reader)?;
        let count = reader.size32()?;
        if count > MAX_CHAIN {
            return Err(reader.corrupt(format!("{count} transforms in a row")));
        }
        let mut dimension = head.dimension;
        let mut chain = Vec::new();
        for _ in 0..count {
            let transform = Transform::read(reader)?;
            let (from, to) = transform.dimensions();
            if from != dimension {
                return Err(reader.corrupt(format!("a transform of {from} dimensions where there are {dimension}")));
            }
            dimension = to;
            chain.push(transform);
        }
        let inner = read(reader, depth + 1)?;
        if *inner.head() != (Head { dimension, ..head }) {
            return Err(reader.corrupt(format!(
                "an index of {} vectors of {} dimensions behind transforms to {dimension} of {}",
                inner.head().count,
                inner.head().dimension,
                head.count
            )));
        }
        Ok(Transformed { head, chain, inner })
    }
}

impl Node for Transformed {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        let chain = self.chain.iter().map(|transform| transform.describe() + ",");
        chain.collect::<String>() + &self.inner.describe()
    }

    fn groups(&self, file: &[u8]) -> Option<Groups> {
        self.inner.groups(file)
    }

    fn label(&self, file: &[u8], row: u32) -> i64 {
        self.inner.label(file, row)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let (mut x, mut out) = (query.to_vec(), Vec::new());
        for transform in &self.chain {
            transform.apply(context.file, &x, &mut out);
            std::mem::swap(&mut x, &mut out);
        }
        self.inner.search(context, &x, limit)
    }
}
