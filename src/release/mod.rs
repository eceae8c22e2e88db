//! Whether a release is good enough: measures of rankings, how sure one can be of them, the gate,
//! experiments on live queries, and whether these are still what they were.
//! It knows numbers and ids, no index and no file.

pub mod experiment;
pub mod gate;
pub mod interleave;
pub mod judgements;
pub mod ranking;
pub mod resample;
pub mod sketch;

pub use experiment::{Decision, Tally};
pub use gate::{Bound, Compared, Finding, Measured, Outcome, Policy, Rule, Verdict};
pub use interleave::{Team, team_draft};
pub use judgements::Judgements;
pub use resample::{Interval, SEED};
pub use sketch::Sketch;
