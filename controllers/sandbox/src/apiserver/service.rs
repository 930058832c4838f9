//! The server as a `tower::Service`: what a client, in this process or behind a socket, talks to.
//!
//! It reads bodies and headers and hands requests on; it knows no kind.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header, request};
use http_body::Body;
use http_body_util::BodyExt;
use tower::Service;

use super::{
    ApiServer, discovery,
    errors::ApiError,
    response::{self, ResponseBody},
    routes::{Query, Route},
    tables,
    verbs::{self, Call},
};

/// A connection to a server.
#[derive(Clone)]
pub struct ApiService(ApiServer);

impl ApiService {
    pub(super) fn new(server: ApiServer) -> Self {
        Self(server)
    }
}

impl<B> Service<Request<B>> for ApiService
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Display,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let answer = match body.collect().await {
                Ok(body) => respond(&server, &parts, body.to_bytes()),
                Err(error) => Err(ApiError::bad_request(format!("the body could not be read: {error}"))),
            };
            Ok(answer.unwrap_or_else(|error| response::refusal(&error)))
        })
    }
}

fn respond(
    server: &ApiServer,
    parts: &request::Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, ApiError> {
    if !takes_json(&parts.headers) {
        return Err(ApiError::new(
            StatusCode::NOT_ACCEPTABLE,
            "NotAcceptable",
            "only the following media types are accepted: application/json",
        ));
    }
    match Route::of(parts.uri.path()) {
        Route::Resource(target) => {
            let query = Query::of(parts.uri.query());
            let call = Call {
                method: parts.method.clone(),
                target,
                table: tables::wanted(&parts.headers, &query),
                query,
                media_type: media_type(&parts.headers),
                body,
                user_agent: text(&parts.headers, header::USER_AGENT).to_owned(),
            };
            verbs::serve(server, &call)
        }
        Route::Other(segments) => discovery::serve(server, &parts.method, &segments),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Media type of the body, without parameters.
fn media_type(headers: &HeaderMap) -> String {
    let stated = text(headers, header::CONTENT_TYPE).split(';').next().unwrap_or_default();
    stated.trim().to_ascii_lowercase()
}

/// Whether the client takes JSON in some form.
fn takes_json(headers: &HeaderMap) -> bool {
    let accepted = text(headers, header::ACCEPT);
    accepted.is_empty()
        || accepted.split(',').any(|range| {
            let media_type = range.split(';').next().unwrap_or_default().trim();
            matches!(media_type, "application/json" | "application/*" | "*/*" | "text/plain")
        })
}
