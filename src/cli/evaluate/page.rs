//! An evaluation as a page that needs nothing but itself: no script, no address, light and dark.

use super::evaluation::{Beside, Estimate, Evaluation};
use super::measure::Answers;
use super::plot;
use crate::failure::Result;
use crate::replace::replace_with;
use elanus::release::{Finding, Verdict, ranking};
use indicatif::{HumanBytes, HumanCount};
use std::fmt::Write;
use std::path::Path;

const STYLE: &str = include_str!("page.css");

/// Writes the page.
pub fn write_html(
    path: &Path,
    of: &str,
    evaluation: &Evaluation,
    answers: &Answers,
    other: Option<&Answers>,
    verdict: Option<&Verdict>,
) -> Result<()> {
    let mut body = head(of, evaluation);
    if let Some(verdict) = verdict {
        body += &bounds(verdict);
    }
    body += &measures(of, evaluation);
    body += &plots(answers, other);
    body += &changed(evaluation);
    replace_with(path, page_of(&format!("{of} – evaluation"), "", &body).as_bytes())
}

/// A whole page with the style that reports share, and more of it.
pub fn page_of(title: &str, style: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>\n{STYLE}{style}</style>\n\
         </head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escaped(title)
    )
}

/// A text as HTML has it.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

fn head(of: &str, evaluation: &Evaluation) -> String {
    let queries = &evaluation.queries;
    let judged = queries.judged.map(|n| format!(", {} of them judged", HumanCount(n as u64))).unwrap_or_default();
    let mut html = format!(
        "<h1>{}</h1>\n<p class=\"quiet\">{}: {} queries{judged}. {}. {}</p>\n",
        escaped(of),
        escaped(&evaluation.name),
        HumanCount(queries.count as u64),
        HumanBytes(evaluation.bytes),
        escaped(&evaluation.created)
    );
    if !evaluation.search.is_empty() {
        let said: Vec<String> = evaluation.search.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let _ = writeln!(html, "<p class=\"quiet\">Searched with {}.</p>", escaped(&said.join(", ")));
    }
    if let Some(truth) = &evaluation.truth {
        let _ = writeln!(html, "<p class=\"quiet\">knn_recall is measured against {}.</p>", escaped(truth));
    }
    html
}

fn bounds(verdict: &Verdict) -> String {
    let missed = verdict.missed().count();
    let title = match missed {
        0 => "<span class=\"passed\">✓ The policy is kept</span>".to_owned(),
        n => format!("<span class=\"missed\">✗ {n} of {} bounds are missed</span>", verdict.findings.len()),
    };
    let row = |finding: &Finding| {
        let (class, mark) = if finding.passes() { ("passed", "✓") } else { ("missed", "✗") };
        format!("<tr><td class=\"{class}\">{mark}</td><td class=\"text\">{}</td></tr>\n", escaped(&finding.to_string()))
    };
    let rows: String = verdict.findings.iter().map(row).collect();
    format!("<h2>{title}</h2>\n<div class=\"scroll\"><table>\n{rows}</table></div>\n")
}

fn measures(of: &str, evaluation: &Evaluation) -> String {
    let against = evaluation.against.as_ref();
    let mut rows: Vec<(&str, &Estimate, Option<&Beside>)> = evaluation
        .measures
        .iter()
        .map(|(name, estimate)| (name.as_str(), estimate, against.and_then(|a| a.measures.get(name))))
        .collect();
    if let Some(against) = against {
        rows.extend(against.overlap.iter().map(|(name, estimate)| (name.as_str(), estimate, None)));
        rows.push(("rbo", &against.rbo, None));
    }
    let least = rows.iter().map(|(_, e, b)| b.map_or(e.low, |b| b.mean.min(e.low))).fold(1.0, f64::min);
    // One axis for all, from a whole tenth on, so that what is near 1 can be told apart.
    let domain = (((least * 10.0).floor() / 10.0).clamp(0.0, 0.9), 1.0);
    let mut html = format!(
        "<h2>How good the answers are</h2>\n<p class=\"legend\"><span><i class=\"of-own\"></i>{}</span>",
        escaped(of)
    );
    if let Some(against) = against {
        let _ = write!(html, "<span><i class=\"of-other\"></i>{}</span>", escaped(&against.name));
    }
    let _ = write!(
        html,
        "</p>\n<div class=\"scroll\"><table>\n<tr><th>measure</th><th>value</th><th>95 % interval</th>\
         <th class=\"text\">{:.1} to 1</th>",
        domain.0
    );
    if against.is_some() {
        html += "<th>other</th><th>difference</th><th>95 % interval</th><th>p</th>";
    }
    html += "</tr>\n";
    for (name, own, beside) in rows {
        let picture = plot::interval(domain, (own.low, own.mean, own.high), beside.map(|beside| beside.mean));
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{:.4}</td><td>{:.4} – {:.4}</td><td>{picture}</td>",
            escaped(name),
            own.mean,
            own.low,
            own.high
        );
        match beside {
            Some(b) => {
                let _ = write!(
                    html,
                    "<td>{:.4}</td><td>{:+.4}</td><td>{:+.4} – {:+.4}</td><td>{:.4}</td>",
                    b.mean, b.difference, b.low, b.high, b.p
                );
            }
            None if against.is_some() => html += "<td></td><td></td><td></td><td></td>",
            None => {}
        }
        html += "</tr>\n";
    }
    html += "</table></div>\n";
    html + &costs(evaluation)
}

/// Time and bytes.
fn costs(evaluation: &Evaluation) -> String {
    let against = evaluation.against.as_ref();
    let mut html =
        String::from("<h2>What they cost</h2>\n<div class=\"scroll\"><table>\n<tr><th>measure</th><th>value</th>");
    html += if against.is_some() { "<th>other</th><th>difference</th></tr>\n" } else { "</tr>\n" };
    let theirs = against.map(|a| a.latency.named().map(|(_, value)| value).collect::<Vec<_>>());
    let mut rows: Vec<(String, f64, Option<f64>)> = evaluation
        .latency
        .named()
        .enumerate()
        .map(|(i, (name, value))| (name, value, theirs.as_ref().map(|t| t[i])))
        .collect();
    rows.push(("bytes".into(), evaluation.bytes as f64, against.map(|a| a.bytes as f64)));
    rows.push(("empty".into(), evaluation.empty, against.map(|a| a.empty)));
    for (name, value, other) in rows {
        let digits = if name == "empty" { 4 } else { 0 };
        let _ = write!(html, "<tr><td>{name}</td><td>{value:.digits$}</td>");
        if let Some(other) = other {
            let _ = write!(html, "<td>{other:.digits$}</td><td>{:+.digits$}</td>", value - other);
        }
        html += "</tr>\n";
    }
    html + "</table></div>\n"
}

fn plots(answers: &Answers, other: Option<&Answers>) -> String {
    let mut figures = Vec::new();
    // Judgements say more than neighbours; the deepest says most.
    let chosen = |prefix: &str| answers.measures.iter().rev().find(|(name, _)| name.starts_with(prefix));
    if let Some((name, values)) = chosen("ndcg").or_else(|| chosen("knn_recall")) {
        let theirs = other.and_then(|other| other.measures.iter().find(|(own, _)| own == name));
        figures.push(plot::histogram(values, theirs.map(|(_, values)| &values[..]), name));
    }
    if let Some(other) = other {
        let pairs = other.hits.iter().zip(&answers.hits);
        let rbo: Vec<f64> = pairs.map(|(a, b)| ranking::rank_biased_overlap(a, b, ranking::PERSISTENCE)).collect();
        figures.push(plot::histogram(&rbo, None, "rank-biased overlap with the other"));
    }
    figures.push(plot::times(&answers.seconds, other.map(|other| &other.seconds[..])));
    let figures: String = figures.iter().map(|figure| format!("<figure>{figure}</figure>\n")).collect();
    format!("<h2>Query by query</h2>\n<div class=\"plots\">\n{figures}</div>\n")
}

fn changed(evaluation: &Evaluation) -> String {
    let Some(against) = evaluation.against.as_ref().filter(|against| !against.changed.is_empty()) else {
        return String::new();
    };
    let mut html = String::from(
        "<h2>Changed most</h2>\n<div class=\"scroll\"><table>\n<tr><th>query</th><th>rbo</th><th class=\"text\">other</th>\
         <th class=\"text\">now</th></tr>\n",
    );
    for changed in &against.changed {
        let keys = |keys: &[String]| escaped(&keys.join(", "));
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{:.2}</td><td class=\"keys\">{}</td><td class=\"keys\">{}</td></tr>",
            escaped(&changed.query),
            changed.rbo,
            keys(&changed.before),
            keys(&changed.after)
        );
    }
    html + "</table></div>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        assert_eq!(escaped(r#"<a href="x">&</a>é"#), "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;é");
    }
}
