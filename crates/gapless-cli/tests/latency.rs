//! The `gapless latency` command.

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

fn latency(arguments: &[&str]) -> String {
    let sample = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../samples/okx.cap.zst");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gapless"));
    let output = command.arg("latency").args(arguments).arg(sample).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn at_full_speed_every_leg_is_timed_and_nothing_is_called_corrected() {
    let report: Value = serde_json::from_str(&latency(&["--json", "--readers", "2"])).unwrap();
    let whole = report["legs_ns"]["whole"]["count"].as_u64().unwrap();
    assert!(whole > 100);
    for leg in ["parse", "sequence", "apply", "publish"] {
        assert_eq!(report["legs_ns"][leg]["count"], whole, "{leg}");
    }
    assert_eq!(
        (&report["corrected"], &report["legs_ns"]["late"]["count"]),
        (&false.into(), &0.into())
    );
    assert_eq!(report["readers"], 2);
    assert!(report["overhead_ns"].as_u64().unwrap() > 0);
    assert!(report["publications_seen"].as_u64() <= report["publications_sent"].as_u64());
    assert!(latency(&[]).contains("not corrected for coordinated omission"));
}

#[test]
fn at_a_pace_times_count_from_when_a_frame_was_due_and_a_picture_is_drawn() {
    let picture = std::env::temp_dir().join(format!("gapless-latency-{}.svg", std::process::id()));
    let path = picture.display().to_string();
    let text = latency(&["--speed", "50", "--svg", &path]);
    for row in ["venue", "late", "parse", "sequence", "apply", "publish", "whole", "from_due"] {
        assert!(text.lines().any(|line| line.starts_with(row)), "{row}: {text}");
    }
    assert!(text.contains("from_due: corrected for coordinated omission"), "{text}");
    assert!(text.contains("measuring adds"), "{text}");
    let drawn = std::fs::read_to_string(&picture).unwrap();
    assert!(drawn.contains("from_due") && drawn.contains("</svg>"));
    std::fs::remove_file(&picture).unwrap();
}

#[test]
fn the_log_is_read_back_with_what_was_reported() {
    let log = std::env::temp_dir().join(format!("gapless-latency-{}.hlog", std::process::id()));
    let text = latency(&["--json", "--hlog", &log.display().to_string()]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let bytes = std::fs::read(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    let mut tags = Vec::new();
    for entry in IntervalLogIterator::new(&bytes) {
        let LogEntry::Interval(interval) = entry.unwrap() else { continue };
        let tag = interval.tag().unwrap().as_str().to_owned();
        let most = report["legs_ns"][&tag]["max"].as_f64().unwrap();
        // Histograms keep three digits.
        assert!((interval.max() / most - 1.0).abs() < 2e-3, "{tag}: {} {most}", interval.max());
        assert!(interval.encoded_histogram().starts_with("HISTFAAA"), "packed, second version");
        tags.push(tag);
    }
    assert_eq!(tags, ["parse", "sequence", "apply", "publish", "whole"]);
}
