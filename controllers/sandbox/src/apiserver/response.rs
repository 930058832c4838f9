//! What the server sends back: whole answers and streams of watch events.
//!
//! It knows bodies and frames, not what is in them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream::BoxStream};
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use serde::Serialize;

use super::errors::ApiError;

/// The connection ended before the answer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection was cut in the middle of the answer")]
pub struct ConnectionCut;

/// The body of an answer.
pub struct ResponseBody(Content);

enum Content {
    Whole(Option<Bytes>),
    /// One frame per watch event.
    Events(BoxStream<'static, Result<Bytes, ConnectionCut>>),
}

impl ResponseBody {
    /// A body that is there at once.
    #[must_use]
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Content::Whole(Some(bytes.into())))
    }

    /// A body that comes frame by frame.
    #[must_use]
    pub fn events(frames: impl Stream<Item = Result<Bytes, ConnectionCut>> + Send + 'static) -> Self {
        Self(Content::Events(frames.boxed()))
    }

    /// The bytes of a body that is there at once.
    pub(crate) fn bytes(&self) -> Option<Bytes> {
        match &self.0 {
            Content::Whole(bytes) => bytes.clone(),
            Content::Events(_) => None,
        }
    }

    /// The frames of a watch; none for a body that is there at once.
    pub(crate) fn into_events(self) -> Result<BoxStream<'static, Result<Bytes, ConnectionCut>>, Self> {
        match self.0 {
            Content::Events(frames) => Ok(frames),
            Content::Whole(bytes) => Err(Self(Content::Whole(bytes))),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ConnectionCut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionCut>>> {
        match &mut self.0 {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Events(frames) => {
                frames.poll_next_unpin(context).map(|frame| frame.map(|frame| frame.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Events(_) => SizeHint::default(),
        }
    }
}

/// An answer in JSON.
pub(super) fn json(code: StatusCode, body: &impl Serialize) -> Response<ResponseBody> {
    match serde_json::to_vec(body) {
        Ok(bytes) => of_bytes(code, "application/json", bytes),
        Err(error) => of_bytes(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
    }
}

/// An answer of ready bytes.
pub(super) fn of_bytes(
    code: StatusCode,
    media_type: &'static str,
    bytes: impl Into<Bytes>,
) -> Response<ResponseBody> {
    with_body(code, media_type, ResponseBody::whole(bytes))
}

/// An answer whose body may still be on its way.
pub(super) fn with_body(
    code: StatusCode,
    media_type: &'static str,
    body: ResponseBody,
) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A refusal as its `Status`.
pub(super) fn refusal(error: &ApiError) -> Response<ResponseBody> {
    let mut response = json(error.code(), &error.status());
    if error.code() == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Adds `Warning` headers, as `kubectl` prints them.
pub(super) fn warn(response: &mut Response<ResponseBody>, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
}
