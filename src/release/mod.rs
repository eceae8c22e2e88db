//! Whether a release is good enough: measures of rankings, how sure one can be of them, and the gate.
//! It knows numbers and ids, no index and no file.

pub mod gate;
pub mod judgements;
pub mod ranking;
pub mod resample;

pub use gate::{Bound, Compared, Finding, Measured, Outcome, Policy, Rule, Verdict};
pub use judgements::Judgements;
pub use resample::{Interval, SEED};
