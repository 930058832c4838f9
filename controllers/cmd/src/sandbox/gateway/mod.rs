//! The way in from outside: the API servers of a world behind one socket of this machine, for kubectl.
//!
//! Responsible for joining two runtimes: the world's, whose clock is paused and driven, and one in real time that has the
//! socket. Requests go over a channel to the world's, so that everything that happens there happens at its time, and a bell
//! wakes whoever holds its clock back. Knows no kind and no request.

mod kubeconfig;
mod socket;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fedscaler_sandbox::{
    apiserver::{ApiServer, ConnectionCut},
    world::World,
};
use futures::StreamExt as _;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::{
    mpsc::{self, Receiver, UnboundedReceiver, UnboundedSender},
    oneshot,
};
use tower::Service as _;

use self::{kubeconfig::Kubeconfig, socket::Socket};
use crate::Refusal;

/// Frames of an answer that wait for a slow reader.
const FRAMES: usize = 64;

/// A request on its way into the world, and where its answer is awaited.
struct Errand {
    request: Request<Full<Bytes>>,
    answer: oneshot::Sender<Response<Frames>>,
}

/// The body of an answer on its way out.
type Frames = Receiver<Result<Bytes, ConnectionCut>>;

/// Where requests for one API server go.
#[derive(Clone)]
struct Door {
    errands: UnboundedSender<Errand>,
    bell: Bell,
}

impl Door {
    /// The answer; none if the world has ended.
    async fn ask(&self, request: Request<Full<Bytes>>) -> Option<Response<Frames>> {
        let (answer, answered) = oneshot::channel();
        self.errands.send(Errand { request, answer }).ok()?;
        self.bell.ring();
        answered.await.ok()
    }
}

/// Rung when there is something to do in the world before its time goes on.
#[derive(Clone, Default)]
pub(super) struct Bell(Arc<(Mutex<bool>, Condvar)>);

impl Bell {
    /// Rings it.
    pub(super) fn ring(&self) {
        let (rung, changed) = &*self.0;
        *rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_one();
    }

    /// Blocks until the bell is rung, at most so long; whether it was rung.
    pub(super) fn wait(&self, longest: Duration) -> bool {
        let (rung, changed) = &*self.0;
        let quiet = rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(quiet, longest, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}

/// The open way in. It is closed, and its kubeconfig gone, when this is dropped.
pub(super) struct Gateway {
    address: SocketAddr,
    kubeconfig: Kubeconfig,
    bell: Bell,
    _socket: Socket,
}

impl Gateway {
    /// Opens the way into a world, on the runtime that the world is on. `kubeconfig` is written; a file that is there
    /// and is not one of ours is a refusal.
    pub(super) fn open(world: &World, kubeconfig: &Path) -> Result<Self, Refusal> {
        let bell = Bell::default();
        let door = |api: &ApiServer| {
            let (errands, received) = mpsc::unbounded_channel();
            tokio::spawn(serve(api.clone(), received));
            Door { errands, bell: bell.clone() }
        };
        let members = world.members().filter_map(|name| Some((name.to_owned(), door(world.member(name)?))));
        let doors = Doors { control_plane: door(world.control_plane()), members: members.collect() };
        let members: Vec<String> = doors.members.keys().cloned().collect();
        kubeconfig::check(kubeconfig)?;
        let (socket, access) = Socket::open(doors)?;
        let kubeconfig = Kubeconfig::write(kubeconfig, &access, &members)?;
        Ok(Self { address: access.address, kubeconfig, bell, _socket: socket })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The kubeconfig that leads here.
    pub(super) fn kubeconfig(&self) -> &PathBuf {
        self.kubeconfig.path()
    }

    /// What rings when a request has come.
    pub(super) fn bell(&self) -> Bell {
        self.bell.clone()
    }
}

/// The API servers that can be reached.
struct Doors {
    control_plane: Door,
    members: BTreeMap<String, Door>,
}

impl Doors {
    /// The path under which a member's API server is.
    fn path_of(member: &str) -> String {
        format!("/members/{member}")
    }

    /// The API server that a path leads to, and the path there.
    fn find<'a>(&self, path: &'a str) -> (&Door, &'a str) {
        let within = |member: &str| {
            let rest = path.strip_prefix(Self::path_of(member).as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest)
        };
        let found = self.members.iter().find_map(|(name, door)| Some((door, within(name)?)));
        found.unwrap_or((&self.control_plane, path))
    }
}

/// Answers requests in the world, each by itself: a watch lasts.
async fn serve(api: ApiServer, mut errands: UnboundedReceiver<Errand>) {
    while let Some(errand) = errands.recv().await {
        tokio::spawn(answer(api.clone(), errand));
    }
}

async fn answer(api: ApiServer, errand: Errand) {
    let Ok(response) = api.service().call(errand.request).await;
    let (parts, body) = response.into_parts();
    let (frames, reader) = mpsc::channel(FRAMES);
    if errand.answer.send(Response::from_parts(parts, reader)).is_err() {
        return;
    }
    let mut body = body.into_data_stream();
    loop {
        tokio::select! {
            biased;
            () = frames.closed() => return,
            frame = body.next() => {
                let Some(frame) = frame else { return };
                if frames.send(frame).await.is_err() {
                    return;
                }
            }
        }
    }
}
