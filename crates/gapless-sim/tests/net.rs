//! The exchanges on real sockets: frames, requests, the truth over HTTP, and the faults that are
//! no words.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use gapless_sim::exchange::{Exchange, Fault, Rule, Setup, Venue, When};
use gapless_sim::net::{Clock, Server};
use gapless_sim::profile::Profile;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

async fn server(venue: Venue) -> Server {
    let clock = Clock::new();
    let setup = Setup::new(venue, 3, clock.now_ns()).profile(Profile::THIN);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Server::start(Exchange::new(setup), listener, clock).unwrap()
}

async fn socket(server: &Server, path: &str) -> Socket {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let url = format!("ws://{}{path}", server.address());
    client_async(url, stream).await.unwrap().0
}

async fn text(socket: &mut Socket) -> Result<String, Error> {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
        match next.expect("a frame in time").unwrap_or(Err(Error::ConnectionClosed))? {
            Message::Text(text) => return Ok(text.to_string()),
            Message::Close(_) => return Err(Error::ConnectionClosed),
            _ => {}
        }
    }
}

/// Status, head and body.
async fn get(server: &Server, target: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn frames_requests_and_the_truth_come_over_one_port() {
    let server = server(Venue::BinanceSpot).await;
    let mut socket = socket(&server, "/stream").await;
    let subscribe = r#"{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}"#;
    socket.send(Message::text(subscribe)).await.unwrap();
    assert_eq!(text(&mut socket).await.unwrap(), r#"{"result":null,"id":1}"#);
    let event: Value = serde_json::from_str(&text(&mut socket).await.unwrap()).unwrap();
    let last = event["data"]["u"].as_i64().unwrap();
    let (status, head, body) = get(&server, "/api/v3/depth?symbol=BTCUSDT&limit=1000").await;
    assert!(status == 200 && head.contains("X-MBX-USED-WEIGHT-1M: 50"), "{head}");
    assert!(body.starts_with(r#"{"lastUpdateId":"#), "{body}");
    let (_, _, truth) = get(&server, &format!("/truth/BTCUSDT?seq={last}")).await;
    let truth: Value = serde_json::from_str(&truth).unwrap();
    assert_eq!(truth[0]["topic"], "btcusdt@depth@100ms");
    assert_eq!(truth[0]["book_sha256"].as_str().unwrap().len(), 64);
    let books = server.truths("BTCUSDT", Some(last)).await;
    assert_eq!(truth[0]["book_sha256"], books[0].book.canonical_sha256());
    assert_eq!(get(&server, "/truth/NOPE").await.0, 404);
}

#[tokio::test]
async fn a_reset_a_close_and_a_refusal_are_real() {
    let server = server(Venue::BinanceSpot).await;
    server.trouble(Rule::new(Fault::Dribble(20_000_000), When::Nth(1))).await;
    server.trouble(Rule::new(Fault::Reset, When::Nth(2))).await;
    server.trouble(Rule::new(Fault::Close(1012), When::Nth(3))).await;
    server.trouble(Rule::new(Fault::Refuse(429), When::Nth(3))).await;
    let path = "/ws/btcusdt@depth@100ms";
    let mut first = socket(&server, path).await;
    assert!(text(&mut first).await.unwrap().contains("depthUpdate"));
    let error = text(&mut first).await.unwrap_err();
    assert!(!matches!(error, Error::ConnectionClosed), "an RST is no close: {error}");
    let mut second = socket(&server, path).await;
    let closed = loop {
        match second.next().await.unwrap().unwrap() {
            Message::Close(frame) => break frame.unwrap(),
            _ => continue,
        }
    };
    assert_eq!(u16::from(closed.code), 1012);
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let refused = client_async(format!("ws://{}{path}", server.address()), stream).await;
    assert!(matches!(refused, Err(Error::Http(answer)) if answer.status() == 429));
}

#[tokio::test]
async fn a_peer_that_is_gone_says_nothing_and_a_cut_body_ends() {
    let server = server(Venue::BinanceSpot).await;
    server.trouble(Rule::new(Fault::HalfOpen, When::Nth(2))).await;
    server.trouble(Rule::new(Fault::Cut, When::Nth(1))).await;
    let mut gone = socket(&server, "/ws/btcusdt@depth@100ms").await;
    assert!(text(&mut gone).await.is_ok());
    // The next frame is the one at which it goes.
    tokio::time::sleep(Duration::from_millis(400)).await;
    gone.send(Message::Ping(vec![1].into())).await.unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(500), gone.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    let (_, head, body) = get(&server, "/api/v3/depth?symbol=BTCUSDT").await;
    assert!(!head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
}

#[tokio::test]
async fn every_venue_lets_a_client_in() {
    let machine = "/ws-stream-normalized?options=%5B%7B%22exchange%22%3A%22binance-futures%22%2C\
                   %22symbols%22%3A%5B%22btcusdt%22%5D%2C%22dataTypes%22%3A%5B%22book_change%22%5D\
                   %7D%5D";
    for (venue, path, said, heard) in [
        (Venue::BinanceUsdm, "/public/stream?streams=btcusdt@depth", "", "depthUpdate"),
        (Venue::BinanceCoinm, "/ws/btcusd_perp@depth", "", "\"ps\":\"BTCUSD\""),
        (
            Venue::Bybit,
            "/v5/public/spot",
            r#"{"op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#,
            "\"type\":\"snapshot\"",
        ),
        (
            Venue::Okx,
            "/ws/v5/public",
            r#"{"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}"#,
            "\"action\":\"snapshot\"",
        ),
        (
            Venue::Deribit,
            "/ws/api/v2",
            r#"{"id":1,"method":"public/subscribe",
                "params":{"channels":["book.BTC-PERPETUAL.100ms"]}}"#,
            "\"type\":\"snapshot\"",
        ),
        (Venue::Tardis, machine, "", "\"isSnapshot\":true"),
        (
            Venue::Relay,
            "/ws?key=sim-key",
            r#"{"type":"subscribe","channels":["book_depth_20"],"symbols":["binance:btcusdt"]}"#,
            "\"type\":\"book_depth\"",
        ),
    ] {
        let server = server(venue).await;
        let mut socket = socket(&server, path).await;
        if !said.is_empty() {
            socket.send(Message::text(said)).await.unwrap();
        }
        for _ in 0..5 {
            if text(&mut socket).await.unwrap().contains(heard) {
                break;
            }
        }
        let (topic, seq) = server
            .look(|exchange| {
                let (topic, seq) = exchange.books().next().unwrap();
                (topic.to_owned(), seq)
            })
            .await
            .unwrap();
        let truths = server.truths(&topic, Some(seq)).await;
        assert!(truths[0].book.best(gapless_book::event::Side::Bid).is_some(), "{venue:?}");
    }
}
