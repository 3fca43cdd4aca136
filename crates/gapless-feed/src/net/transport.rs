//! How frames and answers are had: the one place that knows the WebSocket and the HTTP library.

use super::dial::{Dialer, STEP_TIME_MAX, Target, Wire};
use crate::command::Why;
use futures_util::{Sink, Stream};
use http::header::{HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Bytes of a message; a larger one ends its connection.
pub const MESSAGE_MAX: usize = 8 * 1024 * 1024;
/// Bytes that wait to be sent; with more the connection is given up.
pub const WRITE_BUFFER_MAX: usize = 64 * 1024;
/// Bytes of the body of an answer.
pub const BODY_MAX: usize = 64 * 1024 * 1024;
/// From the question to the last byte of the answer.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Who we say that we are.
const AGENT: &str = concat!("gapless/", env!("CARGO_PKG_VERSION"));

/// What comes over a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text frame.
    Text(Bytes),
    /// A binary frame.
    Binary(Bytes),
    /// A control frame; it was answered if it wanted an answer.
    Control,
}

/// What goes over a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A text frame.
    Text(String),
    /// A ping.
    Ping,
    /// The last frame.
    Close,
}

/// An open WebSocket.
pub trait Socket {
    /// The next thing that came, or why there is no more.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, Why>>;

    /// Takes a frame to be sent.
    ///
    /// # Errors
    /// The connection is broken, or too much waits already.
    fn send(&mut self, frame: Outgoing) -> Result<(), Why>;

    /// Sends what waits; ready when nothing does.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Why>>;
}

/// What is asked for over HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// Address.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// JSON to post; a GET without.
    pub body: Option<String>,
    /// Local address to bind.
    pub local: Option<IpAddr>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
}

/// A future of this thread.
pub type Soon<T> = Pin<Box<dyn Future<Output = T>>>;

/// Where sockets and answers come from.
pub trait Transport {
    /// Its sockets.
    type Socket: Socket;

    /// Opens a WebSocket.
    fn connect(
        &self,
        url: String,
        headers: Vec<(String, String)>,
        local: Option<IpAddr>,
    ) -> Soon<Result<Self::Socket, Why>>;

    /// Asks over HTTP. Redirects are answers like others.
    fn ask(&self, question: Question) -> Soon<Result<Answer, Why>>;
}

/// The network.
#[derive(Clone, Debug)]
pub struct Network {
    dialer: Dialer,
    idle: Idle,
}

type Sender = SendRequest<Full<Bytes>>;
/// Connections that wait for their next question.
type Idle = Rc<RefCell<HashMap<(Target, Option<IpAddr>), Vec<(Sender, Instant)>>>>;

/// Idle connections kept for one address.
const IDLE_MAX: usize = 4;
/// One that has waited for longer is not used again: what lies between forgets connections, and
/// does not say so.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

impl Network {
    /// Connections made by a dialer.
    #[must_use]
    pub fn new(dialer: Dialer) -> Self {
        Self { dialer, idle: Idle::default() }
    }
}

impl Transport for Network {
    type Socket = Frames;

    fn connect(
        &self,
        url: String,
        headers: Vec<(String, String)>,
        local: Option<IpAddr>,
    ) -> Soon<Result<Frames, Why>> {
        let dialer = self.dialer.clone();
        Box::pin(async move { upgrade(&dialer, &url, &headers, local).await })
    }

    fn ask(&self, question: Question) -> Soon<Result<Answer, Why>> {
        let network = self.clone();
        Box::pin(async move {
            let answer = timeout(ANSWER_TIME_MAX, network.answer(question));
            answer.await.map_err(|_| Why::Timeout)?
        })
    }
}

async fn upgrade(
    dialer: &Dialer,
    url: &str,
    headers: &[(String, String)],
    local: Option<IpAddr>,
) -> Result<Frames, Why> {
    let mut request = url.into_client_request().map_err(|error| why(&error))?;
    let target = Target::of(request.uri())?;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
    for (name, value) in headers {
        let (name, value) = header(name, value)?;
        request.headers_mut().insert(name, value);
    }
    let wire = dialer.dial(&target, local).await?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_MAX);
    let shaken = timeout(STEP_TIME_MAX, client_async_with_config(request, wire, Some(config)));
    let (stream, _) = shaken.await.map_err(|_| Why::Timeout)?.map_err(|error| why(&error))?;
    Ok(Frames { stream })
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Why> {
    let bad = |_| Why::Protocol("a header cannot be sent".to_owned());
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(()))?;
    let mut value = HeaderValue::from_str(value).map_err(|_| bad(()))?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn why(error: &Error) -> Why {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Why::Closed(None),
        Error::Http(answer) => {
            let named = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after_s = named.and_then(|text| text.trim().parse().ok());
            Why::Refused { status: answer.status().as_u16(), retry_after_s }
        }
        Error::Io(error) => Why::Broken(error.to_string()),
        Error::WriteBufferFull(_) => Why::Broken("the peer reads nothing".to_owned()),
        error => Why::Protocol(error.to_string()),
    }
}

/// A WebSocket of the network.
#[derive(Debug)]
pub struct Frames {
    stream: WebSocketStream<Wire>,
}

impl Socket for Frames {
    #[inline]
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, Why>> {
        let next = match Pin::new(&mut self.stream).poll_next(cx) {
            Poll::Ready(next) => next,
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(match next {
            Some(Ok(Message::Text(text))) => Ok(Incoming::Text(text.into())),
            Some(Ok(Message::Binary(bytes))) => Ok(Incoming::Binary(bytes)),
            Some(Ok(Message::Close(frame))) => {
                Err(Why::Closed(frame.map(|frame| u16::from(frame.code))))
            }
            Some(Ok(_)) => Ok(Incoming::Control),
            Some(Err(error)) => Err(why(&error)),
            None => Err(Why::Closed(None)),
        })
    }

    fn send(&mut self, frame: Outgoing) -> Result<(), Why> {
        let message = match frame {
            Outgoing::Text(text) => Message::text(text),
            Outgoing::Ping => Message::Ping(Bytes::new()),
            Outgoing::Close => Message::Close(None),
        };
        Pin::new(&mut self.stream).start_send(message).map_err(|error| why(&error))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Why>> {
        Pin::new(&mut self.stream).poll_flush(cx).map_err(|error| why(&error))
    }
}

impl Network {
    async fn answer(&self, question: Question) -> Result<Answer, Why> {
        let bad = |error: &dyn std::fmt::Display| Why::Protocol(error.to_string());
        let url: http::Uri = question.url.parse().map_err(|error| bad(&error))?;
        let key = (Target::of(&url)?, question.local);
        let (mut sender, is_fresh) = match self.kept(&key).await {
            Some(sender) => (sender, false),
            None => (self.fresh(&key).await?, true),
        };
        let mut answer = sender.send_request(request(&url, &question)?).await;
        if answer.is_err() && !is_fresh && question.body.is_none() {
            // It was closed while it waited: that says nothing of the server.
            sender = self.fresh(&key).await?;
            answer = sender.send_request(request(&url, &question)?).await;
        }
        let answer = answer.map_err(|error| Why::Broken(error.to_string()))?;
        let (parts, body) = answer.into_parts();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = parts.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str().to_owned(), text(value)));
        let body = Limited::new(body, BODY_MAX).collect().await;
        let body = body.map_err(|error| Why::Broken(error.to_string()))?.to_bytes();
        let mut idle = self.idle.borrow_mut();
        let kept = idle.entry(key).or_default();
        if kept.len() < IDLE_MAX {
            kept.push((sender, Instant::now()));
        }
        Ok(Answer { status: parts.status.as_u16(), headers: headers.collect(), body })
    }

    /// A connection that is open already.
    async fn kept(&self, key: &(Target, Option<IpAddr>)) -> Option<Sender> {
        loop {
            let (mut sender, since) = self.idle.borrow_mut().get_mut(key).and_then(Vec::pop)?;
            if since.elapsed() < IDLE_TIME_MAX && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn fresh(&self, key: &(Target, Option<IpAddr>)) -> Result<Sender, Why> {
        let wire = self.dialer.dial(&key.0, key.1).await?;
        let shaken = handshake(TokioIo::new(wire)).await;
        let (sender, connection) = shaken.map_err(|error| Why::Broken(error.to_string()))?;
        // It ends when the sender is dropped, or with the runtime.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }
}

fn request(url: &http::Uri, question: &Question) -> Result<http::Request<Full<Bytes>>, Why> {
    let bad = |error: http::Error| Why::Protocol(error.to_string());
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let authority = url.authority().map_or("", |authority| authority.as_str());
    // A user and a password before it are nobody's business.
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let mut builder = http::Request::builder().uri(path).header("host", host);
    builder = builder.header(USER_AGENT, AGENT).header("accept", "application/json");
    for (name, value) in &question.headers {
        let (name, value) = header(name, value)?;
        builder = builder.header(name, value);
    }
    match &question.body {
        None => builder.method("GET").body(Full::default()).map_err(bad),
        Some(body) => {
            let builder = builder.method("POST").header("content-type", "application/json");
            builder.body(Full::from(body.clone())).map_err(bad)
        }
    }
}
