//! The real control plane that `tests/rig/up` starts, as tests reach it.
//!
//! Responsible for finding it, for clients and kubectl as its administrator, and for waiting. Knows no scenario.

pub mod controllers;
pub mod place;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use fedscaler_runtime::client::connect;
use http::{Request, header::CONTENT_TYPE};
use kube::Client;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, ToSocketAddrs},
    process::Command,
    time::Instant,
};

/// Says what becomes of tests that need the rig: with `required` they fail where it does not run.
pub const WANTED: &str = "FEDSCALER_RIG";

/// The project's folder.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A rig that runs.
#[derive(Clone)]
pub struct Rig {
    /// Karmada's API server.
    pub karmada: Client,
    /// The members' API servers.
    pub members: BTreeMap<String, Client>,
    folder: PathBuf,
}

impl Rig {
    /// The rig, if it runs.
    pub async fn running() -> Option<Self> {
        let folder = folder();
        let karmada = connect(Some(&folder.join("karmada.kubeconfig")), None).await.ok()?;
        karmada.apiserver_version().await.ok()?;
        let mut members = BTreeMap::new();
        for entry in fs::read_dir(&folder).ok()?.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(member) = name.strip_suffix(".kubeconfig").filter(|name| name.starts_with("member")) {
                members.insert(member.to_owned(), connect(Some(&entry.path()), None).await.ok()?);
            }
        }
        Some(Self { karmada, members, folder })
    }

    /// Whether tests that need it fail where it does not run.
    pub fn is_required() -> bool {
        env::var_os(WANTED).is_some_and(|wanted| wanted == "required")
    }

    /// Where its kubeconfigs and logs are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it was started for, which decides how often the members' HPAs are looked at; see `tests/rig/README.md`.
    pub fn purpose(&self) -> String {
        let purpose = fs::read_to_string(self.folder.join("purpose")).unwrap_or_default();
        purpose.trim().to_owned()
    }

    /// What a component has logged since the rig was started.
    pub fn log(&self, component: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{component}.log"))).unwrap_or_default()
    }

    /// Starts whatever of it does not run.
    pub async fn up(&self) {
        script("up", "").await;
    }

    /// Ends the components whose names begin with this.
    pub async fn down(&self, beginning: &str) {
        assert!(!beginning.is_empty(), "the whole rig is not for a test to end");
        script("down", beginning).await;
    }

    /// What kubectl prints, with `input` to read. An error is what it complains of.
    pub async fn kubectl(&self, cluster: &str, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut kubectl = Command::new(self.folder.join("bin/kubectl"))
            .arg("--kubeconfig")
            .arg(self.folder.join(format!("{cluster}.kubeconfig")))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = kubectl.stdin.take().expect("its input");
        stdin.write_all(input.as_bytes()).await.expect("it reads");
        drop(stdin);
        let done = kubectl.wait_with_output().await.expect("kubectl ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
    }
}

/// The kubectl that the rig has built, whether the rig runs or not.
pub fn kubectl_of_the_rig() -> Option<PathBuf> {
    Some(folder().join("bin/kubectl")).filter(|kubectl| kubectl.is_file())
}

/// Where the rig keeps what runs.
fn folder() -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(PROJECT).join("target"), PathBuf::from);
    target.join("rig/run")
}

async fn script(name: &str, argument: &str) {
    let path = Path::new(PROJECT).join("tests/rig").join(name);
    let mut command = Command::new(path);
    if !argument.is_empty() {
        command.arg(argument);
    }
    let done = command.output().await.expect("the rig's scripts run");
    assert!(done.status.success(), "tests/rig/{name}: {}", String::from_utf8_lossy(&done.stderr));
}

/// An object, if it is there. `path` is that of the API.
pub async fn get(client: &Client, path: &str) -> Option<Value> {
    let request = Request::get(path).body(Vec::new()).expect("a request");
    client.request::<Value>(request).await.ok()
}

/// A media type of [`patch`].
pub const MERGE: &str = "application/merge-patch+json";
/// A media type of [`patch`].
pub const APPLY: &str = "application/apply-patch+yaml";

/// Patches an object, and is told what it is then. `path` is that of the API.
pub async fn patch(client: &Client, path: &str, media_type: &str, body: &Value) -> Option<Value> {
    let request = Request::patch(path).header(CONTENT_TYPE, media_type);
    let request = request.body(body.to_string().into_bytes()).expect("a request");
    client.request(request).await.ok()
}

/// A page of a server that speaks plain HTTP, its head included; `None` if it does not answer.
pub async fn page(address: impl ToSocketAddrs, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await.ok()?;
    Some(page)
}

/// Asks each half second until the answer is good, and gives up after `limit`, saying what it was last.
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let end = Instant::now() + limit;
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(seen) if Instant::now() > end => panic!("waited {limit:?} until {what}; at last: {seen}"),
            Err(_not_yet) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}
