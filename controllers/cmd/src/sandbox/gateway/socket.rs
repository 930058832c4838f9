//! The socket: TLS with a certificate made at its start, and HTTP, on a thread and a runtime of its own in real time.
//!
//! Responsible for who may come in, which API server is meant, and how long a watch lasts: outside time is real, inside
//! it is not. Knows no kind.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use fedscaler_sandbox::apiserver::ConnectionCut;
use futures::{FutureExt as _, Stream, StreamExt as _, stream};
use http::{Request, Response, StatusCode, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::oneshot,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use super::{Doors, Frames};
use crate::Refusal;

/// Where Kubernetes' API servers usually listen.
const USUAL_PORT: u16 = 6443;

/// Bytes of a bearer token.
const TOKEN_BYTES: usize = 16;

/// How long a watch lasts whose client does not say, as the least that kube-apiserver grants.
const WATCH_LASTS: Duration = Duration::from_mins(30);

/// In the world a watch lasts for ever: it is ended here.
const FOR_EVER: &str = "timeoutSeconds=1000000000";

/// What it takes to come in.
pub(super) struct Access {
    pub(super) address: SocketAddr,
    /// The certificate to be trusted, in PEM.
    pub(super) certificate: String,
    pub(super) token: String,
}

/// The socket. It is closed when this is dropped.
pub(super) struct Socket {
    _open: oneshot::Sender<Infallible>,
}

impl Socket {
    /// Listens on the usual port of this machine's loopback, or on any if that is taken.
    pub(super) fn open(doors: Doors) -> Result<(Self, Access), Refusal> {
        let refuse = |what: &str, error: &dyn std::fmt::Display| Refusal::new(format!("{what}: {error}"));
        let listener = listen().map_err(|error| refuse("no port of 127.0.0.1 can be listened on", &error))?;
        let address = listener.local_addr().map_err(|error| refuse("the socket has no address", &error))?;
        let (tls, certificate) = tls().map_err(|error| refuse("no certificate can be made", &error))?;
        let token = token().ok_or_else(|| Refusal::new("the machine gives no random numbers"))?;
        let access = Access { address, certificate, token: token.clone() };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| refuse("no runtime for the socket", &error))?;
        let (open, closed) = oneshot::channel::<Infallible>();
        let house = Arc::new(House { doors, credentials: format!("Bearer {token}") });
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    _closed = closed => {}
                    ended = accept(listener, TlsAcceptor::from(tls), house) => {
                        tracing::error!(?ended, "the socket cannot be listened on any more");
                    }
                }
            });
        });
        Ok((Self { _open: open }, access))
    }
}

fn listen() -> io::Result<StdListener> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, USUAL_PORT))
        .or_else(|_taken| StdListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn tls() -> Result<(Arc<ServerConfig>, String), Box<dyn std::error::Error>> {
    let key = KeyPair::generate()?;
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names)?.self_signed(&key)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    Ok((Arc::new(config), certificate.pem()))
}

fn token() -> Option<String> {
    let CryptoProvider { secure_random, .. } = ring::default_provider();
    let mut bytes = [0_u8; TOKEN_BYTES];
    secure_random.fill(&mut bytes).ok()?;
    Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// What each connection knows.
struct House {
    doors: Doors,
    /// What a request has to say in its `Authorization`.
    credentials: String,
}

async fn accept(listener: StdListener, tls: TlsAcceptor, house: Arc<House>) -> io::Result<Infallible> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        // A connection that could not be taken is its client's trouble.
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, tls.clone(), Arc::clone(&house)));
        }
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, house: Arc<House>) {
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(move |request| answer(Arc::clone(&house), request).map(Ok::<_, Infallible>));
    // How a connection ends is known to whoever ended it.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.is_ok();
}

type Outgoing = BoxBody<Bytes, ConnectionCut>;

async fn answer(house: Arc<House>, request: Request<Incoming>) -> Response<Outgoing> {
    let stated = request.headers().get(header::AUTHORIZATION);
    if stated.is_none_or(|stated| stated.as_bytes() != house.credentials.as_bytes()) {
        return refusal(StatusCode::UNAUTHORIZED, "Unauthorized");
    }
    let (mut parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return refusal(StatusCode::BAD_REQUEST, "the body could not be read");
    };
    let (door, path) = house.doors.find(parts.uri.path());
    let path = if path.is_empty() { "/" } else { path };
    let (query, lasts) = watch(parts.uri.query().unwrap_or_default());
    let Ok(target) = format!("{path}?{query}").parse::<PathAndQuery>() else {
        return refusal(StatusCode::BAD_REQUEST, "the path is none");
    };
    parts.uri = Uri::from(target);
    match door.ask(Request::from_parts(parts, Full::new(body.to_bytes()))).await {
        Some(response) => response.map(|frames| outgoing(frames, lasts)),
        None => refusal(StatusCode::SERVICE_UNAVAILABLE, "the sandbox has ended"),
    }
}

/// The query as the world gets it, and how long the watch lasts that it asks for, if it does.
fn watch(query: &str) -> (String, Option<Duration>) {
    let pairs = || query.split('&');
    if !pairs().any(|pair| matches!(pair, "watch=true" | "watch=1")) {
        return (query.to_owned(), None);
    }
    let stated = pairs().find_map(|pair| pair.strip_prefix("timeoutSeconds=")?.parse().ok());
    let kept = pairs().filter(|pair| !pair.starts_with("timeoutSeconds="));
    let query = kept.chain([FOR_EVER]).collect::<Vec<_>>().join("&");
    (query, Some(stated.map_or(WATCH_LASTS, Duration::from_secs)))
}

fn outgoing(frames: Frames, lasts: Option<Duration>) -> Outgoing {
    let frames = stream::unfold(frames, |mut frames| async move { Some((frames.recv().await?, frames)) });
    let frames: std::pin::Pin<Box<dyn Stream<Item = _> + Send + Sync>> = match lasts {
        Some(lasts) => Box::pin(frames.take_until(sleep(lasts))),
        None => Box::pin(frames),
    };
    BodyExt::boxed(StreamBody::new(frames.map(|frame| frame.map(Frame::data))))
}

fn refusal(code: StatusCode, why: &str) -> Response<Outgoing> {
    let reason = code.canonical_reason().unwrap_or_default().replace(' ', "");
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": why, "reason": reason, "code": code.as_u16(),
    });
    let body = Full::new(Bytes::from(status.to_string())).map_err(|never| match never {});
    let mut response = Response::new(BodyExt::boxed(body));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_ended_in_real_time() {
        let (query, lasts) = watch("watch=true&timeoutSeconds=7&resourceVersion=3");
        assert_eq!(query, format!("watch=true&resourceVersion=3&{FOR_EVER}"));
        assert_eq!(lasts, Some(Duration::from_secs(7)));
        assert_eq!(watch("watch=1").1, Some(WATCH_LASTS));
        assert_eq!(watch("limit=500&timeoutSeconds=7"), ("limit=500&timeoutSeconds=7".to_owned(), None));
    }
}
