//! The candidates of a walk through an HNSW graph, as Faiss keeps them (`MinimaxHeap`).
//!
//! Where distances tie, which candidate is looked at next and which falls out decides where a walk
//! goes, and with codes and bits they tie often. So this keeps to Faiss's order of things: a binary
//! heap with the farthest on top, ties by id, from which the nearest is taken by looking through all
//! of it, the last in the array winning.

/// What was taken keeps its place, with this for an id, until nearer ones push it out.
const TAKEN: i32 = -1;

/// The nearest `most` candidates.
#[derive(Debug)]
pub(super) struct Minimax {
    distances: Vec<f32>,
    ids: Vec<i32>,
    most: usize,
    /// How many weren't taken.
    left: usize,
    /// Among equally far ones the lower id is on top, rather than the higher.
    lower_on_top: bool,
}

impl Minimax {
    /// Room for `most` candidates, at least one. By similarity Faiss breaks ties the other way.
    pub(super) fn new(most: usize, by_similarity: bool) -> Self {
        Minimax { distances: Vec::new(), ids: Vec::new(), most: most.max(1), left: 0, lower_on_top: by_similarity }
    }

    /// Takes a candidate on, if there is room or it is nearer than the farthest.
    pub(super) fn push(&mut self, id: u32, distance: f32) {
        let distance = if distance.is_nan() { f32::INFINITY } else { distance };
        if self.ids.len() >= self.most {
            // Not `>=`: an infinite distance isn't nearer than another one.
            if self.distances[0] <= distance {
                return;
            }
            self.left -= usize::from(self.ids[0] != TAKEN);
            self.drop_farthest();
        }
        self.sift_up(distance, id as i32);
        self.left += 1;
    }

    /// The nearest candidate that wasn't taken, with its distance.
    pub(super) fn take_nearest(&mut self) -> Option<(u32, f32)> {
        if self.left == 0 {
            return None;
        }
        let open = |(&distance, &id): (&f32, &i32)| if id == TAKEN { f32::INFINITY } else { distance };
        let mut least = [f32::INFINITY; 8];
        let (distances, ids) = (self.distances.chunks_exact(8), self.ids.chunks_exact(8));
        let rest = distances.remainder().iter().zip(ids.remainder());
        rest.enumerate().for_each(|(i, pair)| least[i] = open(pair));
        for (distances, ids) in distances.zip(ids) {
            for ((least, distance), id) in least.iter_mut().zip(distances).zip(ids) {
                let distance = open((distance, id));
                *least = if distance < *least { distance } else { *least };
            }
        }
        let nearest = least.into_iter().fold(f32::INFINITY, f32::min);
        let mut pairs = self.distances.iter().zip(&self.ids);
        let at = pairs.rposition(|(&distance, &id)| id != TAKEN && distance == nearest)?;
        self.left -= 1;
        Some((std::mem::replace(&mut self.ids[at], TAKEN) as u32, nearest))
    }

    /// How many candidates are nearer than this, taken ones as well.
    pub(super) fn nearer_than(&self, distance: f32) -> usize {
        self.distances.iter().filter(|&&other| other < distance).count()
    }

    /// Whether a belongs above b.
    fn above(&self, a: (f32, i32), b: (f32, i32)) -> bool {
        a.0 > b.0 || (a.0 == b.0 && if self.lower_on_top { a.1 < b.1 } else { a.1 > b.1 })
    }

    fn entry(&self, at: usize) -> (f32, i32) {
        (self.distances[at], self.ids[at])
    }

    fn set(&mut self, at: usize, (distance, id): (f32, i32)) {
        self.distances[at] = distance;
        self.ids[at] = id;
    }

    fn sift_up(&mut self, distance: f32, id: i32) {
        self.distances.push(distance);
        self.ids.push(id);
        let mut at = self.ids.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.above((distance, id), self.entry(parent)) {
                break;
            }
            self.set(at, self.entry(parent));
            at = parent;
        }
        self.set(at, (distance, id));
    }

    fn drop_farthest(&mut self) {
        let last = self.entry(self.ids.len() - 1);
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            if left >= self.ids.len() {
                break;
            }
            let left_first = right >= self.ids.len() || self.above(self.entry(left), self.entry(right));
            let child = if left_first { left } else { right };
            if self.above(last, self.entry(child)) {
                break;
            }
            self.set(at, self.entry(child));
            at = child;
        }
        self.set(at, last);
        self.distances.pop();
        self.ids.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::random::SplitMix64;

    #[test]
    fn the_nearest_come_first_and_the_farthest_fall_out() {
        let mut heap = Minimax::new(3, false);
        [(1, 4.0), (2, 3.0), (3, 5.0)].into_iter().for_each(|(id, distance)| heap.push(id, distance));
        assert_eq!(heap.take_nearest(), Some((2, 3.0)));
        heap.push(4, 1.0);
        assert_eq!(heap.take_nearest(), Some((4, 1.0)));
        heap.push(5, f32::NAN);
        assert_eq!(heap.take_nearest(), Some((1, 4.0)));
        assert_eq!((heap.take_nearest(), heap.nearer_than(4.0)), (None, 2));
    }

    #[test]
    fn it_keeps_what_a_sorted_list_would() {
        let mut random = SplitMix64::new(3);
        for most in [1, 2, 7, 20, 33] {
            let (mut heap, mut all) = (Minimax::new(most, most % 2 == 0), Vec::new());
            for id in 0..200 {
                let distance = random.below(1000) as f32 + id as f32 / 1024.0;
                heap.push(id, distance);
                all.push((distance, id));
            }
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            let taken: Vec<_> =
                std::iter::from_fn(|| heap.take_nearest()).map(|(id, distance)| (distance, id)).collect();
            assert_eq!(taken, all[..most]);
        }
    }
}
