//! Which of those that were measured are worth having: what nothing else beats in quality, time and bytes at once, and
//! the one that suits a goal.

use serde::{Deserialize, Serialize};

/// What was measured of an index with one setting of its searches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Mean of the measure that the goal is set in.
    pub quality: f64,
    /// Mean microseconds of a query.
    pub us: f64,
    /// Microseconds within which 95 % of the queries were answered.
    pub p95_us: f64,
    /// Bytes of a vector.
    pub bytes: f64,
}

/// What is wanted least of, among those that are good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// Time of a query.
    Speed,
    /// Bytes of a vector.
    Size,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// The least quality.
    pub quality: f64,
    /// The most bytes a vector.
    pub max_bytes: Option<f64>,
    /// The most microseconds that 95 % of the queries may take.
    pub max_us: Option<f64>,
    /// What is wanted least of.
    pub prefer: Prefer,
}

impl Point {
    /// Whether this one is no worse in anything, and better in something.
    pub fn beats(&self, other: &Point) -> bool {
        let no_worse = self.quality >= other.quality && self.us <= other.us && self.bytes <= other.bytes;
        no_worse && (self.quality > other.quality || self.us < other.us || self.bytes < other.bytes)
    }
}

impl Goal {
    /// By how much a point misses the budgets, as a factor; 1 if it keeps them.
    pub fn excess(&self, point: &Point) -> f64 {
        let over = |value: f64, most: Option<f64>| most.map_or(1.0, |most| (value / most).max(1.0));
        over(point.bytes, self.max_bytes).max(over(point.p95_us, self.max_us))
    }

    /// Whether a point is good enough.
    pub fn meets(&self, point: &Point) -> bool {
        point.quality >= self.quality && self.excess(point) <= 1.0
    }

    /// What is wanted little of; between equals the other decides.
    pub fn cost(&self, point: &Point) -> (f64, f64) {
        match self.prefer {
            Prefer::Speed => (point.us, point.bytes),
            Prefer::Size => (point.bytes, point.us),
        }
    }

    /// The best that is good enough.
    pub fn choose<'a, T>(&self, all: &'a [T], point: impl Fn(&T) -> Point) -> Option<&'a T> {
        let cost = |one: &T| self.cost(&point(one));
        all.iter().filter(|one| self.meets(&point(one))).min_by(|a, b| {
            let (a, b) = (cost(a), cost(b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
    }
}

/// Which of the points nothing else beats, in their order.
pub fn front(points: &[Point]) -> Vec<bool> {
    points.iter().map(|point| !points.iter().any(|other| other.beats(point))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn point(quality: f64, us: f64, bytes: f64) -> Point {
        Point { quality, us, p95_us: 2.0 * us, bytes }
    }

    #[test]
    fn a_front_is_what_nothing_beats() {
        let points = [point(0.9, 10.0, 5.0), point(0.9, 11.0, 5.0), point(0.8, 11.0, 1.0), point(0.99, 50.0, 5.0)];
        assert_eq!(front(&points), [true, false, true, true]);
        assert_eq!(front(&[points[0], points[0]]), [true, true], "equal ones don't beat each other");
        assert_eq!(front(&[]), [] as [bool; 0]);
    }

    #[test]
    fn the_goal_chooses() {
        let points =
            [point(0.99, 50.0, 400.0), point(0.96, 20.0, 400.0), point(0.97, 30.0, 60.0), point(0.5, 1.0, 1.0)];
        let goal = Goal { quality: 0.95, max_bytes: None, max_us: None, prefer: Prefer::Speed };
        let choose = |goal: Goal| goal.choose(&points, |point| *point).copied();
        assert_eq!(choose(goal), Some(points[1]));
        assert_eq!(choose(Goal { prefer: Prefer::Size, ..goal }), Some(points[2]));
        assert_eq!(choose(Goal { max_bytes: Some(100.0), ..goal }), Some(points[2]));
        assert_eq!(choose(Goal { max_us: Some(59.0), prefer: Prefer::Size, ..goal }), Some(points[1]));
        assert_eq!(choose(Goal { quality: 0.995, ..goal }), None);
        assert_eq!(Goal { max_us: Some(50.0), ..goal }.excess(&points[0]), 2.0);
    }
}
