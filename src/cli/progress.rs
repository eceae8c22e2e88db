//! Progress on standard error: a bar with rate and time left on a terminal, silence elsewhere.

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::time::Duration;

/// Makes the bars of one command.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    quiet: bool,
}

impl Progress {
    pub fn new(quiet: bool) -> Self {
        Progress { quiet }
    }

    /// A bar that counts things.
    pub fn count(self, what: &str, total: u64) -> ProgressBar {
        self.bar(what, total, "{msg:24} {wide_bar} {human_pos}/{human_len}  {rate}/s  {eta} left")
    }

    /// A bar that counts bytes.
    pub fn bytes(self, what: &str, total: u64) -> ProgressBar {
        self.bar(what, total, "{msg:24} {wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left")
    }

    fn bar(self, what: &str, total: u64, template: &str) -> ProgressBar {
        // indicatif hides a bar by itself where standard error is no terminal.
        let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        let bar = ProgressBar::with_draw_target(Some(total), target).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
                // A bar that can't be drawn is no reason to fail.
                let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
            }));
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        bar
    }
}
