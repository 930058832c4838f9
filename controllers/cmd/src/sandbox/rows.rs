//! Rows of a CSV file by the names of its columns.
//!
//! Responsible for saying which line of which file is wrong; nothing of a file with a wrong line is used. Knows nothing
//! of what the rows mean.

use std::{fs::File, path::Path};

use csv::{Position, ReaderBuilder, StringRecord, Trim};

use crate::Refusal;

/// A CSV file that an option names.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// The option.
    pub(super) option: &'static str,
    /// The file.
    pub(super) path: &'a Path,
}

impl Source<'_> {
    /// A refusal of this file.
    pub(super) fn refuse(self, why: impl std::fmt::Display) -> Refusal {
        Refusal::new(format!("{} {}: {why}", self.option, self.path.display()))
    }

    /// A refusal of a line of it.
    pub(super) fn refuse_line(self, line: u64, why: impl std::fmt::Display) -> Refusal {
        self.refuse(format!("line {line}: {why}"))
    }

    /// All rows, each with the number of its line. The first line names the columns, in any order; others than the ones
    /// asked for are passed by.
    pub(super) fn read<const N: usize, Row>(
        self,
        names: [&str; N],
        row: impl Fn([&str; N]) -> Result<Row, String>,
    ) -> Result<Vec<(u64, Row)>, Refusal> {
        let file = File::open(self.path).map_err(|error| self.refuse(error))?;
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(file);
        let headers = reader.headers().map_err(|error| self.refuse(error))?;
        let columns = columns(headers, names).ok_or_else(|| {
            self.refuse(format!("the first line must name the columns {}", enumerated(&names)))
        })?;
        let rows = reader.records().map(|record| {
            let record = record.map_err(|error| self.refuse(error))?;
            let line = record.position().map_or(0, Position::line);
            let fields = columns.map(|column| record.get(column).unwrap_or_default());
            Ok((line, row(fields).map_err(|why| self.refuse_line(line, why))?))
        });
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        if rows.is_empty() { Err(self.refuse("it has no rows")) } else { Ok(rows) }
    }
}

fn columns<const N: usize>(headers: &StringRecord, names: [&str; N]) -> Option<[usize; N]> {
    let mut columns = [0; N];
    for (column, name) in columns.iter_mut().zip(names) {
        *column = headers.iter().position(|header| header.eq_ignore_ascii_case(name))?;
    }
    Some(columns)
}

fn enumerated(names: &[&str]) -> String {
    match names {
        [.., last] if names.len() > 1 => {
            format!("{} and {last}", names[..names.len() - 1].join(", "))
        }
        _ => names.concat(),
    }
}
