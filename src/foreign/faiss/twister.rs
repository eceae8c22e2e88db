//! The Mersenne Twister (Matsumoto and Nishimura 1998, MT19937): Faiss draws from it where a search
//! starts at random.

const SIZE: usize = 624;
const SHIFT: usize = 397;

/// The generator.
pub(super) struct Twister {
    state: Vec<u32>,
    at: usize,
}

impl Twister {
    pub(super) fn new(seed: u32) -> Self {
        let mut state = vec![seed];
        for i in 1..SIZE {
            let last = state[i - 1];
            state.push(1_812_433_253u32.wrapping_mul(last ^ last >> 30).wrapping_add(i as u32));
        }
        Twister { state, at: SIZE }
    }

    pub(super) fn next_u32(&mut self) -> u32 {
        if self.at == SIZE {
            for i in 0..SIZE {
                let mixed = self.state[i] & 0x8000_0000 | self.state[(i + 1) % SIZE] & 0x7FFF_FFFF;
                let twist = if mixed & 1 == 1 { 0x9908_B0DF } else { 0 };
                self.state[i] = self.state[(i + SHIFT) % SIZE] ^ mixed >> 1 ^ twist;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9D2C_5680;
        y ^= y << 15 & 0xEFC6_0000;
        y ^ y >> 18
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard of C++ names the 10,000th number of the default seed.
    #[test]
    fn draws_the_numbers_of_the_standard() {
        let mut twister = Twister::new(5489);
        let last = (0..10_000).map(|_| twister.next_u32()).last();
        assert_eq!(last, Some(4_123_659_995));
    }
}
