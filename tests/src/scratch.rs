//! Files that tests write.
//!
//! Responsible for a place of their own and for their going away. Knows nothing of what is in them.

use std::path::{Path, PathBuf};

/// A file of this process, gone with the value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A file with this text.
    pub fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fedscaler-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("a scratch file");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where it is, as one says it on a command line.
    pub fn word(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}
