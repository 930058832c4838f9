//! Where kubectl is.
//!
//! Responsible for finding one for tests that need it. Knows nothing of what it is used for.

use std::{env, path::PathBuf};

use crate::rig::kubectl_of_the_rig;

/// The one that `KUBECTL` names, that of the rig, or the first in `PATH`.
pub fn found() -> Option<PathBuf> {
    if let Some(named) = env::var_os("KUBECTL") {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "KUBECTL names {}, which is no file", named.display());
        return Some(named);
    }
    let paths = env::var_os("PATH").unwrap_or_default();
    let in_path =
        || env::split_paths(&paths).map(|folder| folder.join("kubectl")).find(|path| path.is_file());
    kubectl_of_the_rig().or_else(in_path)
}
