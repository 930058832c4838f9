//! Faults on the way between a client and a server, and a record of what the client wrote.
//!
//! A [`FaultyService`] wraps any service that answers with [`ResponseBody`]s. What goes wrong is scripted through its
//! [`Faults`], which the test keeps. It knows HTTP and the framing of watches, no kind of object.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response, StatusCode};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde_json::json;
use tokio::{sync::watch, time::sleep};
use tower::{Layer, Service};

use crate::apiserver::{ApiError, ConnectionCut, ResponseBody};

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

#[derive(Debug, Clone, Copy)]
enum PlannedKind {
    Answer(StatusCode),
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
}

/// What goes wrong between a client and a server; clones are the same script.
#[derive(Clone)]
pub struct Faults {
    script: Arc<Mutex<Script>>,
    link: Arc<watch::Sender<Link>>,
    /// Bumped to break every watch under way.
    cuts: Arc<watch::Sender<u64>>,
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

    /// Whether the scripted crash has happened.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        *self.link.borrow() == Link::Crashed
    }

    /// Waits for the scripted crash.
    pub async fn crashed(&self) {
        let mut link = self.link.subscribe();
        // The sender lives as long as `self`.
        let _ = link.wait_for(|link| *link == Link::Crashed).await;
    }

    /// The next `times` matching requests are answered with `code` and do not reach the server.
    pub fn answer(&self, which: Which, code: StatusCode, times: u32) {
        self.plan(which, times, PlannedKind::Answer(code));
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

    /// From now on, `per_mille` of a thousand requests other than watches go wrong by chance: they are late by up to
    /// three seconds or answered 409, 429, 500 or 503. The same seed and requests meet the same faults.
    pub fn scatter(&self, seed: u64, per_mille: u32) {
        self.script().weather = Some(Weather { dice: ChaCha8Rng::seed_from_u64(seed), per_mille });
    }

    /// Ends the faults that come by chance.
    pub fn clear_up(&self) {
        self.script().weather = None;
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
                PlannedKind::Answer(_) | PlannedKind::Delay(_) => false,
                PlannedKind::ExpireWatch | PlannedKind::DropEvents(_) | PlannedKind::DelayEvents(_) => true,
            };
            let fits = !for_watches || is_watch == Watching::Yes;
            if planned.left > 0 && fits && planned.which.matches(method, path) {
                planned.left -= 1;
                due.push(planned.kind);
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watching {
    Yes,
    No,
}

impl<S> Layer<S> for Faults {
    type Service = FaultyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FaultyService { inner, faults: self.clone() }
    }
}

/// A service with a script of faults in front of it.
#[derive(Clone)]
pub struct FaultyService<S> {
    inner: S,
    faults: Faults,
}

/// The request could not be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// There is a partition between client and server.
    #[error("connection refused: the server cannot be reached")]
    Partitioned,
}

type Answer = Result<Response<ResponseBody>, Undelivered>;

impl<S, B> Service<Request<B>> for FaultyService<S>
where
    S: Service<Request<B>, Response = Response<ResponseBody>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Undelivered;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Undelivered>> {
        self.inner.poll_ready(context).map(|ready| {
            let Ok(()) = ready;
            Ok(())
        })
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was polled ready is the one to call.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let faults = self.faults.clone();
        Box::pin(async move { faults.carry(inner, request).await })
    }
}

impl Faults {
    async fn carry<S, B>(&self, mut inner: S, request: Request<B>) -> Answer
    where
        S: Service<Request<B>, Response = Response<ResponseBody>, Error = Infallible>,
    {
        self.check_link().await?;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let query = request.uri().query().unwrap_or_default().to_owned();
        let watching = if query.contains("watch=true") || query.contains("watch=1") {
            Watching::Yes
        } else {
            Watching::No
        };
        let due = self.due(&method, &path, watching);
        for fault in &due {
            match fault {
                PlannedKind::Delay(delay) => sleep(*delay).await,
                PlannedKind::Answer(code) => return Ok(refused(*code)),
                PlannedKind::ExpireWatch => return Ok(expired_watch()),
                PlannedKind::DropEvents(_) | PlannedKind::DelayEvents(_) => {}
            }
        }
        self.check_link().await?;
        let is_write = !matches!(method, Method::GET | Method::HEAD);
        let crash = if is_write { self.count() } else { None };
        if crash == Some(Crash::Before) {
            return self.die().await;
        }
        let Ok(response) = inner.call(request).await;
        if is_write {
            let manager = field_manager(&query);
            self.script().writes.push(WriteRecord { method, path, manager, code: response.status() });
        }
        if crash == Some(Crash::After) {
            return self.die().await;
        }
        Ok(self.through_watch_faults(response, &due))
    }

    async fn check_link(&self) -> Result<(), Undelivered> {
        let link = *self.link.borrow();
        match link {
            Link::Up => Ok(()),
            Link::Partitioned => Err(Undelivered::Partitioned),
            Link::Crashed => pending().await,
        }
    }

    async fn die(&self) -> Answer {
        self.link.send_replace(Link::Crashed);
        pending().await
    }

    /// A watch that can be cut, delayed and made to lose events; other answers as they are.
    fn through_watch_faults(
        &self,
        response: Response<ResponseBody>,
        due: &[PlannedKind],
    ) -> Response<ResponseBody> {
        let (parts, body) = response.into_parts();
        let events = match body.into_events() {
            Ok(events) => events,
            Err(whole) => return Response::from_parts(parts, whole),
        };
        let mut lost = 0_usize;
        let mut late = Duration::ZERO;
        for fault in due {
            match fault {
                PlannedKind::DropEvents(events) => lost += *events as usize,
                PlannedKind::DelayEvents(delay) => late += *delay,
                PlannedKind::Answer(_) | PlannedKind::Delay(_) | PlannedKind::ExpireWatch => {}
            }
        }
        let events = events.skip(lost).then(move |event| async move {
            if !late.is_zero() {
                sleep(late).await;
            }
            event
        });
        let link = self.link.subscribe();
        let mut cuts = self.cuts.subscribe();
        let cut = async move {
            // An error means that nobody can cut any more.
            if cuts.changed().await.is_err() {
                pending::<()>().await;
            }
        };
        let body = ResponseBody::events(cuttable(events.boxed(), cut, link));
        Response::from_parts(parts, body)
    }
}

/// Events until the connection is cut; none at all once the client is dead.
fn cuttable(
    events: futures::stream::BoxStream<'static, Result<Bytes, ConnectionCut>>,
    cut: impl Future<Output = ()> + Send + 'static,
    link: watch::Receiver<Link>,
) -> impl futures::Stream<Item = Result<Bytes, ConnectionCut>> + Send + 'static {
    let state = (events, Some(Box::pin(cut)), link);
    futures::stream::unfold(state, |(mut events, cut, mut link)| async move {
        let mut cut = cut?;
        let dead = async {
            if link.wait_for(|link| *link == Link::Crashed).await.is_err() {
                pending::<()>().await;
            }
        };
        let event = tokio::select! {
            biased;
            () = dead => pending().await,
            () = &mut cut => return Some((Err(ConnectionCut), (events, None, link))),
            event = events.next() => event?,
        };
        Some((event, (events, Some(cut), link)))
    })
}

fn field_manager(query: &str) -> Option<String> {
    let stated = query.split('&').find_map(|pair| pair.strip_prefix("fieldManager="))?;
    Some(stated.to_owned())
}

fn refused(code: StatusCode) -> Response<ResponseBody> {
    let (reason, message) = match code {
        StatusCode::CONFLICT => (
            "Conflict",
            "the object has been modified; please apply your changes to the latest version and try again",
        ),
        StatusCode::TOO_MANY_REQUESTS => ("TooManyRequests", "too many requests, please try again later"),
        StatusCode::SERVICE_UNAVAILABLE => {
            ("ServiceUnavailable", "the server is currently unable to handle the request")
        }
        StatusCode::GONE => ("Expired", "too old resource version"),
        StatusCode::FORBIDDEN => ("Forbidden", "forbidden"),
        StatusCode::NOT_FOUND => ("NotFound", "the server could not find the requested resource"),
        _ => ("InternalError", "Internal error occurred"),
    };
    answer(code, ApiError::new(code, reason, message).status().to_string())
}

fn expired_watch() -> Response<ResponseBody> {
    let error = ApiError::expired("too old resource version: scripted");
    let event = json!({"type": "ERROR", "object": error.status()});
    answer(StatusCode::OK, format!("{event}\n"))
}

fn answer(code: StatusCode, body: String) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(body));
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
