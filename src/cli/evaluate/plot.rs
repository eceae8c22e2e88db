//! Plots of an evaluation, as SVG that takes its colours from the page around it.

use std::fmt::Write;

/// A plot's place within its picture, in the picture's units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 40.0;

/// Columns of a histogram.
const BINS: usize = 20;

/// A line of a table: an interval and its mean, beside another mean.
pub fn interval(domain: (f64, f64), (low, mean, high): (f64, f64, f64), other: Option<f64>) -> String {
    let x = |value: f64| 6.0 + 228.0 * ((value - domain.0) / (domain.1 - domain.0)).clamp(0.0, 1.0);
    let mut svg = format!(
        r#"<svg class="interval" viewBox="0 0 240 20" aria-hidden="true"><path class="axis" d="M6 10H234"/><path class="own line" d="M{:.1} 10H{:.1}"/>"#,
        x(low),
        x(high)
    );
    if let Some(other) = other {
        let _ = write!(svg, r#"<circle class="other ring" cx="{:.1}" cy="10" r="4.5"/>"#, x(other));
    }
    let _ = write!(svg, r#"<circle class="own dot" cx="{:.1}" cy="10" r="4.5"/></svg>"#, x(mean));
    svg
}

/// How many of the queries have which value, from 0 to 1.
pub fn histogram(own: &[f64], other: Option<&[f64]>, what: &str) -> String {
    let count = |values: &[f64]| {
        let mut bins = [0usize; BINS];
        for value in values {
            bins[((value * BINS as f64) as usize).min(BINS - 1)] += 1;
        }
        bins
    };
    let (own, other) = (count(own), other.map(count));
    let most = own.iter().chain(other.iter().flatten()).copied().max().unwrap_or(0).max(1);
    let step = (WIDTH - LEFT - RIGHT) / BINS as f64;
    let y = |n: usize| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - n as f64 / most as f64);
    let mut body = String::new();
    for (i, &n) in own.iter().enumerate().filter(|(_, n)| **n > 0) {
        let (left, top) = (LEFT + i as f64 * step + 1.5, y(n));
        let (wide, high) = (step - 3.0, y(0) - top);
        let _ =
            write!(body, r#"<rect class="own fill" x="{left:.1}" y="{top:.1}" width="{wide:.1}" height="{high:.1}"/>"#);
    }
    if let Some(bins) = &other {
        let mut path = format!("M{LEFT} {:.1}", y(0));
        for (i, &n) in bins.iter().enumerate() {
            let _ = write!(path, "V{:.1}H{:.1}", y(n), LEFT + (i + 1) as f64 * step);
        }
        let _ = write!(path, "V{:.1}", y(0));
        let _ = write!(body, r#"<path class="other line" d="{path}"/>"#);
    }
    let ticks: Vec<(f64, String)> = (0..=5)
        .map(|i| (LEFT + (WIDTH - LEFT - RIGHT) * f64::from(i) / 5.0, format!("{:.1}", f64::from(i) / 5.0)))
        .collect();
    frame(&format!("{what} of each query"), &body, &ticks, &[(y(most), most.to_string()), (y(0), "0".into())])
}

/// Which share of the queries was answered within which time, on a logarithmic axis.
pub fn times(own: &[f64], other: Option<&[f64]>) -> String {
    let micros = |seconds: &[f64]| {
        let mut sorted: Vec<f64> = seconds.iter().map(|seconds| (seconds * 1e6).max(0.1)).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let (own, other) = (micros(own), other.map(micros));
    let all = || own.iter().chain(other.iter().flatten());
    let from = all().copied().fold(f64::INFINITY, f64::min).log10();
    let to = all().copied().fold(0.0, f64::max).log10();
    // Less than a tenth of a decade would show noise alone.
    let (from, to) = (from - 0.05, to.max(from + 0.1) + 0.05);
    if !from.is_finite() {
        return String::new();
    }
    let x = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * (value.log10() - from) / (to - from);
    let y = |share: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share);
    let line = |values: &[f64], class: &str| {
        // A picture has no use for more steps than it is wide.
        let every = (values.len() / 400).max(1);
        let mut path = format!("M{LEFT} {:.1}", y(0.0));
        for (i, &value) in values.iter().enumerate().filter(|(i, _)| i % every == 0 || i + 1 == values.len()) {
            let _ = write!(path, "H{:.1}V{:.1}", x(value), y((i + 1) as f64 / values.len() as f64));
        }
        format!(r#"<path class="{class} line" d="{path}H{:.1}"/>"#, WIDTH - RIGHT)
    };
    let mut body = other.as_deref().map(|values| line(values, "other")).unwrap_or_default();
    body += &line(&own, "own");
    let mut ticks = Vec::new();
    for decade in from.floor() as i32..=to.ceil() as i32 {
        for digit in [1.0, 2.0, 3.0, 5.0, 7.0] {
            let value = digit * 10f64.powi(decade);
            if (from..=to).contains(&value.log10()) {
                ticks.push((x(value), format!("{value}")));
            }
        }
    }
    let shares = [0.0, 0.5, 0.95].map(|share| (y(share), format!("{:.0} %", share * 100.0)));
    frame("time of a query in µs, on a logarithmic axis: share of the queries within it", &body, &ticks, &shares)
}

fn frame(label: &str, body: &str, across: &[(f64, String)], up: &[(f64, String)]) -> String {
    let mut svg = format!(
        r#"<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
        super::page::escaped(label)
    );
    for (y, text) in up {
        let _ = write!(
            svg,
            r#"<path class="axis" d="M{LEFT} {y:.1}H{:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{text}</text>"#,
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0
        );
    }
    let base = HEIGHT - BOTTOM;
    for (x, text) in across {
        let _ = write!(
            svg,
            r#"<path class="axis" d="M{x:.1} {base}v4"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{text}</text>"#,
            base + 18.0
        );
    }
    let _ = write!(
        svg,
        r#"{body}<text class="label" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text></svg>"#,
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 4.0,
        super::page::escaped(label.split(':').next().unwrap_or_default())
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_drawn_and_in_the_picture() {
        let svg = histogram(&[0.0, 0.5, 1.0], Some(&[2.0, -1.0]), "recall");
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("other line") && !svg.contains("NaN"));
        for values in [&[1e-5, 2e-4, 0.0][..], &[3e-6], &[5e-6, 5e-6]] {
            let svg = times(values, Some(values));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert_eq!(svg.matches("own line").count(), 1);
        }
        assert_eq!(times(&[], None), "");
        assert!(interval((0.5, 1.0), (0.4, 0.6, 2.0), None).contains(r#"d="M6.0 10H234.0""#), "clipped to its axis");
    }
}
