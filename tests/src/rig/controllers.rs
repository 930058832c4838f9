//! Our controllers as processes of their own, as they run in production.
//!
//! Responsible for starting, killing and asking them. They reach Karmada as the identity that `deploy/karmada` makes, with
//! its rights and no others.

use std::{
    env,
    fs::OpenOptions,
    net::{SocketAddr, TcpListener},
    process::{ExitCode, ExitStatus},
};

use tokio::process::{Child, Command};

use super::{Rig, page};

/// Makes a process of this program the controllers.
const AS_CONTROLLERS: &str = "FEDSCALER_RIG_CONTROLLERS";

/// What a program that starts controllers does first: be them, if it was started for that.
pub fn be_controllers_if_asked() -> Option<ExitCode> {
    env::var_os(AS_CONTROLLERS).map(|_asked| fedscaler_cmd::main())
}

/// A process of the controllers. It is killed when this is dropped.
pub struct Controllers {
    process: Child,
    admin: SocketAddr,
}

impl Controllers {
    /// Starts them under this name. Their log is in the rig's folder.
    pub fn start(rig: &Rig, name: &str) -> Self {
        let admin = free_address();
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(rig.folder().join(format!("fedscaler-{name}.log")))
            .expect("a log");
        let process = Command::new(env::current_exe().expect("this program"))
            .env(AS_CONTROLLERS, "1")
            .env("HOSTNAME", name)
            .args(["run", "--admin-address", &admin.to_string(), "--kubeconfig"])
            .arg(rig.folder().join("fedscaler.kubeconfig"))
            .stdout(log.try_clone().expect("its log"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the controllers start");
        Self { process, admin }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// Whether they have ended by themselves: they do when another leads, or may do so.
    pub fn have_ended(&mut self) -> bool {
        self.process.try_wait().is_ok_and(|ended| ended.is_some())
    }

    /// Kills them, whatever they are at.
    pub async fn kill(mut self) {
        self.process.kill().await.expect("it can be killed");
    }

    /// Asks them to end, and waits.
    pub async fn stop(mut self) -> ExitStatus {
        let asked = Command::new("kill").arg(self.id().to_string()).status().await;
        assert!(asked.is_ok_and(|status| status.success()), "they run");
        self.process.wait().await.expect("it ends")
    }

    /// The value of the first counter or gauge whose line begins so, if they answer.
    pub async fn metric(&self, beginning: &str) -> Option<u64> {
        let page = page(self.admin, "/metrics").await?;
        let line = page.lines().find(|line| line.starts_with(beginning))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }

    /// Whether they may write.
    pub async fn lead(&self) -> bool {
        self.metric("leader ").await == Some(1)
    }

    /// Whether they have seen all there is to see.
    pub async fn are_ready(&self) -> bool {
        let page = page(self.admin, "/readyz").await;
        page.is_some_and(|page| page.lines().next().is_some_and(|status| status.contains(" 200 ")))
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address")
}
