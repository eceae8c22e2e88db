//! Floats of 16 bits: IEEE 754 half precision, f16, and the upper half of an f32, bf16.

/// A half-precision float; exact, but for NaN's payload.
pub fn from_f16(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits) >> 15, u32::from(bits) >> 10 & 31, u32::from(bits) & 1023);
    let magnitude = match exponent {
        0 => fraction as f32 * 2f32.powi(-24),
        31 => f32::from_bits(0x7F80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    f32::from_bits(magnitude.to_bits() | sign << 31)
}

/// The nearest half-precision float, ties to even.
pub fn to_f16(x: f32) -> u16 {
    let bits = x.to_bits();
    let (sign, magnitude) = ((bits >> 16 & 0x8000) as u16, bits & 0x7FFF_FFFF);
    let rest = match magnitude {
        0x7F80_0001.. => 0x7E00,
        // Past the middle between the largest half and what would come next.
        0x477F_F000.. => 0x7C00,
        // Normal: the exponent's offset changes from 127 to 15.
        0x3880_0000.. => to_nearest(magnitude - (112 << 23), 13),
        // A multiple of 2⁻²⁴; a float of such a size is exact up to its last bit.
        _ => (f32::from_bits(magnitude) * 2f32.powi(24)).round_ties_even() as u16,
    };
    sign | rest
}

/// A float whose lower half is cut off.
pub fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The nearest of those, ties to even.
pub fn to_bf16(x: f32) -> u16 {
    if x.is_nan() { (x.to_bits() >> 16) as u16 | 0x40 } else { to_nearest(x.to_bits(), 16) }
}

/// The bits above the lowest, rounded to the nearest, ties to even.
fn to_nearest(bits: u32, lowest: u32) -> u16 {
    ((bits + (1 << (lowest - 1)) - 1 + (bits >> lowest & 1)) >> lowest) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::random::SplitMix64;

    #[test]
    fn halves_are_what_the_half_crate_says() {
        for bits in 0..=u16::MAX {
            let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
            let ours = from_f16(bits);
            assert!(same(ours, half::f16::from_bits(bits).to_f32()), "{bits:#x}");
            assert!(same(from_bf16(bits), half::bf16::from_bits(bits).to_f32()), "{bits:#x}");
            assert!(ours.is_nan() || to_f16(ours) == bits, "{bits:#x}");
        }
    }

    #[test]
    fn rounding_is_what_the_half_crate_does() {
        let mut random = SplitMix64::new(5);
        let near = |bits: u16| f32::from_bits(from_f16(bits).to_bits().wrapping_add(0x1000));
        let middles = (0..=u16::MAX).map(near);
        for x in (0..200_000).map(|_| f32::from_bits(random.next_u64() as u32)).chain(middles).filter(|x| !x.is_nan()) {
            assert_eq!(to_f16(x), half::f16::from_f32(x).to_bits(), "{x}");
            assert_eq!(to_bf16(x), half::bf16::from_f32(x).to_bits(), "{x}");
        }
    }
}
