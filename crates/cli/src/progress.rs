//! How far a request is, on standard error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline::protocol::ProgressNotificationParams;
use indicatif::{ProgressBar, ProgressStyle};

use crate::console::Console;
use crate::sanitize;

/// A bar on a terminal; elsewhere, with `-v`, a line for each report. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct ProgressView {
    console: Console,
    label: Arc<str>,
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

/// Parts of a bar whose total is no whole number.
const STEPS: f64 = 1_000.0;

impl ProgressView {
    pub(crate) fn new(console: &Console, label: &str) -> Self {
        Self { console: console.clone(), label: sanitize::excerpt(label, 40).into(), bar: Arc::default() }
    }

    /// Shows one report.
    pub(crate) fn update(&self, report: &ProgressNotificationParams) {
        let message = report.message.as_deref().map(|text| sanitize::excerpt(text, 80)).unwrap_or_default();
        let total = report.total.filter(|total| *total > 0.0);
        let Some(bars) = self.console.bars() else {
            let of = total.map(|total| format!("/{total}")).unwrap_or_default();
            let message = if message.is_empty() { message } else { format!(" {message}") };
            return self.console.detail(format!("progress: {} {}{of}{message}", self.label, report.progress));
        };
        let mut slot = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        // Styled before it is drawn: a bare bar would flash up.
        let style = style(if total.is_some() {
            "{prefix} [{bar:30}] {percent:>3}% {wide_msg}"
        } else {
            "{prefix} {spinner} {wide_msg}"
        });
        let bar = slot.get_or_insert_with(|| {
            let bar = ProgressBar::no_length().with_style(style.clone()).with_prefix(self.label.to_string());
            let bar = bars.add(bar);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_style(style);
        if let Some(total) = total {
            bar.set_length(STEPS as u64);
            bar.set_position((report.progress / total * STEPS).clamp(0.0, STEPS) as u64);
        }
        let amount = if total.is_none() { format!("{} ", report.progress) } else { String::new() };
        bar.set_message(format!("{amount}{message}"));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours; one that does not parse would be seen at once.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}
