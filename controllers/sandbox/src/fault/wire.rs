//! Where faults meet requests: the service, and the watches that pass through it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Future, pending},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use http::{Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tower::{Layer, Service};

use super::{Crash, Faults, KEPT_ANSWERS, Link, PlannedKind, WriteRecord};
use crate::apiserver::{ApiError, ConnectionCut, ResponseBody};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watching {
    Yes,
    No,
}

impl Watching {
    fn by(query: &str) -> Self {
        if query.contains("watch=true") || query.contains("watch=1") { Self::Yes } else { Self::No }
    }
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
type Event = Result<Bytes, ConnectionCut>;

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
    async fn carry<S, B>(&self, inner: S, request: Request<B>) -> Answer
    where
        S: Service<Request<B>, Response = Response<ResponseBody>, Error = Infallible>,
    {
        self.check_link().await?;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let query = request.uri().query().unwrap_or_default().to_owned();
        let due = self.due(&method, &path, Watching::by(&query));
        for fault in &due {
            match fault {
                PlannedKind::Delay(delay) => sleep(*delay).await,
                PlannedKind::Hold(gate) => {
                    gate.arrived.notify_one();
                    gate.opened.notified().await;
                }
                PlannedKind::Answer(code) => return Ok(refused(*code)),
                PlannedKind::Refuse(refusal) => {
                    return Ok(answer(refusal.code(), refusal.status().to_string()));
                }
                PlannedKind::ExpireWatch => return Ok(expired_watch()),
                PlannedKind::Stale
                | PlannedKind::LoseAnswer
                | PlannedKind::DropEvents(_)
                | PlannedKind::DelayEvents(_) => {}
            }
        }
        self.check_link().await?;
        let response = if matches!(method, Method::GET | Method::HEAD) {
            self.read(inner, request, &due).await
        } else {
            self.write(inner, request, (method, path, field_manager(&query))).await
        };
        if due.iter().any(|fault| matches!(fault, PlannedKind::LoseAnswer)) {
            return Ok(refused(StatusCode::GATEWAY_TIMEOUT));
        }
        Ok(self.through_watch_faults(response, &due))
    }

    async fn write<S, B>(
        &self,
        mut inner: S,
        request: Request<B>,
        (method, path, manager): (Method, String, Option<String>),
    ) -> Response<ResponseBody>
    where
        S: Service<Request<B>, Response = Response<ResponseBody>, Error = Infallible>,
    {
        let crash = self.count();
        if crash == Some(Crash::Before) {
            return self.die().await;
        }
        let Ok(response) = inner.call(request).await;
        self.script().writes.push(WriteRecord { method, path, manager, code: response.status() });
        if crash == Some(Crash::After) {
            return self.die().await;
        }
        response
    }

    /// Reads, and remembers the answer for stale reads to come.
    async fn read<S, B>(
        &self,
        mut inner: S,
        request: Request<B>,
        due: &[PlannedKind],
    ) -> Response<ResponseBody>
    where
        S: Service<Request<B>, Response = Response<ResponseBody>, Error = Infallible>,
    {
        let path = request.uri().to_string();
        if due.iter().any(|fault| matches!(fault, PlannedKind::Stale))
            && let Some(old) = self.script().answers.get(&path).and_then(|known| known.front().cloned())
        {
            return answer(StatusCode::OK, old);
        }
        let Ok(response) = inner.call(request).await;
        if response.status() == StatusCode::OK
            && let Some(body) = response.body().bytes()
        {
            let mut script = self.script();
            let known = script.answers.entry(path).or_default();
            known.push_back(body);
            if known.len() > KEPT_ANSWERS {
                known.pop_front();
            }
        }
        response
    }

    async fn check_link(&self) -> Result<(), Undelivered> {
        let link = *self.link.borrow();
        match link {
            Link::Up => Ok(()),
            Link::Partitioned => Err(Undelivered::Partitioned),
            Link::Crashed => pending().await,
        }
    }

    async fn die<T>(&self) -> T {
        self.kill();
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
        let mut own = Duration::ZERO;
        for fault in due {
            match fault {
                PlannedKind::DropEvents(events) => lost += *events as usize,
                PlannedKind::DelayEvents(delay) => own += *delay,
                PlannedKind::Answer(_)
                | PlannedKind::Refuse(_)
                | PlannedKind::LoseAnswer
                | PlannedKind::Stale
                | PlannedKind::Hold(_)
                | PlannedKind::Delay(_)
                | PlannedKind::ExpireWatch => {}
            }
        }
        let late = Late {
            events: events.skip(lost).boxed(),
            waiting: VecDeque::new(),
            ended: false,
            own,
            common: self.lag.subscribe(),
        };
        let link = self.link.subscribe();
        let mut cuts = self.cuts.subscribe();
        let cut = async move {
            // An error means that nobody can cut any more.
            if cuts.changed().await.is_err() {
                pending::<()>().await;
            }
        };
        let body = ResponseBody::events(cuttable(late, cut, link));
        Response::from_parts(parts, body)
    }
}

/// Events on their way, each as late as the faults said when it was sent.
struct Late {
    events: BoxStream<'static, Event>,
    waiting: VecDeque<(Instant, Event)>,
    ended: bool,
    /// What is late on this watch alone.
    own: Duration,
    /// What is late on all watches.
    common: watch::Receiver<Duration>,
}

impl Late {
    async fn next(&mut self) -> Option<Event> {
        loop {
            let due = self.waiting.front().map(|(due, _)| *due);
            if due.is_some_and(|due| due <= Instant::now()) || (due.is_none() && self.ended) {
                return self.waiting.pop_front().map(|(_, event)| event);
            }
            let arrival = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                event = self.events.next(), if !self.ended => match event {
                    Some(event) => self.send(event),
                    None => self.ended = true,
                },
                () = arrival => {}
            }
        }
    }

    /// One event never overtakes another.
    fn send(&mut self, event: Event) {
        let due = Instant::now() + self.own + *self.common.borrow();
        let due = self.waiting.back().map_or(due, |(last, _)| due.max(*last));
        self.waiting.push_back((due, event));
    }
}

/// Events until the connection is cut; none at all once the client is dead. What is on its way at a cut is lost.
fn cuttable(
    events: Late,
    cut: impl Future<Output = ()> + Send + 'static,
    link: watch::Receiver<Link>,
) -> impl futures::Stream<Item = Event> + Send + 'static {
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
        StatusCode::GATEWAY_TIMEOUT => ("Timeout", "request did not complete within the allotted timeout"),
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

fn answer(code: StatusCode, body: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(body));
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
