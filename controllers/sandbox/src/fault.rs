//! Faults on the way between a client and a server, and a record of what the client wrote.
//!
//! A [`FaultyService`] wraps any service that answers with a [`ResponseBody`](crate::apiserver::ResponseBody). What goes
//! wrong is scripted through its [`Faults`], which the test keeps. It knows HTTP and the framing of watches, no kind of
//! object.

mod wire;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, StatusCode};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use tokio::sync::{Notify, watch};

use crate::apiserver::ApiError;

use self::wire::Watching;
pub use self::wire::{FaultyService, Undelivered};

/// A write that reached the server, in the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRecord {
    /// POST, PUT, PATCH or DELETE.
    pub method: Method,
    /// Path without the query.
    pub path: String,
    /// What the query names as field manager.
    pub manager: Option<String>,
    /// How it was answered.
    pub code: StatusCode,
}

/// Which side of a write a crash falls on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The write never reaches the server.
    Before,
    /// The write takes effect, its answer never arrives.
    After,
}

/// Which requests a fault is for: an empty method or path part stands for all.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Only requests of this method.
    pub method: Option<Method>,
    /// Only requests whose path contains this.
    pub path: String,
}

impl Which {
    /// Requests of `method` whose path contains `path`.
    #[must_use]
    pub fn of(method: Method, path: &str) -> Self {
        Self { method: Some(method), path: path.to_owned() }
    }

    /// Requests of any method whose path contains `path`.
    #[must_use]
    pub fn on(path: &str) -> Self {
        Self { method: None, path: path.to_owned() }
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method) && path.contains(&self.path)
    }
}

#[derive(Debug, Clone)]
struct Planned {
    which: Which,
    left: u32,
    kind: PlannedKind,
}

/// Where a request is held until a test lets it go on; clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    arrived: Arc<Notify>,
    opened: Arc<Notify>,
}

impl Gate {
    /// Waits for the request.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Lets the request go on, now or as soon as it comes.
    pub fn open(&self) {
        self.opened.notify_one();
    }
}

#[derive(Debug, Clone)]
enum PlannedKind {
    Answer(StatusCode),
    Refuse(ApiError),
    /// The request takes effect, and its answer is lost.
    LoseAnswer,
    /// A read gets the oldest answer that is still known of its path.
    Stale,
    /// The request waits at a gate on its way to the server.
    Hold(Gate),
    Delay(Duration),
    /// A watch that is asked for gets 410 Gone as its first event.
    ExpireWatch,
    /// So many events of a watch are lost.
    DropEvents(u32),
    /// Each event of a watch comes later by this.
    DelayEvents(Duration),
}

/// Whether requests come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Up,
    /// Requests fail and watches break.
    Partitioned,
    /// The client's process is dead: nothing it asks is ever answered.
    Crashed,
}

/// Faults that come by chance, the same for the same seed and requests.
#[derive(Debug)]
struct Weather {
    dice: ChaCha8Rng,
    per_mille: u32,
}

impl Weather {
    /// Half of what goes wrong is lateness, the rest are answers that a client must survive.
    fn next(&mut self) -> Option<PlannedKind> {
        let throw = self.dice.next_u32() % 1000;
        let choice = self.dice.next_u32();
        (throw < self.per_mille).then(|| match choice % 8 {
            0 => PlannedKind::Answer(StatusCode::CONFLICT),
            1 => PlannedKind::Answer(StatusCode::TOO_MANY_REQUESTS),
            2 => PlannedKind::Answer(StatusCode::INTERNAL_SERVER_ERROR),
            3 => PlannedKind::Answer(StatusCode::SERVICE_UNAVAILABLE),
            4 => PlannedKind::LoseAnswer,
            _ => PlannedKind::Delay(Duration::from_millis(u64::from(choice % 3000))),
        })
    }
}

#[derive(Debug, Default)]
struct Script {
    planned: VecDeque<Planned>,
    weather: Option<Weather>,
    crash: Option<(u64, Crash)>,
    writes: Vec<WriteRecord>,
    /// Writes that were let through or lost, to count towards the crash.
    attempted: u64,
    /// The last answers to reads, by path, the oldest first.
    answers: BTreeMap<String, VecDeque<Bytes>>,
}

/// So many answers are kept of each path, for stale reads.
const KEPT_ANSWERS: usize = 3;

/// What goes wrong between a client and a server; clones are the same script.
#[derive(Clone)]
pub struct Faults {
    script: Arc<Mutex<Script>>,
    link: Arc<watch::Sender<Link>>,
    /// Bumped to break every watch under way.
    cuts: Arc<watch::Sender<u64>>,
    /// How late the events of all watches are.
    lag: Arc<watch::Sender<Duration>>,
}

impl Default for Faults {
    fn default() -> Self {
        Self::new()
    }
}

impl Faults {
    /// Nothing goes wrong until told.
    #[must_use]
    pub fn new() -> Self {
        Self {
            script: Arc::default(),
            link: Arc::new(watch::Sender::new(Link::Up)),
            cuts: Arc::new(watch::Sender::new(0)),
            lag: Arc::new(watch::Sender::new(Duration::ZERO)),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client's process dies at its `nth` write from now (1 is the next): from then on nothing it asks is answered.
    pub fn crash_at_write(&self, nth: u64, crash: Crash) {
        let mut script = self.script();
        script.crash = Some((script.attempted + nth, crash));
    }

    /// The client's process dies now: nothing that is left of it is ever answered.
    pub fn kill(&self) {
        self.link.send_replace(Link::Crashed);
    }

    /// Whether the client's process is dead.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        *self.link.borrow() == Link::Crashed
    }

    /// Waits for the death of the client's process.
    pub async fn crashed(&self) {
        let mut link = self.link.subscribe();
        // The sender lives as long as `self`.
        let _ = link.wait_for(|link| *link == Link::Crashed).await;
    }

    /// The next `times` matching requests are answered with `code` and do not reach the server.
    pub fn answer(&self, which: Which, code: StatusCode, times: u32) {
        self.plan(which, times, PlannedKind::Answer(code));
    }

    /// The next `times` matching requests are refused in these words and do not reach the server.
    pub fn refuse(&self, which: Which, refusal: ApiError, times: u32) {
        self.plan(which, times, PlannedKind::Refuse(refusal));
    }

    /// The next `times` matching requests take effect, but their answers are lost: the client is told of a timeout.
    pub fn lose_answers(&self, which: Which, times: u32) {
        self.plan(which, times, PlannedKind::LoseAnswer);
    }

    /// The next `times` matching reads get an answer of the past, as from a server that lags behind: the oldest of the
    /// last three, if the path was read before.
    pub fn stale_reads(&self, which: Which, times: u32) {
        self.plan(which, times, PlannedKind::Stale);
    }

    /// The next matching request waits at the gate on its way to the server.
    #[must_use]
    pub fn hold(&self, which: Which) -> Gate {
        let gate = Gate::default();
        self.plan(which, 1, PlannedKind::Hold(gate.clone()));
        gate
    }

    /// The next `times` matching requests reach the server only after `delay`.
    pub fn delay(&self, which: Which, delay: Duration, times: u32) {
        self.plan(which, times, PlannedKind::Delay(delay));
    }

    /// The next `times` matching watches get 410 Gone as their first event.
    pub fn expire_watches(&self, which: Which, times: u32) {
        self.plan(which, times, PlannedKind::ExpireWatch);
    }

    /// The next matching watch loses its first `events` events.
    pub fn drop_events(&self, which: Which, events: u32) {
        self.plan(which, 1, PlannedKind::DropEvents(events));
    }

    /// The next `times` matching watches deliver each event later by `delay`.
    pub fn delay_events(&self, which: Which, delay: Duration, times: u32) {
        self.plan(which, times, PlannedKind::DelayEvents(delay));
    }

    /// From now on the events of all watches, those under way too, arrive later by `lag`, in their order.
    pub fn lag_watches(&self, lag: Duration) {
        self.lag.send_replace(lag);
    }

    /// From now on, `per_mille` of a thousand requests other than watches go wrong by chance: they are late by up to
    /// three seconds, answered 409, 429, 500 or 503, or take effect without an answer. The same seed and requests meet
    /// the same faults.
    pub fn scatter(&self, seed: u64, per_mille: u32) {
        self.script().weather = Some(Weather { dice: ChaCha8Rng::seed_from_u64(seed), per_mille });
    }

    /// Ends the faults that come by chance.
    pub fn clear_up(&self) {
        self.script().weather = None;
    }

    /// Ends everything that goes wrong or is planned to, but brings no dead process back.
    pub fn calm(&self) {
        {
            let mut script = self.script();
            script.weather = None;
            script.crash = None;
            script.planned.clear();
        }
        self.lag_watches(Duration::ZERO);
        self.heal();
    }

    fn plan(&self, which: Which, left: u32, kind: PlannedKind) {
        self.script().planned.push_back(Planned { which, left, kind });
    }

    /// Breaks every watch under way.
    pub fn cut_watches(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Lets nothing through until [`Faults::heal`]: requests fail at once and watches break.
    pub fn partition(&self) {
        self.link.send_replace(Link::Partitioned);
        self.cut_watches();
    }

    /// Ends a partition.
    pub fn heal(&self) {
        self.link.send_if_modified(|link| {
            let partitioned = *link == Link::Partitioned;
            if partitioned {
                *link = Link::Up;
            }
            partitioned
        });
    }

    /// All writes that reached the server so far.
    #[must_use]
    pub fn writes(&self) -> Vec<WriteRecord> {
        self.script().writes.clone()
    }

    /// How many writes reached the server so far.
    #[must_use]
    pub fn writes_so_far(&self) -> usize {
        self.script().writes.len()
    }

    /// How many writes with that method reached the server on paths that contain `path`.
    #[must_use]
    pub fn count_writes(&self, which: &Which) -> usize {
        let script = self.script();
        script.writes.iter().filter(|write| which.matches(&write.method, &write.path)).count()
    }

    /// Forgets the writes so far.
    pub fn forget_writes(&self) {
        self.script().writes.clear();
    }

    /// Takes the faults planned for a request, each counted down.
    fn due(&self, method: &Method, path: &str, is_watch: Watching) -> Vec<PlannedKind> {
        let mut due = Vec::new();
        let mut script = self.script();
        for planned in &mut script.planned {
            let for_watches = match planned.kind {
                PlannedKind::Answer(_)
                | PlannedKind::Refuse(_)
                | PlannedKind::Delay(_)
                | PlannedKind::LoseAnswer
                | PlannedKind::Stale
                | PlannedKind::Hold(_) => false,
                PlannedKind::ExpireWatch | PlannedKind::DropEvents(_) | PlannedKind::DelayEvents(_) => true,
            };
            let fits = !for_watches || is_watch == Watching::Yes;
            if planned.left > 0 && fits && planned.which.matches(method, path) {
                planned.left -= 1;
                due.push(planned.kind.clone());
            }
        }
        script.planned.retain(|planned| planned.left > 0);
        if is_watch == Watching::No {
            due.extend(script.weather.as_mut().and_then(Weather::next));
        }
        due
    }

    /// Counts a write; says on which side of it the process dies, if it does.
    fn count(&self) -> Option<Crash> {
        let mut script = self.script();
        script.attempted += 1;
        let (nth, crash) = script.crash?;
        (script.attempted >= nth).then_some(crash)
    }
}

#[cfg(test)]
mod tests;
