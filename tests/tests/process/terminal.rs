//! A terminal with a sandbox in it, and a sandbox without one.
//!
//! Responsible for starting it, for its keys and for what is on the screen by then. Knows nothing of what should be there.

use std::{
    env,
    io::{Read as _, Write as _},
    num::NonZero,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

use fedscaler_tests::measure::Stopwatch;
use pty_process::{
    Size,
    blocking::{Command as TerminalCommand, Pty, open},
};

/// However slow the machine, this is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// Between two looks.
const MOMENT: Duration = Duration::from_millis(20);

/// A kubeconfig that no other sandbox writes; gone with the sandbox.
pub(crate) fn kubeconfig(name: &str) -> PathBuf {
    env::temp_dir().join(format!("fedscaler-{}-{name}.kubeconfig", std::process::id()))
}

/// A terminal of so many columns and rows, and the process on it.
pub(crate) struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    screen: Arc<Mutex<vt100::Parser>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts this program with these words on a terminal.
    pub(crate) fn start(words: &[&str], (columns, rows): (u16, u16), variables: &[(&str, &str)]) -> Self {
        let (pty, inside) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(rows, columns)).expect("a size");
        let command = TerminalCommand::new(env::current_exe().expect("this program"))
            .args(words)
            .env_remove("NO_COLOR")
            .env("TERM", "xterm-256color")
            .envs(variables.iter().copied());
        let child = command.spawn(inside).expect("the process starts");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(some(rows), some(columns), 1000)));
        let pty = Arc::new(pty);
        let (shared, outside) = (Arc::clone(&screen), Arc::clone(&pty));
        let reader = spawn(move || {
            let mut bytes = [0; 4096];
            // The end of the process is an error here.
            while let Ok(count @ 1..) = (&*outside).read(&mut bytes) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        Self { pty, child, screen, reader: Some(reader) }
    }

    /// Starts `fedscaler sandbox` on a terminal.
    pub(crate) fn sandbox(name: &str, words: &[&str], size: (u16, u16), variables: &[(&str, &str)]) -> Self {
        let kubeconfig = kubeconfig(name);
        let usual = ["sandbox", "--kubeconfig", kubeconfig.to_str().expect("a path in UTF-8")];
        Self::start(&[&usual, words].concat(), size, variables)
    }

    /// Presses keys.
    pub(crate) fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("the process reads");
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        screen.screen_mut().set_size(some(rows), some(columns));
        drop(screen);
        self.pty.resize(Size::new(rows, columns)).expect("a size");
    }

    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        self.look(vt100::Screen::contents)
    }

    /// What the screen is by now.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&vt100::Screen) -> T) -> T {
        at(self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen())
    }

    /// Waits until all of these words are on the screen.
    pub(crate) fn wait_for(&self, words: &[&str]) -> String {
        let waiting = Stopwatch::start();
        loop {
            let text = self.text();
            let missing = words.iter().find(|words| !text.contains(**words));
            let Some(missing) = missing else { return text };
            assert!(waiting.elapsed() < PATIENCE, "{missing:?} is not on the screen:\n{text}");
            sleep(MOMENT);
        }
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until the process has ended and all that it wrote is on the screen.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("a process that can be waited for");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// A sandbox without a terminal.
pub(crate) struct Lines {
    child: Child,
    told: Arc<Mutex<String>>,
    is_closed: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    /// Starts `fedscaler sandbox` with these words.
    pub(crate) fn sandbox(name: &str, words: &[&str]) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .args(["sandbox", "--kubeconfig"])
            .arg(kubeconfig(name))
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the process starts");
        let mut output = child.stdout.take().expect("a pipe");
        let told = Arc::new(Mutex::new(String::new()));
        let is_closed = Arc::new(AtomicBool::new(false));
        let (shared, ends) = (Arc::clone(&told), Arc::clone(&is_closed));
        let reader = spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                shared.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
                if ends.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        Self { child, told, is_closed, reader: Some(reader) }
    }

    /// Waits until these words were told; all that was told.
    pub(crate) fn wait_for(&self, words: &str) -> String {
        let waiting = Stopwatch::start();
        loop {
            let text = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if text.contains(words) {
                return text;
            }
            assert!(waiting.elapsed() < PATIENCE, "{words:?} was not told:\n{text}");
            sleep(MOMENT);
        }
    }

    /// Reads no more, as `head` does when it has enough.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until the process has ended; how, and all that was told.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("a process that can be waited for");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        (status, self.told.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn some(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).expect("a terminal of some size")
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(sent.expect("kill is everywhere").success());
}
