//! Which requests were answered lately, and how. The writes of a database are done by one tab for all.
//! When that tab is closed, another one can't know whether what it had asked for was written; it
//! asks the next again, under the same name.

use super::log::Request;
use crate::segment::Key;
use std::collections::VecDeque;

/// Requests that are remembered. Those who ask have few at a time that aren't answered.
const REMEMBERED: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Answered {
    /// The newest last.
    requests: VecDeque<(Request, Vec<Key>)>,
}

impl Answered {
    pub(super) fn add(&mut self, request: Request, keys: Vec<Key>) {
        if self.requests.len() == REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back((request, keys));
    }

    pub(super) fn get(&self, request: Request) -> Option<&[Key]> {
        let newest_first = self.requests.iter().rev();
        newest_first.filter(|(other, _)| *other == request).map(|(_, keys)| keys.as_slice()).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_requests_are_remembered() {
        let mut answered = Answered::default();
        for number in 0..1000 {
            answered.add(Request { client: 7, number }, vec![Key::Int64(number as i64)]);
        }
        let get = |client, number| answered.get(Request { client, number });
        assert_eq!(get(7, 999), Some(&[Key::Int64(999)][..]));
        assert_eq!(get(7, 1000 - REMEMBERED as u64), Some(&[Key::Int64(1000 - REMEMBERED as i64)][..]));
        assert_eq!(get(7, 999 - REMEMBERED as u64), None);
        assert_eq!(get(8, 999), None);
    }
}
