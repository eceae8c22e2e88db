//! Team-draft interleaving (Radlinski, Kurup and Joachims, "How does clickthrough data reflect retrieval
//! quality?", CIKM 2008): one list of two rankings, in which neither has the better places, so that clicks say
//! which of them is preferred.

use crate::words::random::SplitMix64;

/// Whose a place in the list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Team {
    /// The ranking in use.
    Champion,
    /// The one that is tried.
    Challenger,
    /// Both would have chosen it: a click on it speaks for neither.
    Neither,
}

/// Interleaves two rankings to a list of at most `limit`. The teams choose in turns, a coin deciding who goes
/// first in each round, and each takes its best that isn't there yet; what is the next of both is nobody's. The
/// same seed gives the same list.
pub fn team_draft<T: Eq + Clone>(champion: &[T], challenger: &[T], limit: usize, seed: u64) -> Vec<(T, Team)> {
    let mut random = SplitMix64::new(seed);
    let mut list: Vec<(T, Team)> = Vec::new();
    // Whose turn the round still has.
    let mut waiting: Option<Team> = None;
    while list.len() < limit {
        let next = |ranking: &[T]| ranking.iter().find(|id| list.iter().all(|(there, _)| there != *id)).cloned();
        let (of_champion, of_challenger) = (next(champion), next(challenger));
        let place = match (of_champion, of_challenger) {
            (None, None) => break,
            (Some(one), Some(other)) if one == other => (one, Team::Neither),
            // A ranking that has ended leaves the rest to the other: clicks there would be won without a contest.
            (Some(rest), None) | (None, Some(rest)) => (rest, Team::Neither),
            (Some(one), Some(other)) => {
                let coin = || if random.next_u64() >> 63 == 0 { Team::Champion } else { Team::Challenger };
                let first = waiting.is_none();
                let team = waiting.take().unwrap_or_else(coin);
                let second = if team == Team::Champion { Team::Challenger } else { Team::Champion };
                waiting = first.then_some(second);
                (if team == Team::Champion { one } else { other }, team)
            }
        };
        list.push(place);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn every_list_is_fair_and_whole() {
        let (mut first, mut places) = (0, [0i64; 10]);
        for seed in 0..4000 {
            let champion: Vec<u32> = (0..10).collect();
            let challenger: Vec<u32> = (5..15).rev().collect();
            let list = team_draft(&champion, &challenger, 10, seed);
            assert_eq!(list.len(), 10);
            let mut ids: Vec<u32> = list.iter().map(|(id, _)| *id).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), 10, "nothing twice");
            let count = |team| list.iter().filter(|(_, own)| *own == team).count() as i64;
            assert!((count(Team::Champion) - count(Team::Challenger)).abs() <= 1);
            first += i64::from(list[0].1 == Team::Challenger);
            for (place, (_, team)) in places.iter_mut().zip(&list) {
                *place += match team {
                    Team::Champion => -1,
                    Team::Challenger => 1,
                    Team::Neither => 0,
                };
            }
            assert_eq!(list, team_draft(&champion, &challenger, 10, seed));
        }
        // Four standard deviations of 4,000 coins.
        assert!((first - 2000).abs() < 127, "{first}");
        assert!(places.iter().all(|balance| balance.abs() < 253), "{places:?}");
    }

    #[test]
    fn a_seed_gives_the_list_that_it_gives_in_the_page() {
        // The same as in tests/js/interleave.test.mjs.
        let champion: Vec<u32> = (1..=10).collect();
        let challenger = [1, 9, 3, 12, 2, 14, 5, 16, 7, 18];
        let shown = |seed| -> String {
            let letter = |team| match team {
                Team::Champion => 'a',
                Team::Challenger => 'b',
                Team::Neither => '-',
            };
            let list = team_draft(&champion, &challenger, 10, seed);
            list.iter().map(|(id, team)| format!("{id}{} ", letter(*team))).collect()
        };
        assert_eq!(shown(42), "1- 9b 2a 3- 4a 12b 5a 14b 6a 16b ");
        assert_eq!(shown((1 << 53) - 1), "1- 2a 9b 3- 4a 12b 14b 5- 6a 7a ");
    }

    #[test]
    fn what_both_would_choose_is_nobodys() {
        let same = team_draft(&[1, 2, 3], &[1, 2, 3], 10, 7);
        assert_eq!(same, [(1, Team::Neither), (2, Team::Neither), (3, Team::Neither)]);
        // A common start, then a contest, then what is left.
        let list = team_draft(&[1, 2, 3], &[1, 3, 2, 4], 10, 7);
        assert_eq!((list[0], list[3]), ((1, Team::Neither), (4, Team::Neither)));
        assert_ne!(list[1].1, Team::Neither);
        assert!(team_draft::<u8>(&[], &[], 10, 1).is_empty());
        assert!(team_draft(&[1], &[2], 0, 1).is_empty());
    }
}
