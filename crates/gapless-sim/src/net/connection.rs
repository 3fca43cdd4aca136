//! One client's socket: requests are answered until one asks for a WebSocket.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Asked, Clock, Command, head};
use crate::exchange::{Answer, Conn, Output, Wire};

/// How long a peer that is gone without a word keeps its socket.
const GONE: Duration = Duration::from_secs(600);

/// Lets clients in.
pub async fn accept(listener: TcpListener, commands: mpsc::Sender<Command>, clock: Clock) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No file descriptor is free: clients wait until one is.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let commands = commands.clone();
        tokio::spawn(async move {
            // What a client does to its socket concerns nobody else.
            let _ = serve(stream, commands, clock).await;
        });
    }
}

async fn serve(
    mut stream: TcpStream,
    commands: mpsc::Sender<Command>,
    clock: Clock,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(asked) = head::read(&mut stream, &mut buffer).await? {
        let key = asked.with(|request| {
            let wanted =
                request.header("upgrade").is_some_and(|w| w.eq_ignore_ascii_case("websocket"));
            request.header("sec-websocket-key").filter(|_| wanted).map(str::to_owned)
        });
        if let Some(key) = key {
            return upgrade(stream, buffer, asked, &key, commands, clock).await;
        }
        let last = asked.with(|request| request.header("connection") == Some("close"));
        let Some(answer) = ask(&commands, |answer| Command::Http(asked, answer)).await else {
            return Ok(());
        };
        if !head::write(&mut stream, &answer).await? || last {
            return Ok(());
        }
    }
    Ok(())
}

async fn ask<T>(
    commands: &mpsc::Sender<Command>,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    commands.send(command(answer)).await.ok()?;
    answered.await.ok()
}

async fn upgrade(
    mut stream: TcpStream,
    read: Vec<u8>,
    asked: Asked,
    key: &str,
    commands: mpsc::Sender<Command>,
    clock: Clock,
) -> io::Result<()> {
    let granted = ask(&commands, |answer| Command::Connect(asked, answer)).await;
    let (conn, outputs) = match granted {
        None => return Ok(()),
        Some(Err(answer)) => {
            head::write(&mut stream, &answer).await?;
            return Ok(());
        }
        Some(Ok(line)) => line,
    };
    let switching = Answer::new(101, "", Vec::new());
    let accept = derive_accept_key(key.as_bytes());
    let head = format!(
        "HTTP/1.1 {} Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n",
        switching.status
    );
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await?;
    let socket = WebSocketStream::from_partially_read(stream, read, Role::Server, None).await;
    let _ = talk(socket, conn, outputs, &commands, clock).await;
    let _ = commands.send(Command::Closed(conn)).await;
    Ok(())
}

/// Carries messages both ways until one side ends.
async fn talk(
    mut socket: WebSocketStream<TcpStream>,
    conn: Conn,
    mut outputs: mpsc::Receiver<Output>,
    commands: &mpsc::Sender<Command>,
    clock: Clock,
) -> Result<(), Error> {
    loop {
        tokio::select! {
            output = outputs.recv() => {
                let Some(output) = output else { return Ok(()) };
                tokio::time::sleep_until(clock.instant(output.due_ns).into()).await;
                if !send(&mut socket, output.wire).await? {
                    return Ok(());
                }
                // One flush for all that is due now.
                while let Ok(output) = outputs.try_recv() {
                    tokio::time::sleep_until(clock.instant(output.due_ns).into()).await;
                    if !send(&mut socket, output.wire).await? {
                        return Ok(());
                    }
                }
                socket.flush().await?;
            }
            message = socket.next() => {
                let Some(message) = message else { return Ok(()) };
                let command = match message? {
                    Message::Text(text) => Command::Text(conn, text.to_string()),
                    Message::Ping(bytes) => Command::Ping(conn, bytes.to_vec()),
                    Message::Pong(bytes) => Command::Pong(conn, bytes.to_vec()),
                    Message::Binary(_) => Command::Binary(conn),
                    Message::Close(_) | Message::Frame(_) => return Ok(()),
                };
                if commands.send(command).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// Does one thing to a connection; whether it goes on.
async fn send(socket: &mut WebSocketStream<TcpStream>, wire: Wire) -> Result<bool, Error> {
    match wire {
        Wire::Text(text) => socket.feed(Message::text(&*text)).await?,
        Wire::Ping(bytes) => socket.feed(Message::Ping(bytes.into())).await?,
        // The protocol layer answers pings by itself.
        Wire::Pong(_) => {}
        Wire::Dribble(text, ns) => {
            socket.flush().await?;
            head::trickle(socket.get_mut(), &frame(text.as_bytes()), ns).await?;
        }
        Wire::Close(code, reason) => {
            let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
            socket.close(Some(frame)).await?;
            return Ok(false);
        }
        Wire::Reset => {
            socket.flush().await?;
            socket.get_mut().set_zero_linger()?;
            return Ok(false);
        }
        Wire::Freeze => {
            socket.flush().await?;
            tokio::time::sleep(GONE).await;
            return Ok(false);
        }
    }
    Ok(true)
}

/// A text frame as a server writes it, for bytes that go round the protocol layer.
fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => bytes.push(short),
        (_, Ok(middle)) => {
            bytes.push(126);
            bytes.extend(middle.to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend(u64::try_from(payload.len()).unwrap_or(0).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}
