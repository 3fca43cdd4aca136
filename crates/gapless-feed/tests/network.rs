//! What a peer may do wrong before there is a connection: certificates, encryption, names, answers
//! to the request for a WebSocket. Each has its own reason, and none leads to plain text.

use futures_util::SinkExt;
use gapless_feed::Why;
use gapless_feed::net::dial::Dialer;
use gapless_feed::net::transport::{Incoming, Network, Question, Socket, Transport};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;

/// An authority and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        Self::named("an authority")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A server of that name whose certificate ends at the end of that year.
    fn server(&self, name: &str, year: i32) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(year, 12, 31));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}

/// How the other side behaves.
enum Peer {
    Tls(Arc<ServerConfig>),
    /// Answers the first request with this, and stays.
    Says(String),
    /// Answers the first request with this, and goes.
    Leaves(String),
    /// Opens the WebSocket that it is asked for, and says this in a binary message.
    Binary(&'static [u8]),
    Silent,
}

/// Serves one behaviour, and says on which port.
async fn serve(peer: Peer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = Arc::new(peer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let peer = Arc::clone(&peer);
            tokio::spawn(async move {
                match &*peer {
                    Peer::Tls(config) => {
                        let acceptor = TlsAcceptor::from(Arc::clone(config));
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        let Ok(socket) = tokio_tungstenite::accept_async(stream).await else {
                            return;
                        };
                        tokio::time::sleep(Duration::from_secs(30)).await;
                        drop(socket);
                    }
                    Peer::Says(answer) | Peer::Leaves(answer) => {
                        let _ = stream.read(&mut [0; 4_096]).await;
                        let _ = stream.write_all(answer.as_bytes()).await;
                        if matches!(*peer, Peer::Says(_)) {
                            tokio::time::sleep(Duration::from_secs(30)).await;
                        }
                    }
                    Peer::Binary(bytes) => {
                        let socket = tokio_tungstenite::accept_async(stream).await;
                        let Ok(mut socket) = socket else { return };
                        let _ = socket.send(Message::binary(*bytes)).await;
                        tokio::time::sleep(Duration::from_secs(30)).await;
                    }
                    Peer::Silent => tokio::time::sleep(Duration::from_secs(30)).await,
                }
            });
        }
    });
    port
}

/// Asks for a WebSocket of a peer.
async fn connect(peer: Peer, host: &str, roots: RootCertStore) -> Result<(), Why> {
    let port = serve(peer).await;
    let scheme = if roots.is_empty() { "ws" } else { "wss" };
    let network = Network::new(Dialer::trusting(roots, true));
    network.connect(format!("{scheme}://{host}:{port}/ws"), Vec::new(), None).await.map(drop)
}

/// The words of a refusal to trust a peer.
async fn distrusted(peer: Peer, roots: RootCertStore) -> String {
    match connect(peer, "localhost", roots).await {
        Err(Why::Tls(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_peer_is_believed_whom_an_authority_vouches_for() {
    let authority = Authority::new();
    let peer = Peer::Tls(authority.server("localhost", 2099));
    assert_eq!(connect(peer, "localhost", authority.roots()).await, Ok(()));
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_refused() {
    let authority = Authority::new();
    let peer = Peer::Tls(authority.server("localhost", 2021));
    let words = distrusted(peer, authority.roots()).await;
    assert!(words.contains("expired"), "{words}");
}

#[tokio::test]
async fn a_certificate_that_nobody_known_has_signed_is_refused() {
    let known = Authority::named("known");
    // One of another name, and one that borrows the name and has not the key.
    for (unknown, reason) in [("unknown", "UnknownIssuer"), ("known", "BadSignature")] {
        let peer = Peer::Tls(Authority::named(unknown).server("localhost", 2099));
        let words = distrusted(peer, known.roots()).await;
        assert!(words.contains(reason), "{words}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let authority = Authority::new();
    let peer = Peer::Tls(authority.server("stream.example.com", 2099));
    let words = distrusted(peer, authority.roots()).await;
    assert!(words.contains("not valid for name"), "{words}");
}

#[tokio::test]
async fn a_peer_that_speaks_plain_text_where_tls_is_due_is_refused() {
    let peer = Peer::Says("HTTP/1.1 400 Bad Request\r\n\r\n".to_owned());
    distrusted(peer, Authority::new().roots()).await;
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_at_its_deadline() {
    let begun = Instant::now();
    let found = connect(Peer::Silent, "localhost", Authority::new().roots()).await;
    assert_eq!(found, Err(Why::Timeout));
    assert!((4..9).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_name_or_an_address_that_leads_nowhere_is_said_to_be_the_reason() {
    let network = Network::new(Dialer::new(false));
    // A label of 64 bytes is no name: nobody is asked, whatever resolver the machine has.
    let url = format!("wss://{}.invalid/ws", "a".repeat(64));
    let found = network.connect(url, Vec::new(), None).await.map(drop);
    assert!(matches!(found, Err(Why::Unresolved(_))), "{found:?}");
    let url = "wss://127.0.0.1:1/ws".to_owned();
    let found = network.connect(url, Vec::new(), None).await.map(drop);
    assert!(matches!(found, Err(Why::Unreachable(_))), "{found:?}");
}

#[tokio::test]
async fn plain_text_is_spoken_to_this_machine_alone_and_only_if_allowed() {
    // 192.0.2.1 is for documentation: nothing may be sent there to find out.
    for (allowed, host) in [(false, "127.0.0.1"), (true, "192.0.2.1")] {
        let network = Network::new(Dialer::new(allowed));
        let begun = Instant::now();
        let url = format!("ws://{host}:1/ws");
        let found = network.connect(url, Vec::new(), None).await.map(drop);
        assert!(matches!(found, Err(Why::Tls(_))), "{host}: {found:?}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{host}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn what_is_no_switch_to_websocket_is_refused_with_its_status() {
    let answer = |line: &str| Peer::Says(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n"));
    for (line, status, retry_after_s) in [
        ("200 OK", 200, None),
        // A redirection is not followed.
        ("301 Moved Permanently\r\nlocation: ws://127.0.0.1:1/", 301, None),
        ("401 Unauthorized", 401, None),
        ("403 Forbidden", 403, None),
        ("429 Too Many Requests\r\nretry-after: 7", 429, Some(7)),
        ("503 Service Unavailable", 503, None),
    ] {
        let found = connect(answer(line), "127.0.0.1", RootCertStore::empty()).await;
        assert_eq!(found, Err(Why::Refused { status, retry_after_s }), "{line}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http_or_has_no_end_is_refused() {
    let huge = format!("HTTP/1.1 101 Switching Protocols\r\nx: {}\r\n", "y".repeat(1 << 20));
    for answer in ["nonsense\r\n\r\n".to_owned(), huge] {
        let found = connect(Peer::Says(answer), "127.0.0.1", RootCertStore::empty()).await;
        assert!(matches!(found, Err(Why::Protocol(_) | Why::Broken(_))), "{found:?}");
    }
    let wrong = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                 sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
    let found = connect(Peer::Says(wrong.to_owned()), "127.0.0.1", RootCertStore::empty()).await;
    assert!(matches!(found, Err(Why::Protocol(_))), "{found:?}");
}

#[tokio::test]
async fn c96_a_binary_message_of_a_socket_is_told_as_one() {
    let port = serve(Peer::Binary(&[0x08, 0x96, 0x01, 0xff])).await;
    let network = Network::new(Dialer::new(true));
    let url = format!("ws://127.0.0.1:{port}/ws");
    let mut socket = network.connect(url, Vec::new(), None).await.expect("an open socket");
    let came = std::future::poll_fn(|cx| socket.poll_incoming(cx)).await;
    assert_eq!(came, Ok(Incoming::Binary(vec![0x08, 0x96, 0x01, 0xff].into())));
}

/// Asks a peer over HTTP.
async fn ask(peer: Peer) -> Result<u16, Why> {
    let url = format!("http://127.0.0.1:{}/api", serve(peer).await);
    let network = Network::new(Dialer::new(true));
    let question = Question { url, headers: Vec::new(), body: None, local: None };
    network.ask(question).await.map(|answer| answer.status)
}

#[tokio::test]
async fn a_redirection_is_an_answer_and_is_not_followed() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(ask(Peer::Says(moved.to_owned())).await, Ok(302));
}

#[tokio::test]
async fn a_body_that_is_cut_or_does_not_end_is_no_answer() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_owned();
    let cut = ask(Peer::Leaves(begun.clone())).await;
    assert!(matches!(cut, Err(Why::Broken(_))), "{cut:?}");
    assert_eq!(ask(Peer::Says(begun)).await, Err(Why::Timeout));
}

#[tokio::test]
async fn a_kept_connection_that_is_gone_costs_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        while let Ok((mut stream, _)) = listener.accept().await {
            // One answer, and it goes when it is asked again: as what lies between may do.
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(answer).await;
            let _ = stream.read(&mut [0; 4_096]).await;
        }
    });
    let network = Network::new(Dialer::trusting(RootCertStore::empty(), true));
    for _ in 0..3 {
        let url = format!("http://127.0.0.1:{port}/depth");
        let question = Question { url, headers: Vec::new(), body: None, local: None };
        let answer = network.ask(question).await;
        assert_eq!(answer.map(|answer| answer.status), Ok(200));
    }
}
