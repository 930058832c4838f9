//! Watches: what happens to selected objects, event by event.
//!
//! It knows the watch protocol (initial events, bookmarks, expiry, objects that enter and leave a selection), not how a
//! change came about.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

use super::{
    ApiServer, State,
    catalog::Served,
    errors::ApiError,
    lists::parse_revision,
    metadata::set_resource_version,
    response::ConnectionCut,
    routes::Query,
    selectors::Selection,
    store::{Change, ChangeType},
    tables::{self, Rows},
    versions,
};

/// How often a watch that asked for bookmarks gets one, if anything has changed since its last event.
const BOOKMARK_PERIOD: Duration = Duration::from_mins(1);

/// How long before its end a watch gets a last bookmark, so that its successor begins where it ended.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// What is wanted of a watch.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) selection: Selection,
    /// Each event's object as a table of one row.
    pub(super) table: Option<Rows>,
}

/// A watch under way.
struct Watch {
    api: ApiServer,
    served: Served,
    selection: Selection,
    table: Option<Rows>,
    /// Tables after the first come without their heads.
    heads_told: bool,
    /// Events that go out before any change.
    first: VecDeque<Bytes>,
    /// None after an error event: nothing follows it.
    changes: Option<UnboundedReceiver<Arc<Change>>>,
    /// Changes up to this revision are known to the client.
    seen: u64,
    ends: Instant,
    /// When the last bookmark is due, whether or not anything has changed; none once it was sent, or if none was asked for.
    last_bookmark: Option<Instant>,
    bookmarks: Option<Interval>,
}

/// The events that a request asks for, as frames of one line each.
pub(super) fn watch(
    api: &ApiServer,
    state: &mut State,
    served: Served,
    wish: Wish,
    query: &Query,
) -> Result<impl Stream<Item = Result<Bytes, ConnectionCut>> + Send + 'static, ApiError> {
    let from = starting_point(state, query)?;
    let bookmarks = query.is_on("allowWatchBookmarks");
    let ends = Instant::now() + lifetime(state, query);
    let mut watch = Watch {
        api: api.clone(),
        first: VecDeque::new(),
        changes: None,
        seen: from.unwrap_or_else(|| state.store.revision()),
        ends,
        last_bookmark: ends.checked_sub(LAST_BOOKMARK).filter(|_| bookmarks),
        bookmarks: bookmarks.then(bookmark_interval),
        served,
        selection: wish.selection,
        table: wish.table,
        heads_told: false,
    };
    if from.is_none() {
        watch.first = watch.initial_events(state);
        if query.is_on("sendInitialEvents") && bookmarks {
            watch.first.push_back(initial_events_end(&watch.served, watch.seen));
        }
    }
    match state.store.watch(watch.served.stored_as(), watch.seen) {
        Ok(changes) => watch.changes = Some(changes),
        Err(_) => watch.first.push_back(expired(watch.seen, state.store.revision())),
    }
    Ok(stream::unfold(watch, |mut watch| async move { Some((Ok(watch.next().await?), watch)) }))
}

/// The revision after which changes are wanted; none if the present state is to come first.
fn starting_point(state: &State, query: &Query) -> Result<Option<u64>, ApiError> {
    let matching = query.get("resourceVersionMatch");
    if query.get("sendInitialEvents").is_some() && matching != Some("NotOlderThan") {
        return Err(list_options_forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    if query.get("sendInitialEvents").is_none() && matching.is_some() {
        return Err(list_options_forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ));
    }
    let revision = parse_revision(query.get("resourceVersion").unwrap_or("0"))?;
    if query.is_on("sendInitialEvents") {
        let present = state.store.revision();
        return if revision > present {
            Err(ApiError::too_large_revision(revision, present))
        } else {
            Ok(None)
        };
    }
    Ok(Some(revision).filter(|revision| *revision != 0))
}

fn list_options_forbidden(field: &str, why: &str) -> ApiError {
    ApiError::unprocessable(format!("ListOptions.meta.k8s.io \"\" is invalid: {field}: Forbidden: {why}"))
}

/// As long as the client says, else between half an hour and an hour, as kube-apiserver spreads them.
fn lifetime(state: &mut State, query: &Query) -> Duration {
    let stated = query.get("timeoutSeconds").and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(stated.unwrap_or_else(|| 1800 + state.uids.next() % 1800))
}

fn bookmark_interval() -> Interval {
    let mut interval = interval_at(Instant::now() + BOOKMARK_PERIOD, BOOKMARK_PERIOD);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn frame(what: &str, object: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(object.len() + what.len() + 24);
    line.put_slice(b"{\"type\":\"");
    line.put_slice(what.as_bytes());
    line.put_slice(b"\",\"object\":");
    line.put_slice(object);
    line.put_slice(b"}\n");
    line.freeze()
}

fn initial_events_end(served: &Served, revision: u64) -> Bytes {
    let metadata = json!({
        "resourceVersion": revision.to_string(),
        "creationTimestamp": null,
        "annotations": {"k8s.io/initial-events-end": "true"},
    });
    bookmark(served, &metadata)
}

fn bookmark(served: &Served, metadata: &Value) -> Bytes {
    let object = json!({
        "kind": served.resource.kind,
        "apiVersion": served.version.api_version,
        "metadata": metadata,
    });
    frame("BOOKMARK", object.to_string().as_bytes())
}

fn expired(wanted: u64, present: u64) -> Bytes {
    let error = ApiError::expired(format!("too old resource version: {wanted} ({present})"));
    frame("ERROR", error.status().to_string().as_bytes())
}

impl Watch {
    fn initial_events(&mut self, state: &State) -> VecDeque<Bytes> {
        let all = state.store.iter(self.served.stored_as(), self.selection.namespace());
        let all = all.map(|object| versions::present(&self.served, object));
        let selected: Vec<_> = all.filter(|object| self.selection.matches(object)).collect();
        selected.iter().map(|object| self.frame("ADDED", object)).collect()
    }

    /// An event of an object as this client sees it.
    fn frame(&mut self, what: &str, object: &Value) -> Bytes {
        let Some(rows) = self.table else { return frame(what, object.to_string().as_bytes()) };
        let mut table = tables::of_one(&self.served, object, rows, self.api.now());
        if std::mem::replace(&mut self.heads_told, true) {
            table["columnDefinitions"] = Value::Null;
        }
        frame(what, table.to_string().as_bytes())
    }

    /// The next frame; none at the end of the watch.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.pop_front() {
            return Some(first);
        }
        loop {
            let changes = self.changes.as_mut()?;
            tokio::select! {
                biased;
                change = changes.recv() => {
                    let change = change?;
                    if change.revision > self.seen
                        && let Some(event) = self.event(&change)
                    {
                        self.seen = change.revision;
                        return Some(event);
                    }
                }
                () = tick(&mut self.bookmarks) => {
                    let revision = self.api.state().store.revision();
                    // What was committed under the lock is in the channel already: a bookmark must not overtake it.
                    if revision > self.seen && changes.is_empty() {
                        self.seen = revision;
                        return Some(self.bookmark());
                    }
                }
                () = due(self.last_bookmark) => {
                    if changes.is_empty() {
                        self.last_bookmark = None;
                        self.seen = self.seen.max(self.api.state().store.revision());
                        return Some(self.bookmark());
                    }
                }
                () = sleep_until(self.ends) => return None,
            }
        }
    }

    /// Says how far the client has come.
    fn bookmark(&self) -> Bytes {
        let metadata = json!({"resourceVersion": self.seen.to_string(), "creationTimestamp": null});
        bookmark(&self.served, &metadata)
    }

    /// How a change looks to this client; none if it concerns nothing that was selected.
    fn event(&mut self, change: &Change) -> Option<Bytes> {
        let is = (change.what != ChangeType::Deleted).then_some(&change.object);
        let was = change.previous.as_ref();
        let selected = |object: Option<&Arc<Value>>| {
            object.is_some_and(|object| self.selection.matches(&versions::present(&self.served, object)))
        };
        match (selected(was), selected(is)) {
            (false, false) => None,
            (false, true) => Some(self.render("ADDED", change)),
            (true, true) => Some(self.render("MODIFIED", change)),
            (true, false) if change.what == ChangeType::Deleted => Some(self.render("DELETED", change)),
            (true, false) => {
                // It left the selection: the client sees its last selected state under the present revision.
                let mut last = versions::present(&self.served, was?).as_ref().clone();
                set_resource_version(&mut last, change.revision);
                Some(self.frame("DELETED", &last))
            }
        }
    }

    fn render(&mut self, what: &str, change: &Change) -> Bytes {
        if self.table.is_none() && versions::is_stored_form(&self.served, &change.object) {
            return frame(what, &change.json());
        }
        self.frame(what, &versions::present(&self.served, &change.object))
    }
}

async fn due(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
