//! `gapless sim serve`: simulated exchanges on loopback, for any client.

use crate::Exit;
use crate::args::{SimArguments, SimCommand, SimServeArguments};
use gapless_sim::exchange::{Exchange, Faults, Setup, Venue};
use gapless_sim::net::{Clock, Server};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;

/// Runs `gapless sim …`.
pub fn run(arguments: &SimArguments) -> Result<Exit, String> {
    let SimCommand::Serve(arguments) = &arguments.command;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(serve(arguments))
}

async fn serve(arguments: &SimServeArguments) -> Result<Exit, String> {
    let clock = Clock::new();
    let venues = if arguments.venue.is_empty() { &Venue::ALL[..] } else { &arguments.venue };
    let mut servers = Vec::new();
    for (at, venue) in venues.iter().enumerate() {
        let setup = setup(arguments, *venue, clock.now_ns())?;
        let offset = u16::try_from(at).map_err(|error| error.to_string())?;
        let port = match arguments.port {
            0 => 0,
            first => first.checked_add(offset).ok_or("the last port would be above 65535")?,
        };
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| format!("{address}: {error}"))?;
        let server = Server::start(Exchange::new(setup), listener, clock);
        let server = server.map_err(|error| error.to_string())?;
        let address = server.address();
        println!("{:<14} ws://{address}  http://{address}", venue.name());
        servers.push(server);
    }
    let end = arguments.seconds.map_or(Duration::MAX, Duration::from_secs);
    tokio::select! {
        () = tokio::time::sleep(end) => Ok(Exit::Ok),
        result = tokio::signal::ctrl_c() => {
            result.map_err(|error| error.to_string())?;
            Ok(Exit::Interrupted)
        }
    }
}

fn setup(arguments: &SimServeArguments, venue: Venue, now_ns: u64) -> Result<Setup, String> {
    let mut setup = Setup::new(venue, arguments.seed, now_ns);
    setup = match arguments.symbols.as_str().parse() {
        Ok(count) => setup.symbols(count),
        Err(_) => {
            let names: Vec<String> = arguments.symbols.split(',').map(str::to_owned).collect();
            setup.named(&names)?
        }
    };
    if let Some(levels) = arguments.levels {
        for listing in &mut setup.symbols {
            listing.spec.profile.levels = levels.max(2);
            listing.spec.profile.levels_max = levels.max(2) * 5 / 4;
        }
    }
    if let Some(path) = &arguments.faults {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        let faults = Faults::script(&text, arguments.seed);
        setup = setup.faults(faults.map_err(|error| format!("{name}: {error}"))?);
    }
    Ok(setup)
}
