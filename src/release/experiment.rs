//! Which of two releases visitors prefer, by a test that stays valid however often one looks at it.
//!
//! Each interleaved query that was decided is won or lost by the challenger; without a preference, wins are coin
//! flips. The test is a mixture sequential probability ratio test (Robbins, "Statistical methods related to the
//! law of the iterated logarithm", 1970; Johari, Koomen, Pekelis and Walsh, "Peeking at A/B tests", KDD 2017): the
//! likelihood of what was seen, averaged over a beta distribution of preferences, by its likelihood under a coin.
//! By Ville's inequality that ratio ever reaches 1/α with probability α at most if there is no preference.

/// The beta distribution's parameter on both sides: preferences of about 45 to 55 % are what it looks for first.
const CONCENTRATION: f64 = 50.0;

/// What visitors chose, over all queries that were decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Queries on which more clicks were the challenger's.
    pub wins: u64,
    /// Queries on which more were the champion's.
    pub losses: u64,
}

/// What can be said of a preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The challenger is preferred.
    Challenger,
    /// The champion is.
    Champion,
    /// Nothing yet.
    Undecided,
}

impl Tally {
    /// Both together.
    pub fn merged(self, other: Tally) -> Tally {
        Tally { wins: self.wins.saturating_add(other.wins), losses: self.losses.saturating_add(other.losses) }
    }

    /// The challenger's share of the wins; one half of none.
    pub fn share(self) -> f64 {
        let all = self.wins as f64 + self.losses as f64;
        if all == 0.0 { 0.5 } else { self.wins as f64 / all }
    }

    /// The logarithm of the mixture's likelihood, without the order in which wins and losses came.
    fn mixture(self) -> f64 {
        let (wins, losses) = (self.wins as f64, self.losses as f64);
        let beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
        beta(CONCENTRATION + wins, CONCENTRATION + losses) - beta(CONCENTRATION, CONCENTRATION)
    }

    /// The logarithm of the likelihood if the challenger wins with this probability.
    fn likelihood(self, share: f64) -> f64 {
        let part = |count: u64, probability: f64| if count == 0 { 0.0 } else { count as f64 * probability.ln() };
        part(self.wins, share) + part(self.losses, 1.0 - share)
    }

    /// The p-value, at any time: it is below α ever with probability α at most if there is no preference.
    pub fn p(self) -> f64 {
        (self.likelihood(0.5) - self.mixture()).exp().min(1.0)
    }

    /// The shares that aren't ruled out at this α: the interval of a confidence sequence, which holds the true share
    /// at all times together with probability 1 − α at least.
    pub fn interval(self, alpha: f64) -> (f64, f64) {
        let ruled_out = |share: f64| self.mixture() - self.likelihood(share) >= -alpha.ln();
        // The likelihood falls on both sides of the share that was seen.
        let edge = |mut inside: f64, mut outside: f64| {
            if !ruled_out(outside) {
                return outside;
            }
            for _ in 0..60 {
                let middle = (inside + outside) / 2.0;
                if ruled_out(middle) { outside = middle } else { inside = middle }
            }
            inside
        };
        let share = self.share();
        (edge(share, 0.0), edge(share, 1.0))
    }

    /// Who is preferred, if that can be said at this α.
    pub fn decision(self, alpha: f64) -> Decision {
        if self.p() > alpha {
            return Decision::Undecided;
        }
        if self.wins > self.losses { Decision::Challenger } else { Decision::Champion }
    }
}

/// The logarithm of the gamma function by Stirling's series, for arguments from [`CONCENTRATION`] on: there three
/// terms are exact to the last digits.
fn ln_gamma(x: f64) -> f64 {
    let square = x * x;
    (x - 0.5) * x.ln() - x
        + 0.5 * std::f64::consts::TAU.ln()
        + (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * square)) / square) / x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::random::SplitMix64;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_ratio_is_that_of_one_step_after_the_other() {
        let mut random = SplitMix64::new(3);
        let (mut tally, mut ratio) = (Tally::default(), 0.0f64);
        for _ in 0..3000 {
            let (wins, all) = (tally.wins as f64, (tally.wins + tally.losses) as f64);
            let probability = (CONCENTRATION + wins) / (2.0 * CONCENTRATION + all);
            if random.below(100) < 54 {
                ratio += (2.0 * probability).ln();
                tally.wins += 1;
            } else {
                ratio += (2.0 * (1.0 - probability)).ln();
                tally.losses += 1;
            }
            assert!((tally.p().ln() - (-ratio).min(0.0)).abs() < 1e-8, "{tally:?}");
        }
    }

    #[test]
    fn verdict_and_interval_agree() {
        assert_eq!((Tally::default().p(), Tally::default().interval(0.05)), (1.0, (0.0, 1.0)));
        for (wins, losses) in [(0, 9), (30, 20), (60, 0), (500, 400), (1100, 900), (900, 1100), (1 << 40, 1 << 40)] {
            let tally = Tally { wins, losses };
            let (low, high) = tally.interval(0.05);
            assert!(
                0.0 <= low && low <= tally.share() && tally.share() <= high && high <= 1.0,
                "{tally:?}: {low} {high}"
            );
            let decided = match tally.decision(0.05) {
                Decision::Challenger => low > 0.5,
                Decision::Champion => high < 0.5,
                Decision::Undecided => low <= 0.5 && 0.5 <= high,
            };
            assert!(decided, "{tally:?}: {low} {high}");
        }
        assert_eq!(Tally { wins: 1100, losses: 900 }.decision(0.05), Decision::Challenger);
        assert_eq!(Tally { wins: u64::MAX, losses: 1 }.merged(Tally { wins: 5, losses: 5 }).losses, 6);
    }

    #[test]
    fn looking_at_any_time_rings_no_false_alarm_and_misses_few_preferences() {
        let mut random = SplitMix64::new(8);
        let mut decided = |percent: u32| {
            (0..300)
                .filter(|_| {
                    let mut tally = Tally::default();
                    (0..2000).any(|_| {
                        let won = random.below(100) < percent;
                        tally = tally.merged(Tally { wins: u64::from(won), losses: u64::from(!won) });
                        tally.decision(0.05) != Decision::Undecided
                    })
                })
                .count()
        };
        assert!(decided(50) <= 15, "more than 5 % of 300");
        assert!(decided(55) >= 240, "less than 80 % of 300");
    }
}
