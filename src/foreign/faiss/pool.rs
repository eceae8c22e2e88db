//! The candidates of a walk through an NSG graph: the nearest so many, looked at nearest first.

/// A bounded list, nearest first. What was looked at stays in it and counts, until so many nearer
/// ones are found that it falls out.
#[derive(Debug)]
pub(super) struct Pool {
    entries: Vec<Entry>,
    most: usize,
    /// All before it were looked at.
    next: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    distance: f32,
    node: u32,
    done: bool,
}

impl Pool {
    /// Room for `most` candidates.
    pub(super) fn new(most: usize) -> Self {
        Pool { entries: Vec::with_capacity(most.min(1 << 12) + 1), most, next: 0 }
    }

    /// Takes a candidate on if it is nearer than the farthest or there is room.
    #[inline]
    pub(super) fn insert(&mut self, node: u32, distance: f32) {
        let distance = if distance.is_nan() { f32::INFINITY } else { distance };
        if self.entries.len() >= self.most {
            match self.entries.last() {
                Some(last) if distance < last.distance => drop(self.entries.pop()),
                _ => return,
            }
        }
        let at = self.entries.partition_point(|entry| entry.distance <= distance);
        self.entries.insert(at, Entry { distance, node, done: false });
        self.next = self.next.min(at);
    }

    /// The nearest candidate that wasn't looked at, with its distance.
    #[inline]
    pub(super) fn next(&mut self) -> Option<(u32, f32)> {
        while self.entries.get(self.next)?.done {
            self.next += 1;
        }
        let entry = &mut self.entries[self.next];
        entry.done = true;
        Some((entry.node, entry.distance))
    }

    /// All candidates, nearest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.entries.iter().map(|entry| (entry.node, entry.distance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_the_farthest_fall_out() {
        let mut pool = Pool::new(3);
        [(1, 4.0), (2, 3.0), (3, 5.0)].into_iter().for_each(|(node, distance)| pool.insert(node, distance));
        assert_eq!(pool.next(), Some((2, 3.0)));
        pool.insert(4, 1.0);
        assert_eq!(pool.next(), Some((4, 1.0)));
        pool.insert(5, f32::NAN);
        assert_eq!(pool.next(), Some((1, 4.0)));
        assert_eq!(pool.next(), None);
        assert_eq!(pool.entries().map(|(node, _)| node).collect::<Vec<_>>(), [4, 2, 1]);
    }

    #[test]
    fn no_room_means_no_candidates() {
        let mut pool = Pool::new(0);
        pool.insert(1, 1.0);
        assert_eq!(pool.next(), None);
    }
}
