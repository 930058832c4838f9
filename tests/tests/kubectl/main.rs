//! What stock kubectl says to the sandbox's API server, and what it gets and shows.
//!
//! Each scene is recorded in a file that people read: the commands (`$`), the requests that kubectl made of them (`>`), what
//! the answers say (`<`) and what kubectl printed (`=`). The requests are sent again to a fresh server, and have to be
//! answered as it is written. Where there is a kubectl, it has to print what is written too.
//!
//! `FEDSCALER_RECORD=kubectl cargo test --workspace --test kubectl` writes the files anew, to be read before they are kept.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod digest;
mod live;
mod scenes;
mod server;
mod transcript;

use std::{env, fs, path::Path};

use crate::{
    live::Kubectl,
    scenes::SCENES,
    server::Server,
    transcript::{Exchange, Step, Transcript},
};

/// The folder of the recordings.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kubectl/recorded");

fn path_of(scene: &str) -> std::path::PathBuf {
    Path::new(RECORDED).join(format!("{scene}.txt"))
}

fn recorded(scene: &str) -> Transcript {
    Transcript::read(&fs::read_to_string(path_of(scene)).expect("a recording of each scene"))
}

fn is_recording() -> bool {
    env::var_os("FEDSCALER_RECORD").is_some_and(|what| what == "kubectl")
}

#[tokio::test]
async fn what_kubectl_once_sent_is_answered_as_it_is_written() {
    if is_recording() {
        return;
    }
    for scene in SCENES {
        let (written, server) = (recorded(scene.name), Server::new().await);
        let mut replayed = Vec::new();
        for step in &written.steps {
            let mut exchanges = Vec::new();
            for exchange in &step.exchanges {
                let answer = server.answer(&exchange.request).await;
                exchanges.push(Exchange { request: exchange.request.clone(), answer });
            }
            replayed.push(Step { exchanges, ..step.clone() });
        }
        let replayed = Transcript { steps: replayed }.to_string();
        assert_eq!(replayed, written.to_string(), "{}", path_of(scene.name).display());
    }
}

#[tokio::test]
async fn kubectl_shows_what_is_written() {
    let Some(kubectl) = Kubectl::found() else {
        assert!(!fedscaler_tests::rig::Rig::is_required(), "the rig has built a kubectl");
        println!("skipped: conversations with kubectl itself (KUBECTL or PATH name none of version 1.36)");
        return;
    };
    for scene in SCENES {
        let seen = kubectl.play(scene).await;
        if is_recording() {
            fs::write(path_of(scene.name), seen.to_string()).expect("the recording is written");
            continue;
        }
        let written = recorded(scene.name);
        let commands = |transcript: &Transcript| -> Vec<(String, String)> {
            transcript.steps.iter().map(|step| (step.command.clone(), step.shown.clone())).collect()
        };
        assert_eq!(commands(&seen), commands(&written), "{}", path_of(scene.name).display());
    }
}
