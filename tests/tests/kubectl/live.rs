//! kubectl itself.
//!
//! Responsible for playing a scene with it. Knows nothing of what it says.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use fedscaler_tests::kubectl;
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    scenes::{Line, Scene},
    server::Server,
    transcript::{Step, Transcript},
};

/// The version that was recorded.
const RECORDED: &str = "v1.36.";

fn is_recorded(kubectl: &Path) -> bool {
    let version = std::process::Command::new(kubectl).args(["version", "--client", "-o", "json"]).output();
    let version = version.ok().and_then(|output| serde_json::from_slice::<Value>(&output.stdout).ok());
    let version = version.and_then(|said| Some(said["clientVersion"]["gitVersion"].as_str()?.to_owned()));
    version.is_some_and(|version| version.starts_with(RECORDED))
}

/// A kubectl.
pub(crate) struct Kubectl(PathBuf);

impl Kubectl {
    /// The one that there is, if it is of the version that was recorded: others know other flags and say other things.
    pub(crate) fn found() -> Option<Self> {
        kubectl::found().filter(|kubectl| is_recorded(kubectl)).map(Self)
    }

    /// What happens in a scene.
    pub(crate) async fn play(&self, scene: &Scene) -> Transcript {
        let (server, twin) = (Server::new().await, Server::new().await);
        let listening = server.listen().await;
        let home = env::temp_dir().join(format!("fedscaler-kubectl-{}-{}", std::process::id(), scene.name));
        fs::create_dir_all(&home).unwrap();
        let mut steps = Vec::new();
        for line in scene.lines {
            let shown = self.run(line, &listening.address, &home).await;
            let exchanges = listening.exchanges(&twin).await;
            steps.push(Step { command: format!("kubectl {}", line.words), exchanges, shown });
        }
        fs::remove_dir_all(&home).unwrap();
        Transcript { steps }
    }

    async fn run(&self, line: &Line, server: &str, home: &PathBuf) -> String {
        let mut kubectl = Command::new(&self.0)
            .args(["--server", server, "--namespace", "default"])
            .args(words_of(line.words))
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("KUBECONFIG", home.join("none"))
            .env("KUBE_EDITOR", "sed -i s/maxReplicas:.60/maxReplicas:\\ 50/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = kubectl.stdin.take().unwrap();
        stdin.write_all(line.input.as_bytes()).await.unwrap();
        drop(stdin);
        let done = kubectl.wait_with_output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let all = format!("{}{}", text(&done.stdout), text(&done.stderr));
        let kept = all
            .lines()
            .filter(|line| !is_of_the_moment(line) && !is_of_its_log(line))
            .map(|line| format!("{}\n", without_age(line)));
        let kept = kept.filter(|line| line != "\n").collect();
        if done.status.success() {
            kept
        } else {
            format!("{kept}(exit code {})\n", done.status.code().unwrap_or(-1))
        }
    }
}

/// Lines of kubectl's own log, such as of a watch that was very short: `I1123 19:30:25.903567 ...`.
fn is_of_its_log(line: &str) -> bool {
    let is_level = line.starts_with(['I', 'W', 'E']);
    is_level && line.get(1..5).is_some_and(|day| day.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Lines that name temporary files, ages by this machine's clock, or identities.
fn is_of_the_moment(line: &str) -> bool {
    let line = line.trim_start();
    ["diff ", "--- ", "+++ ", "UID:", "uid:", "Resource Version:", "resourceVersion:"]
        .iter()
        .any(|beginning| line.starts_with(beginning))
}

/// An event as `describe` shows it, without its age: that is by this machine's clock, and so is the columns' width.
fn without_age(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().collect();
    match words.as_slice() {
        ["Type", "Reason", "Age", ..] | ["----", ..] if line.starts_with("  ") => words.join(" "),
        [kind @ ("Normal" | "Warning"), reason, _age, rest @ ..] if line.starts_with("  ") => {
            format!("{kind} {reason} AGE {}", rest.join(" "))
        }
        _ => line.trim_end().to_owned(),
    }
}

/// Words between blanks; those in single quotes are one.
fn words_of(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}
