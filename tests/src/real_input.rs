//! Real demand and fleets, which are no part of the project.
//!
//! Responsible for finding them where the environment says that they are. Knows nothing of what is in them.

use std::{env, path::PathBuf};

/// Names the folder of real demand and fleets.
pub const FOLDER: &str = "FEDSCALER_DATA";

/// A file of that folder. Without the folder a line says that `what` is skipped; in a folder that is named the file must
/// be.
pub fn file(name: &str, what: &str) -> Option<PathBuf> {
    let Some(folder) = env::var_os(FOLDER).filter(|folder| !folder.is_empty()) else {
        println!("skipped: {what} ({FOLDER} names no folder with {name})");
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    assert!(path.is_file(), "{FOLDER} is set and there is no {}", path.display());
    Some(path)
}
