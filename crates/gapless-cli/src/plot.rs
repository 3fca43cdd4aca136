//! The latency distributions as a picture: time against the share of messages that took longer.

use crate::tally::Tally;
use gapless::latency::Span;
use plotters::prelude::*;
use std::path::Path;

/// Draws every span into an SVG file.
pub fn write(path: &Path, tally: &Tally) -> Result<(), String> {
    draw(path, tally).map_err(|error| format!("{}: cannot draw the plot: {error}", path.display()))
}

fn draw(path: &Path, tally: &Tally) -> Result<(), Box<dyn std::error::Error>> {
    let most = Span::ALL.iter().map(|span| tally.stopwatch.span(*span).max()).max();
    let most = most.unwrap_or(0).max(100) as f64;
    let root = SVGBackend::new(path, (960, 540)).into_drawing_area();
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
    let colours = [&BLUE, &GREEN, &MAGENTA, &BLACK];
    for (span, colour) in Span::ALL.iter().zip(colours) {
        let histogram = tally.stopwatch.span(*span);
        let points = (0..=250).map(|step| {
            let nines = f64::from(step) / 50.0;
            let quantile = 1.0 - 10f64.powf(-nines);
            (nines, histogram.value_at_quantile(quantile).max(8) as f64)
        });
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(span.name())
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
