//! From a URL to a byte stream: name, address, TCP, TLS.
//!
//! Invariant: what is not encrypted is only ever spoken to this machine itself, and only if that
//! was asked for. Each step has its deadline.

use crate::command::Why;
use futures_util::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A name is resolved, a connection made, hands shaken, within so long each.
pub const STEP_TIME_MAX: Duration = Duration::from_secs(5);
/// The next address of a name is tried when the one before has not answered for so long.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// Sent data that nobody acknowledges ends the connection.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

/// How connections are made.
#[derive(Clone, Debug)]
pub struct Dialer {
    tls: Option<Arc<ClientConfig>>,
    plaintext_loopback: bool,
}

impl Dialer {
    /// Encrypted connections to peers that the usual authorities vouch for, and, if
    /// `plaintext_loopback`, plain ones to this machine.
    #[must_use]
    pub fn new(plaintext_loopback: bool) -> Self {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Self::trusting(roots, plaintext_loopback)
    }

    /// As [`Dialer::new`], with other authorities.
    #[must_use]
    pub fn trusting(roots: RootCertStore, plaintext_loopback: bool) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        // The provider has both versions: what cannot fail must not panic either.
        let builder = builder.with_safe_default_protocol_versions().ok();
        let tls = builder.map(|b| Arc::new(b.with_root_certificates(roots).with_no_client_auth()));
        Self { tls, plaintext_loopback }
    }

    /// Connects to a host. `is_encrypted`: with TLS.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn dial(&self, target: &Target, local: Option<IpAddr>) -> Result<Wire, Why> {
        if !target.is_encrypted && !self.plaintext_loopback {
            return Err(Why::Tls("plain text is not allowed; use wss or https".to_owned()));
        }
        let name = (target.host.as_str(), target.port);
        let found = timeout(STEP_TIME_MAX, lookup_host(name)).await.map_err(|_| Why::Timeout)?;
        let found = found.map_err(|error| Why::Unresolved(error.to_string()))?;
        let mut addresses: Vec<SocketAddr> = found.collect();
        if !target.is_encrypted {
            addresses.retain(|address| address.ip().is_loopback());
            if addresses.is_empty() {
                return Err(Why::Tls("plain text is for this machine only".to_owned()));
            }
        }
        if let Some(local) = local {
            addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
        }
        let first = timeout(STEP_TIME_MAX, first_of(alternating(addresses), local));
        let tcp = first.await.map_err(|_| Why::Timeout)??;
        if !target.is_encrypted {
            return Ok(Wire::Plain(tcp));
        }
        let server = ServerName::try_from(target.host.clone())
            .map_err(|error| Why::Tls(error.to_string()))?;
        let config = self.tls.clone().ok_or_else(|| Why::Tls("not to be had".to_owned()))?;
        let connect = TlsConnector::from(config).connect(server, tcp);
        let tls = timeout(STEP_TIME_MAX, connect).await.map_err(|_| Why::Timeout)?;
        tls.map(|tls| Wire::Tls(Box::new(tls))).map_err(|error| Why::Tls(error.to_string()))
    }
}

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The scheme is `wss` or `https`.
    pub is_encrypted: bool,
}

impl Target {
    /// Reads a URL of scheme `ws`, `wss`, `http` or `https`.
    ///
    /// # Errors
    /// It is none of these.
    pub fn of(url: &http::Uri) -> Result<Self, Why> {
        let is_encrypted = match url.scheme_str() {
            Some("wss" | "https") => true,
            Some("ws" | "http") => false,
            _ => return Err(Why::Unreachable("an address begins with wss or https".to_owned())),
        };
        let host = url.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| Why::Unreachable("the address has no host".to_owned()))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        Ok(Self { host, port, is_encrypted })
    }
}

/// Addresses of both kinds in turn: one kind that leads nowhere costs a quarter of a second.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let longest = six.len().max(four.len());
    (0..longest).flat_map(|at| [six.get(at), four.get(at)]).flatten().copied().collect()
}

/// The first address that answers; each is tried a little after the one before.
async fn first_of(addresses: Vec<SocketAddr>, local: Option<IpAddr>) -> Result<TcpStream, Why> {
    let mut attempts = FuturesUnordered::new();
    for (at, address) in (0u32..).zip(addresses) {
        attempts.push(async move {
            sleep(NEXT_ADDRESS * at).await;
            connect(address, local).await
        });
    }
    let mut last = Why::Unresolved("the name has no address".to_owned());
    while let Some(attempt) = attempts.next().await {
        match attempt {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Why::Unreachable(error.to_string()),
        }
    }
    Err(last)
}

async fn connect(address: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    Ok(stream)
}

/// A byte stream to a peer.
#[derive(Debug)]
pub enum Wire {
    /// Plain.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_whether_it_is_encrypted() {
        let target = |url: &str| Target::of(&url.parse().unwrap());
        let found = target("wss://a.example/stream?x=1").unwrap();
        assert_eq!((found.host.as_str(), found.port, found.is_encrypted), ("a.example", 443, true));
        let found = target("ws://[::1]:9/x").unwrap();
        assert_eq!((found.host.as_str(), found.port, found.is_encrypted), ("::1", 9, false));
        assert!(target("ftp://a.example/").is_err() && target("/path").is_err());
    }

    #[test]
    fn both_kinds_of_addresses_are_tried_in_turn() {
        let of = |texts: &[&str]| texts.iter().map(|a| a.parse().unwrap()).collect::<Vec<_>>();
        let found = alternating(of(&["1.1.1.1:1", "1.1.1.2:1", "[::1]:1"]));
        assert_eq!(found, of(&["[::1]:1", "1.1.1.1:1", "1.1.1.2:1"]));
    }
}
