//! The kubeconfig that leads into the sandbox.
//!
//! Responsible for a file that is ours alone: one that somebody else wrote is never touched, and ours is gone when the
//! sandbox is.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{Doors, socket::Access};
use crate::Refusal;

/// How a file of ours begins.
const OURS: &str = "# Written by `fedscaler sandbox`, and deleted when it ends.\n";

/// The control plane's context.
const CONTROL_PLANE: &str = "karmada";

/// The file, deleted when this is dropped.
pub(super) struct Kubeconfig(PathBuf);

/// Refuses a path at which something is that we did not write.
pub(super) fn check(path: &Path) -> Result<(), Refusal> {
    match fs::read_to_string(path) {
        Ok(text) if text.starts_with(OURS) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Ok(_) | Err(_) => Err(Refusal::new(format!(
            "{} is there and was not written by a sandbox: name another file with --kubeconfig",
            path.display()
        ))),
    }
}

impl Kubeconfig {
    /// Writes a context for the control plane and one for each member, readable by its owner alone.
    pub(super) fn write(path: &Path, access: &Access, members: &[String]) -> Result<Self, Refusal> {
        check(path)?;
        let text = format!("{OURS}{:#}\n", contents(access, members));
        let written = fs::remove_file(path).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        });
        let written = written.and_then(|()| create(path)?.write_all(text.as_bytes()));
        let refuse = |error| {
            Refusal::new(format!(
                "{} cannot be written: {error}: name another file with --kubeconfig",
                path.display()
            ))
        };
        written.map_err(refuse)?;
        let absolute = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self(absolute))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &PathBuf {
        &self.0
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        // It may have been taken away, or replaced by somebody's own.
        if check(&self.0).is_ok() {
            let _gone = fs::remove_file(&self.0).is_ok();
        }
    }
}

#[cfg(unix)]
fn create(path: &Path) -> std::io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> std::io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// JSON is YAML.
fn contents(access: &Access, members: &[String]) -> Value {
    let authority = BASE64_STANDARD.encode(&access.certificate);
    let mut reached = vec![(CONTROL_PLANE.to_owned(), String::new())];
    reached.extend(members.iter().map(|member| (member.clone(), Doors::path_of(member))));
    let cluster = |(name, path): &(String, String)| {
        let server = format!("https://{}{path}", access.address);
        json!({"name": name, "cluster": {"server": server, "certificate-authority-data": authority}})
    };
    let context = |(name, _): &(String, String)| json!({"name": name, "context": {"cluster": name, "user": "sandbox", "namespace": "default"}});
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTROL_PLANE,
        "clusters": reached.iter().map(cluster).collect::<Vec<_>>(),
        "contexts": reached.iter().map(context).collect::<Vec<_>>(),
        "users": [{"name": "sandbox", "user": {"token": access.token}}],
    })
}
