//! The form of a recording: commands, requests, answers and what was shown, as lines.
//!
//! Knows no server and no kubectl.

use std::fmt::{self, Write as _};

/// A recorded scene.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) steps: Vec<Step>,
}

/// A command and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) exchanges: Vec<Exchange>,
    /// What kubectl printed.
    pub(crate) shown: String,
}

/// A request and what its answer said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) request: Sent,
    pub(crate) answer: String,
}

/// A request as kubectl sent it: as much as an API server looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) accept: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

impl Sent {
    /// Bytes that are no text are written in hexadecimal.
    fn body_lines(&self) -> Vec<String> {
        match std::str::from_utf8(&self.body) {
            Ok("") => Vec::new(),
            Ok(text) if !text.contains('\0') => text.lines().map(|line| format!("| {line}")).collect(),
            _ => self.body.chunks(32).map(|part| format!("x {}", hex(part))).collect(),
        }
    }

    fn take_line(&mut self, line: &str) {
        if let Some(text) = line.strip_prefix("| ").or_else(|| line.strip_prefix('|')) {
            if !self.body.is_empty() {
                self.body.push(b'\n');
            }
            self.body.extend_from_slice(text.as_bytes());
        } else if let Some(digits) = line.strip_prefix("x ") {
            self.body.extend(digits.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()));
        } else if let Some(accept) = line.strip_prefix("Accept: ") {
            accept.clone_into(&mut self.accept);
        } else if let Some(content_type) = line.strip_prefix("Content-Type: ") {
            content_type.clone_into(&mut self.content_type);
        } else {
            let (method, path) = line.split_once(' ').expect("a method and a path");
            (self.method, self.path) = (method.to_owned(), path.to_owned());
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

impl Transcript {
    pub(crate) fn read(text: &str) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (mark, rest) = line.split_at(1);
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            if mark == "$" {
                steps.push(Step { command: rest.to_owned(), ..Step::default() });
                continue;
            }
            let step = steps.last_mut().expect("a command first");
            match mark {
                ">" => {
                    let is_next = step.exchanges.last().is_none_or(|exchange| !exchange.answer.is_empty());
                    if is_next {
                        step.exchanges.push(Exchange::default());
                    }
                    step.exchanges.last_mut().expect("one").request.take_line(rest);
                }
                "<" => writeln!(step.exchanges.last_mut().expect("a request").answer, "{rest}").unwrap(),
                "=" => writeln!(step.shown, "{rest}").unwrap(),
                _ => panic!("{line:?} is of no form that is known"),
            }
        }
        Self { steps }
    }
}

fn marked(f: &mut fmt::Formatter<'_>, mark: char, text: &str) -> fmt::Result {
    for line in text.lines() {
        let line = format!("{mark} {line}");
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            marked(f, '$', &step.command)?;
            for Exchange { request, answer } in &step.exchanges {
                marked(f, '>', &format!("{} {}", request.method, request.path))?;
                for (name, value) in [("Accept", &request.accept), ("Content-Type", &request.content_type)] {
                    if !value.is_empty() {
                        marked(f, '>', &format!("{name}: {value}"))?;
                    }
                }
                for line in request.body_lines() {
                    writeln!(f, "> {line}")?;
                }
                marked(f, '<', answer)?;
            }
            marked(f, '=', &step.shown)?;
            writeln!(f)?;
        }
        Ok(())
    }
}
