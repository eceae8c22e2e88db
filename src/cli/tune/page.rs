//! What tuning found as a page that needs nothing but itself.

use super::report::Report;
use super::search::Tried;
use crate::evaluate::{escaped, page_of};
use crate::failure::Result;
use crate::replace::replace_with;
use indicatif::HumanCount;
use std::fmt::Write;
use std::path::Path;

/// The plot's place within its picture, in the picture's units.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 48.0;

const STYLE: &str = "\
.point { fill: var(--quiet); opacity: .45; } .point.front { fill: var(--own); opacity: 1; }
.point.guess { fill: none; stroke: var(--quiet); opacity: .6; } .point.chosen { fill: var(--other); opacity: 1; }
.goal { stroke: var(--good); stroke-dasharray: 6 4; fill: none; stroke-width: 1.5; }
.legend .of-chosen { background: var(--other); } .legend .of-rest { background: var(--quiet); opacity: .45; }
.legend .of-guess { border: 1.5px solid var(--quiet); }
tr.chosen td { font-weight: 600; } pre { overflow-x: auto; padding: .75rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
";

pub fn write(path: &Path, of: &str, report: &Report) -> Result<()> {
    let mut body = head(of, report);
    body += &plot(report);
    body += &table(report);
    replace_with(path, page_of(&format!("{of} – tuned"), STYLE, &body).as_bytes())
}

fn head(of: &str, report: &Report) -> String {
    let goal = &report.goal;
    let mut asked = vec![format!("{} of at least {}", report.measure, goal.quality)];
    asked.extend(goal.max_bytes.map(|bytes| format!("at most {bytes} bytes a vector")));
    asked.extend(goal.max_us.map(|us| format!("95 % of the queries within {} ms", us / 1e3)));
    let mut html = format!(
        "<h1>{}</h1>\n<p class=\"quiet\">{} vectors of {} dimensions, {}; {} queries. Asked for: {}. {} measurements in {:.0} s.</p>\n",
        escaped(of),
        HumanCount(report.rows as u64),
        report.dimension,
        report.metric,
        HumanCount(report.queries as u64),
        escaped(&asked.join(", ")),
        report.measurements.0,
        report.seconds
    );
    match &report.chosen {
        None => html += "<h2><span class=\"missed\">✗ Nothing that was tried reaches the goal</span></h2>\n",
        Some(tried) => {
            let _ = write!(
                html,
                "<h2><span class=\"passed\">✓ {}</span></h2>\n<p>{} {:.4}, {:.0} µs a query (95 % within {:.0}), {:.0} bytes a vector. \
                 Searches: {}.</p>\n<pre>elanus build {} {}</pre>\n",
                escaped(&tried.candidate.to_string()),
                report.measure,
                tried.point.quality,
                tried.point.us,
                tried.point.p95_us,
                tried.point.bytes,
                escaped(&tried.setting.to_string()),
                escaped(of),
                escaped(&report.options(tried).join(" "))
            );
        }
    }
    html
}

/// Quality across, time up on a logarithmic axis, bytes as areas.
fn plot(report: &Report) -> String {
    let shown: Vec<(&Tried, f64, &str)> = (report.predicted.iter().map(|t| (t, t.predicted.us, "guess")))
        .chain(report.measured.iter().rev().map(|(t, is_front)| (t, t.point.us, if *is_front { "front" } else { "" })))
        .chain(report.chosen.iter().map(|t| (t, t.point.us, "chosen")))
        .collect();
    let (mut least, mut fastest, mut slowest) = (report.goal.quality, f64::INFINITY, 0.0f64);
    let mut largest = 1.0f64;
    for (tried, us, _) in &shown {
        // What is far below the goal would press all else together.
        least = least.min(tried.point.quality.max(report.goal.quality - 0.1));
        (fastest, slowest) = (fastest.min(*us), slowest.max(*us));
        largest = largest.max(tried.point.bytes);
    }
    if !fastest.is_finite() {
        return String::new();
    }
    let (from, to) = (fastest.log10() - 0.08, slowest.log10().max(fastest.log10() + 0.2) + 0.08);
    let left = (least * 50.0).floor() / 50.0;
    let most = report.exact.max(report.goal.quality).min(1.0);
    let x = |quality: f64| LEFT + (WIDTH - LEFT - RIGHT) * ((quality - left) / (most + 0.004 - left)).clamp(0.0, 1.0);
    let y = |us: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (us.log10() - from) / (to - from));
    let mut svg = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{} across, time of a query in µs up, on a \
         logarithmic axis; the area of a point is its bytes a vector\">",
        escaped(&report.measure)
    );
    for decade in from.floor() as i32..=to.ceil() as i32 {
        for digit in [1.0, 2.0, 5.0] {
            let us = digit * 10f64.powi(decade);
            if (from..=to).contains(&us.log10()) {
                let _ = write!(
                    svg,
                    "<path class=\"axis\" d=\"M{LEFT} {:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{us}</text>",
                    y(us),
                    WIDTH - RIGHT,
                    LEFT - 8.0,
                    y(us) + 5.0
                );
            }
        }
    }
    let base = HEIGHT - BOTTOM;
    let step = if most - left > 0.15 { 0.05 } else { 0.02 };
    let mut tick = left;
    while tick <= most + 1e-9 {
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M{:.1} {base}v5\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick:.2}</text>",
            x(tick),
            x(tick),
            base + 20.0
        );
        tick += step;
    }
    let goal = x(report.goal.quality);
    let _ = write!(svg, "<path class=\"goal\" d=\"M{goal:.1} {TOP}V{base}\"/>");
    for (tried, us, class) in &shown {
        let radius = 3.0 + 7.0 * (tried.point.bytes / largest).sqrt();
        let _ = write!(
            svg,
            "<circle class=\"point {class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\"><title>{}: {}, {:.4}, {us:.0} µs, {:.0} bytes</title></circle>",
            x(tried.point.quality),
            y(*us),
            escaped(&tried.candidate.to_string()),
            escaped(&tried.setting.to_string()),
            tried.point.quality,
            tried.point.bytes
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{} across, µs a query up</text></svg>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 6.0,
        escaped(&report.measure)
    );
    format!(
        "<h2>Quality, time and bytes</h2>\n<p class=\"legend\"><span><i class=\"of-chosen\"></i>chosen</span><span><i class=\"of-own\"></i>nothing \
         beats it</span><span><i class=\"of-rest\"></i>measured</span><span><i class=\"of-guess\"></i>predicted from a sample</span></p>\n\
         <p class=\"quiet\">Larger points take more bytes; the dashed line is the goal.</p>\n<figure>{svg}</figure>\n"
    )
}

fn table(report: &Report) -> String {
    let mut html = format!(
        "<h2>What was measured</h2>\n<div class=\"scroll\"><table>\n<tr><th>index</th><th class=\"text\">search</th><th>{}</th><th>µs</th>\
         <th>95 % within</th><th>bytes</th><th></th></tr>\n",
        escaped(&report.measure)
    );
    let chosen = report.chosen.as_ref().map(|tried| (&tried.candidate, &tried.setting));
    for (tried, is_front) in &report.measured {
        let class = if chosen == Some((&tried.candidate, &tried.setting)) { " class=\"chosen\"" } else { "" };
        let _ = writeln!(
            html,
            "<tr{class}><td>{}</td><td class=\"text\">{}</td><td>{:.4}</td><td>{:.0}</td><td>{:.0}</td><td>{:.0}</td><td>{}</td></tr>",
            escaped(&tried.candidate.to_string()),
            escaped(&tried.setting.to_string()),
            tried.point.quality,
            tried.point.us,
            tried.point.p95_us,
            tried.point.bytes,
            if *is_front { "front" } else { "" }
        );
    }
    html += "</table></div>\n";
    if report.predicted.is_empty() {
        return html;
    }
    html += "<h2>Not built of all vectors</h2>\n<div class=\"scroll\"><table>\n<tr><th>index</th><th>vectors of the sample</th><th>µs there</th>\
             <th>µs with all, predicted</th><th>bytes</th></tr>\n";
    for tried in &report.predicted {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{:.0}</td><td>{:.0}</td><td>{:.0}</td></tr>",
            escaped(&tried.candidate.to_string()),
            HumanCount(tried.rows as u64),
            tried.point.us,
            tried.predicted.us,
            tried.point.bytes
        );
    }
    html + "</table></div>\n"
}
