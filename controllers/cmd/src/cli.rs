//! The command line.
//!
//! Responsible for what can be asked and for saying what is wrong with a value. Does nothing of it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use fedscaler_core::schedule::Zone;

use crate::sandbox::{demand::instant, fleet::Moment};

/// Autoscaling over many clusters under a Karmada control plane.
#[derive(Debug, Parser)]
#[command(name = "fedscaler", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the controllers against a Karmada API server.
    Run(RunArguments),
    /// Try it: the same controllers against an embedded control plane with simulated members.
    ///
    /// Starts a Kubernetes-compatible API server, a model of Karmada and three members in this process, applies the
    /// example manifests of deploy/examples, lets a demand trace loose on them and shows what happens and why: on a
    /// terminal as a picture with keys to play with it, else line by line. It listens on this machine alone, for kubectl;
    /// nothing is installed, nothing is left behind.
    Sandbox(SandboxArguments),
    /// Say what would be decided now, and why. Nothing is written.
    Explain(ExplainArguments),
    /// Turn manifests of other cron autoscalers into CronHPAs.
    ///
    /// Reads what kubernetes-cronhpa-controller (`CronHorizontalPodAutoscaler`) and Karmada (CronFederatedHPA) take,
    /// also as `kubectl get -o yaml` prints it, and prints CronHPAs. Comments above each of them say line by line what has
    /// no equal and what to do about it; other kinds are passed by. The exit code is 0 if all could be carried over,
    /// 1 if something was left out, and 2 if nothing is printed because something cannot be read.
    Convert(ConvertArguments),
    /// Print the CustomResourceDefinitions, or write them to a folder.
    Crds(CrdsArguments),
    /// Print what a shell needs to complete these words.
    ///
    /// For bash: `fedscaler completions bash > /etc/bash_completion.d/fedscaler`; for zsh, a file `_fedscaler` in a folder
    /// of `$fpath`; for fish, `~/.config/fish/completions/fedscaler.fish`.
    Completions(CompletionsArguments),
    /// Print the manual page, or write one a command to a folder.
    ///
    /// `fedscaler man | man -l -` shows it; `fedscaler man --output /usr/local/share/man/man1` keeps them all.
    Man(ManArguments),
}

/// Where the controllers run and how they tell.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The kubeconfig of the Karmada API server. Default: in-cluster, else the usual places.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in the kubeconfig. Default: its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub admin_address: SocketAddr,
    /// Let several processes run and one of them work: the one that holds the Lease. Without it this process believes
    /// that it is the only one.
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true",
        require_equals = true, value_name = "BOOL")]
    pub leader_elect: bool,
    /// The namespace of the Lease, in the Karmada API server.
    #[arg(long, default_value = "fedscaler-system", value_name = "NAMESPACE")]
    pub lease_namespace: String,
    /// The name of the Lease.
    #[arg(long, default_value = "fedscaler", value_name = "NAME")]
    pub lease_name: String,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t = Logs::Text)]
    pub log_format: Logs,
    /// What is logged, as tracing filters say it.
    // Each failed call is told by whoever made it, with what it was for.
    #[arg(
        long,
        env = "RUST_LOG",
        default_value = "info,kube_client::client::builder=off,tokio_cron_scheduler=warn",
        value_name = "FILTER"
    )]
    pub log_filter: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Logs {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What the sandbox plays.
#[derive(Debug, Args)]
pub struct SandboxArguments {
    /// Replay this demand: CSV with the columns `timestamp,value`. Default: a generated day, repeated.
    #[arg(long, value_name = "FILE")]
    pub demand: Option<PathBuf>,
    /// Begin here in --demand: a time as in the file, or RFC 3339. Its peak is that of the whole file. Default: its first
    /// row.
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "demand")]
    pub from: Option<DateTime<Utc>>,
    /// Make the members of these nodes: CSV with the columns `sn,cpu_milli,memory_mib,gpu`, dealt to the members in turn by
    /// name. Default: generated members.
    #[arg(long, value_name = "FILE")]
    pub fleet: Option<PathBuf>,
    /// What runs on the nodes already: CSV with the columns `name,cpu_milli,memory_mib,num_gpu,gpu_milli,scheduled_time,
    /// deletion_time`, times in seconds. Each pod goes to the emptiest node that holds it.
    #[arg(long, value_name = "FILE", requires = "fleet")]
    pub fleet_pods: Option<PathBuf>,
    /// Which of these pods are there: those of this second, `busiest` for the second with the most of them, or `all`
    /// that ever had a node.
    #[arg(long, value_name = "SECONDS", default_value = "busiest", requires = "fleet_pods")]
    pub fleet_at: Moment,
    /// How many members there are. Default: 3. With it, or with --fleet, the example FedHPA takes all members alike.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub members: Option<u8>,
    /// Replicas that the highest demand needs in all.
    #[arg(long, default_value_t = 48, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub peak_replicas: u32,
    /// How many times faster than real time: a number, or `max` for as fast as the machine goes.
    #[arg(long, default_value = "120", value_name = "N", value_parser = speed)]
    pub speed: Speed,
    /// End by itself after this much sandbox time (such as 90m, 6h, 7d) and exit with 0 only if no invariant was
    /// violated. Default: run until interrupted.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub length: Option<Duration>,
    /// Where the sandbox's clock starts. Default: --from, else the first row of --demand, else a Monday.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub start: Option<DateTime<Utc>>,
    /// Decides everything that chance decides.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Write the kubeconfig that leads into the sandbox here. It is gone when the sandbox is; a file that somebody else
    /// wrote is never touched.
    #[arg(long, default_value = "sandbox.kubeconfig", value_name = "FILE")]
    pub kubeconfig: PathBuf,
    /// Where /metrics, /healthz and /readyz are served. Default: 127.0.0.1:8080, or any port if that is taken.
    #[arg(long, value_name = "ADDRESS")]
    pub admin_address: Option<SocketAddr>,
    /// Print lines also where the live view could be shown: without a terminal, lines are all there is.
    #[arg(long)]
    pub plain: bool,
    /// Also print a line for each member each this much sandbox time.
    #[arg(long, default_value = "30m", value_name = "DURATION", value_parser = duration)]
    pub every: Duration,
}

/// How fast sandbox time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times faster than real time.
    Times(f64),
    /// As fast as the machine goes.
    Max,
}

/// What is to be explained.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// What.
    #[command(subcommand)]
    pub what: Explained,
}

/// What can be explained.
#[derive(Debug, Subcommand)]
pub enum Explained {
    /// How a FedHPA's replicas are divided, and why.
    ///
    /// Looks at the FedHPA NAME through the API server, or at a manifest and the facts that --save-facts once wrote,
    /// and prints the decision of the controller with its reasons. Nothing is written.
    Fedhpa(ExplainFedHpa),
    /// Which rule of a CronHPA holds, why, and what is to come.
    ///
    /// Looks at the CronHPA NAME through the API server, or at a file with its manifest and the ConfigMap of its
    /// calendar, and prints what holds at a time and the slots after it, in local time and in UTC. Nothing is written.
    Cronhpa(ExplainCronHpa),
    /// Print the JSON Schema of the facts file, or of what `-o json` prints.
    Schema(ExplainSchema),
}

/// Which FedHPA is explained, and how.
#[derive(Debug, Args)]
pub struct ExplainFedHpa {
    /// The FedHPA's name.
    #[arg(value_name = "NAME", required_unless_present = "manifest", conflicts_with = "manifest")]
    pub name: Option<String>,
    /// Where it is.
    #[command(flatten)]
    pub server: Server,
    /// Offline: the manifest of the FedHPA, YAML or JSON.
    #[arg(short = 'f', long, value_name = "FILE", requires = "facts")]
    pub manifest: Option<PathBuf>,
    /// Offline: the facts about it, as --save-facts writes them.
    #[arg(long, value_name = "FILE", requires = "manifest")]
    pub facts: Option<PathBuf>,
    /// Write the facts that were observed to this file.
    #[arg(long, value_name = "FILE")]
    pub save_facts: Option<PathBuf>,
    /// What would be if: min=N, max=N (of the spec), lost=CLUSTER, room=CLUSTER:+N. May be given several times.
    #[arg(long, value_name = "THAT")]
    pub what_if: Vec<String>,
    /// How the answer looks.
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

/// Where an object is looked for.
#[derive(Debug, Args)]
pub struct Server {
    /// Its namespace. Default: that of the context.
    #[arg(short, long, value_name = "NAMESPACE", conflicts_with = "manifest")]
    pub namespace: Option<String>,
    /// The kubeconfig of the Karmada API server. Default: in-cluster, else the usual places.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in the kubeconfig. Default: its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Which CronHPA is explained, and how.
#[derive(Debug, Args)]
pub struct ExplainCronHpa {
    /// The CronHPA's name. With a file it may be left out if the file has only one.
    #[arg(value_name = "NAME", required_unless_present = "manifest")]
    pub name: Option<String>,
    /// Where it is.
    #[command(flatten)]
    pub server: Server,
    /// Offline: the manifest of the CronHPA, YAML or JSON, and the ConfigMap of its calendar as a further document.
    #[arg(short = 'f', long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// What holds at this time, and the slots of the week after it. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time, conflicts_with_all = ["from", "to"])]
    pub at: Option<DateTime<Utc>>,
    /// What holds at this time, and the slots after it. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub from: Option<DateTime<Utc>>,
    /// The slots until this time and at it. Default: a week after the beginning.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub to: Option<DateTime<Utc>>,
    /// How the answer looks.
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub output: Form,
}

/// How an answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    Table,
    /// For machines.
    Json,
}

/// Which schema is printed.
#[derive(Debug, Args)]
pub struct ExplainSchema {
    /// Of which JSON.
    #[arg(value_enum, default_value_t = Shape::Facts)]
    pub of: Shape,
}

/// JSON that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// The facts file.
    Facts,
    /// What `explain fedhpa -o json` prints.
    Explanation,
    /// What `explain cronhpa -o json` prints.
    Slots,
}

/// What is converted, and what its manifests do not say.
#[derive(Debug, Args)]
pub struct ConvertArguments {
    /// The manifests, YAML or JSON, as many documents as there are; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The time zone of the old controller's process, in which it read times that name none. Default: Asia/Shanghai
    /// for kubernetes-cronhpa-controller, as in its own manifests, and UTC for Karmada.
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<Zone>,
    /// The day from which days off without a year are written out as dates. Default: today.
    #[arg(long, value_name = "DATE")]
    pub from: Option<NaiveDate>,
}

/// Where the definitions go.
#[derive(Debug, Args)]
pub struct CrdsArguments {
    /// The folder to write one file a kind to. Default: print them all.
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
}

/// What completes.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Where the manual goes.
#[derive(Debug, Args)]
pub struct ManArguments {
    /// The folder to write one page a command to. Default: print that of fedscaler itself.
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(times) if times > 0.0 && times.is_finite() => Ok(Speed::Times(times)),
        Ok(_) | Err(_) => Err("give a number above 0, or max".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    const HELP: &str = "give a duration above 0, such as 90m, 6h or 7d";
    let span: jiff::Span = text.parse().map_err(|_| HELP.to_owned())?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let length = span.to_duration(days).map_err(|_| HELP.to_owned())?;
    Duration::try_from(length).ok().filter(|length| !length.is_zero()).ok_or_else(|| HELP.to_owned())
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    instant(text)
        .ok_or_else(|| "give a time such as 2026-03-02T00:00:00Z or \"2026-03-02 00:00:00\"".to_owned())
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    text.parse().map_err(|_| "give a time such as 2026-03-02T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_and_speeds_are_read_as_people_write_them() {
        assert_eq!(duration("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert!(duration("0s").is_err() && duration("soon").is_err() && duration("-1h").is_err());
        assert_eq!((speed("max"), speed("60")), (Ok(Speed::Max), Ok(Speed::Times(60.0))));
        assert!(speed("0").is_err() && speed("inf").is_err());
    }
}
