//! Standard output: a table for a person, JSON for a program, and no panic when the reader leaves.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use crate::failure::Failure;

/// In a narrower terminal long lines are easier to read than tall columns.
const WIDTH_MIN: u16 = 40;

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Human { color: bool },
    Json,
}

impl Style {
    /// For a person on a terminal, for a program otherwise.
    pub fn choose(json: bool) -> Self {
        if json || !io::stdout().is_terminal() {
            return Self::Json;
        }
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::Human { color: !plain }
    }
}

/// Writes to standard output, ending the line if the text does not.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let written = write!(stdout, "{text}{end}").and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ReaderGone),
        written => Ok(written.context("cannot write to standard output")?),
    }
}

/// A table without frames, as wide as the terminal at most.
pub fn table(header: &[&str], color: bool) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    // Some terminals do not say how wide they are, and say 0.
    if table.width().is_some_and(|width| width < WIDTH_MIN) {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(
        header
            .iter()
            .map(|name| Cell::new(harmless(name)).add_attribute(Attribute::Dim)),
    );
    table
}

/// A cell in the colour of what it says: green is well, yellow will be, red needs somebody.
pub fn state_cell(state: api_types::State) -> Cell {
    use api_types::State;
    let color = match state {
        State::Live => Color::Green,
        State::Loading | State::CatchingUp => Color::Yellow,
        State::Stale | State::Stalled => Color::Red,
    };
    Cell::new(state).fg(color)
}

/// Text from outside, made harmless for a terminal: escape sequences would be obeyed.
pub fn harmless(text: &str) -> String {
    let escape = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// Bytes as people say them.
pub fn bytes(count: u64) -> String {
    bytesize::ByteSize(count).display().iec().to_string()
}
