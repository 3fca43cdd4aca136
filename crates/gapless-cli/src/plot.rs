//! The latency distributions as a picture: time against the share of messages that took longer.

use crate::tally::Tally;
use gapless::latency::Span;
use plotters::prelude::*;
use std::path::Path;

/// One distribution: the ns at each step of its axis.
pub struct Line {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// Steps of the axis for each nine.
const STEPS: f64 = 50.0;

impl Line {
    /// The line of a distribution, from the ns at a quantile.
    pub fn new(name: &'static str, at: impl Fn(f64) -> u64) -> Self {
        let point = |step: u32| {
            let nines = f64::from(step) / STEPS;
            let quantile = 1.0 - 10f64.powf(-nines);
            (nines, at(quantile).max(8) as f64)
        };
        Self { name, points: (0..=250).map(point).collect() }
    }
}

/// Draws every span of a replay into an SVG file.
pub fn write(path: &Path, tally: &Tally) -> Result<(), String> {
    let line = |span: &Span| {
        let histogram = tally.stopwatch.span(*span);
        Line::new(span.name(), |quantile| histogram.value_at_quantile(quantile))
    };
    write_lines(path, &Span::ALL.iter().map(line).collect::<Vec<_>>())
}

/// Draws distributions into an SVG file.
pub fn write_lines(path: &Path, lines: &[Line]) -> Result<(), String> {
    let mut svg = String::new();
    draw(&mut svg, lines).map_err(|error| format!("cannot draw the plot: {error}"))?;
    std::fs::write(path, svg).map_err(|error| {
        format!("{}: cannot write the plot ({error}); check its folder", path.display())
    })
}

fn draw(svg: &mut String, lines: &[Line]) -> Result<(), Box<dyn std::error::Error>> {
    let ns = lines.iter().flat_map(|line| line.points.iter().map(|(_, ns)| *ns));
    let most = ns.fold(100.0, f64::max);
    let root = SVGBackend::with_string(svg, (960, 540)).into_drawing_area();
    root.fill(&WHITE)?;
    // The horizontal axis counts nines: 1 = 90 %, 2 = 99 %, …
    let mut chart = ChartBuilder::on(&root)
        .caption("Latency of book messages, by stage", ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(0f64..5f64, (8f64..most * 1.2).log_scale())?;
    chart
        .configure_mesh()
        .x_labels(6)
        .x_desc("percentile of messages")
        .y_desc("ns (logarithmic)")
        .x_label_formatter(&|nines| {
            format!("{:.5}", 100.0 - 100.0 / 10f64.powf(*nines))
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
        })
        .y_label_formatter(&|ns| format!("{ns:.0}"))
        .draw()?;
    let colours = [&BLUE, &GREEN, &MAGENTA, &BLACK, &RED, &CYAN, &YELLOW];
    for (line, colour) in lines.iter().zip(colours) {
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(BLACK)
        .background_style(WHITE)
        .draw()?;
    root.present()?;
    Ok(())
}
