//! Lines for machines and a table for people.
//!
//! Invariant: a row's value is that of its worst line; a row that was skipped or disagrees never
//! counts as reached.

use crate::goals::Goals;
use crate::rows::Line;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// A line as one JSON object.
#[must_use]
pub fn json_line(line: &Line, goals: &Goals) -> Value {
    let goal = goals.get(line.goal).filter(|_| line.binding);
    let must = goal.and_then(|goal| goal.must(&line.isa));
    let aim = goal.and_then(|goal| goal.aim(&line.isa));
    let mut object = json!({
        "row": line.row(), "stage": line.stage, "workload": line.workload, "isa": line.isa,
        "rival": line.rival, "must": must, "aim": aim,
    });
    let fields = match &line.result {
        Ok(measured) => json!({
            "ours_ns": rounded(measured.ours), "rival_ns": rounded(measured.rival),
            "ratio": (measured.ratio() * 1000.0).round() / 1000.0,
            "answers_agree": measured.agree,
            "statistic": measured.statistic, "unit": measured.unit,
        }),
        Err(reason) => json!({ "skipped": reason }),
    };
    if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
        object.extend(fields);
    }
    object
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The verdict on a row of one instruction set.
struct Worst<'a> {
    line: &'a Line,
    must: f64,
    aim: f64,
}

impl Worst<'_> {
    fn mark(&self) -> &'static str {
        match &self.line.result {
            Err(_) => "skipped",
            Ok(measured) if !measured.agree => "WRONG",
            Ok(measured) if measured.ratio() >= self.aim => "aim",
            Ok(measured) if measured.ratio() >= self.must => "must",
            Ok(_) => "SHORT",
        }
    }
}

/// A Markdown table: the worst workload of every row and instruction set.
#[must_use]
pub fn table(lines: &[Line], goals: &Goals) -> String {
    let mut text = String::from(
        "| row | work | isa | worst workload | rival | ours | rival's | ratio | must | aim | |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (id, goal) in goals.iter() {
        let mut isas: Vec<&str> = goal.isas().collect();
        isas.sort_by_key(|isa| crate::rows::ISAS.iter().position(|known| known == isa));
        for isa in isas {
            let (must, aim) = (goal.must(isa).unwrap_or(0.0), goal.aim(isa).unwrap_or(0.0));
            let Some(line) = worst(lines, id, isa) else { continue };
            row(&mut text, &goal.work, &Worst { line, must, aim });
        }
    }
    text
}

fn worst<'a>(lines: &'a [Line], id: &str, isa: &str) -> Option<&'a Line> {
    let held = |line: &&Line| line.goal == id && line.isa == isa && line.binding;
    // A wrong answer is worse than any ratio; a line that was skipped says nothing if others ran.
    let rank = |line: &&Line| match &line.result {
        Ok(measured) if !measured.agree => 0.0,
        Ok(measured) => measured.ratio(),
        Err(_) => f64::MAX,
    };
    lines.iter().filter(held).min_by(|a, b| rank(a).total_cmp(&rank(b)))
}

fn row(text: &mut String, work: &str, worst: &Worst<'_>) {
    let Worst { line, must, aim } = worst;
    let (ours, rival, ratio) = match &line.result {
        Ok(measured) => {
            let amount = |value| amount(value, measured.unit);
            let ours = format!("{} {}", amount(measured.ours), measured.statistic);
            (ours, amount(measured.rival), format!("{:.2}", measured.ratio()))
        }
        Err(reason) => (reason.clone(), String::new(), String::new()),
    };
    let (row, isa, workload, name) = (line.row(), &line.isa, &line.workload, &line.rival);
    let mark = worst.mark();
    let _ = writeln!(
        text,
        "| {row} | {work} | {isa} | {workload} | {name} | {ours} | {rival} | {ratio} | {must} | \
         {aim} | {mark} |"
    );
}

fn amount(value: f64, unit: &str) -> String {
    match unit {
        "bytes" => format!("{:.0} KiB", value / 1024.0),
        _ if value >= 1e7 => format!("{:.1} ms", value / 1e6),
        _ => format!("{value:.0} ns"),
    }
}
