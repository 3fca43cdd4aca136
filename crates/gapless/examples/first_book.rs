//! Replays the sample recordings into books and prints state and best prices of each.

fn main() -> Result<(), gapless::Error> {
    let mut replay = gapless::Replay::open(["samples/"])?;
    replay.run(&mut ())?;
    for book in replay.books() {
        print!("{} is {}", book.name(), book.state().name());
        if let (Some(bid), Some(ask)) = (book.best_bid(), book.best_ask()) {
            print!(": {} x {} | {} x {}", bid.0, bid.1, ask.0, ask.1);
        }
        println!();
    }
    Ok(())
}
