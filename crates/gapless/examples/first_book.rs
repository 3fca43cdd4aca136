//! Reads the sample recordings and prints the best prices of one book.

use gapless::book::decimal::Decimal;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = gapless::config::read("[[sources]]\nreplay = ['samples/']")?.start()?;
    engine.join();
    let top = engine.book("okx:BTC-USDT-SWAP")?.top()?;
    if let (Some(bid), Some(ask)) = (top.bid, top.ask) {
        let scale = top.status.scales.price;
        println!("{} x {}", Decimal::new(bid.price, scale), Decimal::new(ask.price, scale));
    }
    Ok(())
}
