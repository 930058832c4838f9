//! Beside Karmada's own autoscalers, on one control plane in one run: CronHPA beside CronFederatedHPA, FedHPA beside
//! FederatedHPA.
//!
//! `FEDSCALER_RIG_FOR=measuring tests/rig/up`, then `cargo bench -p fedscaler-tests --bench beside [-- cron | load]`. Nothing
//! is set to be quick: periods, intervals and limits are everybody's defaults.

mod cron;
mod load;

use std::{env, fs, process::ExitCode};

use fedscaler_tests::{
    measure::machine,
    rig::{
        Rig,
        controllers::{Controllers, be_controllers_if_asked},
        eventually,
        place::PATIENCE,
    },
};
use tokio::runtime::Builder;

/// One of those that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Karmadas,
    Ours,
}

impl Whose {
    pub(crate) const BOTH: [Self; 2] = [Self::Karmadas, Self::Ours];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Karmadas => "karmada",
            Self::Ours => "fedscaler",
        }
    }
}

/// The processes of those that are compared.
pub(crate) struct Processes {
    karmada: u32,
    ours: u32,
}

impl Processes {
    pub(crate) fn of(&self, whose: Whose) -> u32 {
        match whose {
            Whose::Karmadas => self.karmada,
            Whose::Ours => self.ours,
        }
    }
}

fn main() -> ExitCode {
    if let Some(code) = be_controllers_if_asked() {
        return code;
    }
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let Some(rig) = runtime.block_on(Rig::running()).filter(|rig| rig.purpose() == "measuring") else {
        eprintln!("this needs the rig with the usual times: FEDSCALER_RIG_FOR=measuring tests/rig/up");
        return ExitCode::from(2);
    };
    println!("{}", machine());
    let wants = |part: &str| {
        let mut parts = env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
        parts.peek().is_none() || parts.any(|wanted| wanted == part)
    };
    runtime.block_on(async {
        let controllers = Controllers::start(&rig, "beside");
        eventually("our controllers lead", PATIENCE, async || {
            if controllers.lead().await { Ok(()) } else { Err("they do not; see their log".to_owned()) }
        })
        .await;
        let karmada = fs::read_to_string(rig.folder().join("karmada-controller-manager.pid"));
        let karmada = karmada.ok().and_then(|id| id.trim().parse().ok()).expect("Karmada's controllers run");
        let processes = Processes { karmada, ours: controllers.id() };
        if wants("cron") {
            cron::compare(&rig, &processes).await;
        }
        if wants("load") {
            load::compare(&rig).await;
        }
    });
    ExitCode::SUCCESS
}
